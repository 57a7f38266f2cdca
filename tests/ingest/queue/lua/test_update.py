"""Update: another event under the same id, only before its next execution (D12)."""

from collections.abc import Callable

import pytest

from ingest.queue import keys
from ingest.queue.transitions import Failure, new_id
from tests.ingest.queue.conftest import Queue


def waiting_job(queue: Queue) -> str:
    return queue.add(body_hash="one", marker_seconds=60)


def delayed_job(queue: Queue) -> str:
    return queue.add(body_hash="one", marker_seconds=60, delay=60)


def failing_job(queue: Queue, *, retry: bool) -> str:
    job_id = queue.add(body_hash="one", marker_seconds=60, retry_delays=(60,))
    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom", retry=retry)])
    return job_id


MAY = {
    "queued": waiting_job,
    "scheduled": delayed_job,
    "retrying": lambda queue: failing_job(queue, retry=True),
    "failed": lambda queue: failing_job(queue, retry=False),
}


def started_job(queue: Queue) -> str:
    job_id = waiting_job(queue)
    queue.claim()
    return job_id


def finished_job(queue: Queue) -> str:
    job_id = queue.add(body_hash="one", result_ttl=60)
    queue.transitions.complete("high", queue.claim().id, "w1", [job_id])
    return job_id


def discarded_job(queue: Queue) -> str:
    job_id = waiting_job(queue)
    queue.transitions.discard("high", [job_id])
    return job_id


def canceled_job(queue: Queue) -> str:
    job_id = waiting_job(queue)
    queue.transitions.cancel("high", [job_id])
    return job_id


MUST_NOT = {"started": started_job, "finished": finished_job, "trash": discarded_job, "canceled": canceled_job}


@pytest.mark.parametrize("state", MAY)
def test_the_event_is_replaced_and_the_job_stays_where_it_is(queue: Queue, state: str) -> None:
    job_id = MAY[state](queue)
    places, before = queue.places(job_id), queue.hash(job_id)

    assert queue.transitions.update(job_id, data=b"new", body_hash="two") == (True, state)

    assert queue.places(job_id) == places
    assert queue.hash(job_id) == before | {"data": "new", "body_hash": "two"}
    assert queue.redis.get(keys.marker(job_id)) == b"two"
    assert 0 < queue.redis.ttl(keys.marker(job_id)) <= 60


@pytest.mark.parametrize("state", MUST_NOT)
def test_what_runs_or_is_over_stays_as_it_is(
    queue: Queue, state: str, everything: Callable[[], dict[bytes, bytes]]
) -> None:
    job_id = MUST_NOT[state](queue)
    before, request = everything(), new_id()

    assert queue.transitions.update(job_id, data=b"new", body_hash="two", request_id=request) == (False, state)

    queue.redis.delete(keys.request(request))
    assert everything() == before


def test_an_unknown_id_has_no_state(queue: Queue) -> None:
    assert queue.transitions.update("nobody", data=b"new", body_hash="two") == (False, "")
    assert not queue.redis.exists(keys.job("nobody"))


def test_a_job_without_a_clients_id_gets_no_marker(queue: Queue) -> None:
    job_id = queue.add()
    assert queue.transitions.update(job_id, data=b"new", body_hash="two") == (True, "queued")
    assert "body_hash" not in queue.hash(job_id)
    assert not queue.redis.exists(keys.marker(job_id))


def test_a_stock_clients_job_is_left_alone(queue: Queue) -> None:
    queue.redis.hset(keys.job("stock"), mapping={"status": "queued", "data": "theirs"})
    assert queue.transitions.update("stock", data=b"new", body_hash="two") == (False, "queued")
    assert queue.hash("stock")["data"] == "theirs"


def test_sent_twice_it_is_done_once(queue: Queue) -> None:
    job_id, request = waiting_job(queue), new_id()
    first = queue.transitions.update(job_id, data=b"new", body_hash="two", request_id=request)
    queue.transitions.update(job_id, data=b"newer", body_hash="three")
    assert queue.transitions.update(job_id, data=b"new", body_hash="two", request_id=request) == first
    assert queue.hash(job_id)["data"] == "newer"
