"""Jobs that stock workers and clients lost come back; what is somewhere stays there. And where a job is."""

from collections.abc import Callable

import pytest

from ingest.queue import calls, keys
from ingest.queue.limits import Limit, set_limit
from ingest.queue.transitions import Failure, new_id
from tests.ingest.queue.conftest import Queue


def test_a_job_popped_by_a_worker_that_died_comes_back(queue: Queue) -> None:
    """RQ1: a stock worker holds a popped id in memory alone."""
    lost = queue.add()
    queue.redis.lpop(keys.queue("high"))
    later = queue.add()
    queue.rings()
    assert queue.transitions.heal("high", [lost, later, "unknown"]) == [lost]
    assert queue.rings()
    assert [job.id for job in queue.claim().jobs] == [lost, later]
    assert queue.counters()["healed"] == 1


def test_a_started_job_without_a_lease_comes_back(queue: Queue) -> None:
    """RQ3: stock clean-up deletes the last trace of an execution."""
    lost = queue.add()
    queue.claim()
    queue.redis.delete(keys.started("high"))
    assert queue.transitions.heal("high", [lost]) == [lost]
    assert queue.places(lost) == ["queued"]


def test_a_retry_that_was_never_scheduled_is_due(queue: Queue) -> None:
    """RQ4: the status is written before the set."""
    lost = queue.add(delay=60)
    queue.redis.delete(keys.scheduled("high"))
    assert queue.transitions.heal("high", [lost]) == [lost]
    assert queue.transitions.promote("high") == 1


def test_a_dead_letter_lost_in_a_requeue_is_one_again(queue: Queue) -> None:
    """RQ6: stock requeue removes, then pushes."""
    lost = queue.add()
    queue.transitions.fail("high", queue.claim().id, "w1", [Failure(lost, "boom", retry=False)])
    queue.redis.delete(keys.failed("high"))
    assert queue.transitions.heal("high", [lost]) == [lost]
    assert queue.places(lost) == ["failed"]


@pytest.mark.parametrize("near", [0, 1000])
def test_what_is_somewhere_is_left_there(
    queue: Queue, near: int, monkeypatch: pytest.MonkeyPatch, everything: Callable[[], dict[bytes, bytes]]
) -> None:
    monkeypatch.setattr(calls, "NEAR", near)
    transitions = queue.transitions
    set_limit(queue.redis, Limit("source", "slow", 1, 60))
    started = queue.add(source="slow")
    parked = queue.add(source="slow")
    queue.claim()
    dead = queue.add()
    transitions.fail("high", queue.claim().id, "w1", [Failure(dead, "boom", retry=False)])
    done = queue.add(result_ttl=60)
    transitions.complete("high", queue.claim().id, "w1", [done])
    queued, delayed, trashed, canceled = queue.add(), queue.add(delay=60), queue.add(), queue.add()
    transitions.discard("high", [trashed])
    transitions.cancel("high", [canceled])
    places = {
        started: ["started"],
        parked: ["queued"],
        dead: ["failed"],
        done: ["finished"],
        queued: ["queued"],
        delayed: ["scheduled"],
        trashed: ["trash"],
        canceled: ["canceled"],
        "unknown": [],
    }
    before = everything()
    assert transitions.where("high", list(places)) == places
    request = new_id()
    assert transitions.heal("high", list(places), request_id=request) == []
    queue.redis.delete(keys.request(request))
    assert everything() == before


def test_where_tells_a_job_that_is_twice(queue: Queue) -> None:
    job_id = queue.add()
    queue.redis.rpush(keys.queue("high"), job_id)
    queue.redis.zadd(keys.scheduled("high"), {job_id: 1})
    assert queue.transitions.where("high", [job_id]) == {job_id: ["queued", "queued", "scheduled"]}
