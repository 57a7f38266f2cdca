"""fail: started → retry or dead letter; requeue: dead letter → queue; promote; release."""

from collections.abc import Callable

import pytest
from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer

from ingest.queue import calls, keys
from ingest.queue.transitions import Failure, new_id
from tests.conftest import wait_until
from tests.ingest.queue.conftest import Queue

LONG = "Traceback (most recent call last):\n" + "  a line of it\n" * 100 + "ValueError: boom \ud800\n"


def fail(queue: Queue, job_id: str, **more: object) -> str:
    claim = queue.claim()
    assert [job.id for job in claim.jobs] == [job_id]
    failure = Failure(job_id, LONG, error_type="ValueError", message="boom \ud800", **more)  # type: ignore[arg-type]
    return queue.transitions.fail("high", claim.id, "w1", [failure])[job_id]


def test_a_failed_job_is_scheduled_for_its_retry(queue: Queue) -> None:
    job_id = queue.add(retry_delays=(1, 5, 25))
    assert fail(queue, job_id) == "retry"
    assert queue.places(job_id) == ["scheduled"]
    found = queue.hash(job_id)
    assert {
        "status": "scheduled",
        "retries_left": "2",
        "attempts": "1",
        "reason": "error",
        "error_type": "ValueError",
        "error_message": "boom \\ud800",
    }.items() <= found.items()
    due = queue.redis.zscore(keys.scheduled("high"), job_id)
    clock = queue.redis.time()
    assert 0 < due - (clock[0] + clock[1] / 1e6) <= 1.1, "±10 %"
    assert queue.counters() == {"enqueued": 1, "claimed": 1, "retried": 1}


def test_every_retry_has_its_own_delay_and_then_comes_the_dead_letter(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "jitter", lambda: 1.0)
    job_id = queue.add(retry_delays=(100, 500, 0))
    waits = []
    for _ in range(2):
        assert fail(queue, job_id) == "retry"
        waits.append(round((queue.redis.zscore(keys.scheduled("high"), job_id) - queue.redis.time()[0]) / 10) * 10)
        queue.redis.zadd(keys.scheduled("high"), {job_id: 1})
        assert queue.transitions.promote("high") == 1
    assert waits == [100, 500]
    queue.rings()
    assert fail(queue, job_id) == "retry"
    assert queue.places(job_id) == ["queued"], "a delay of 0 is a retry at once"
    assert queue.rings()
    assert fail(queue, job_id) == "dead"
    assert queue.places(job_id) == ["failed"]
    assert queue.hash(job_id)["attempts"] == "4"


def test_a_dead_letter_never_expires_and_says_why(queue: Queue) -> None:
    """A8; RQ16: reading the registry the stock way must not delete it."""
    job_id = queue.add()
    queue.redis.hset(keys.worker("w1"), "birth", "x")
    assert fail(queue, job_id, retry=False, reason="permanent") == "dead"
    found = queue.hash(job_id)
    assert (found["status"], found["reason"], found["error_type"]) == ("failed", "permanent", "ValueError")
    assert queue.redis.ttl(keys.job(job_id)) == -1
    score = queue.redis.zscore(keys.failed("high"), job_id)
    assert abs(score - keys.SCORE_OFFSET - queue.redis.time()[0]) < 5
    job = Job.fetch(job_id, connection=queue.redis, serializer=JSONSerializer)
    latest = job.latest_result()
    assert latest is not None
    assert latest.type == Result.Type.FAILED
    assert latest.exc_string == LONG.replace("\ud800", "\\ud800")
    assert job.failed_job_registry.count == 1
    assert queue.places(job_id) == ["failed"]
    assert queue.counters() == {"enqueued": 1, "claimed": 1, "dead": 1}
    assert queue.redis.hget(keys.worker("w1"), "failed_job_count") == b"1"


def test_a_dead_letter_of_a_stock_client_loses_its_time_to_live(queue: Queue) -> None:
    job_id = queue.add(retry_delays=())
    claim = queue.claim()
    queue.redis.expire(keys.job(job_id), 100)
    queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")])
    assert queue.redis.ttl(keys.job(job_id)) == -1


def test_a_late_failure_is_refused(queue: Queue) -> None:
    job_id = queue.add()
    late = queue.lapsed()
    queue.transitions.recover("high")
    assert queue.transitions.fail("high", late.id, "w1", [Failure(job_id, "boom")]) == {job_id: "refused"}
    assert queue.places(job_id) == ["queued"]


def test_a_worker_that_lost_its_job_to_another_can_do_nothing_to_it(queue: Queue) -> None:
    job_id = queue.add()
    late = queue.lapsed()
    queue.transitions.recover("high")
    current = queue.claim(worker="w2")
    assert queue.transitions.fail("high", late.id, "w1", [Failure(job_id, "boom")]) == {job_id: "refused"}
    assert queue.transitions.release("high", late.id, [job_id]) == 0
    assert queue.transitions.renew(30, [("high", job_id, late.id)]) == [("high", job_id, late.id)]
    assert queue.places(job_id) == ["started"]
    assert queue.transitions.complete("high", current.id, "w2", [job_id]) == []


def test_what_a_stock_client_canceled_meanwhile_stays_canceled(queue: Queue) -> None:
    ids = [queue.add(), queue.add()]
    claim = queue.claim()
    for job_id in ids:
        queue.redis.hset(keys.job(job_id), "status", "canceled")
    assert queue.transitions.fail("high", claim.id, "w1", [Failure(ids[0], "boom")]) == {ids[0]: "refused"}
    assert queue.transitions.release("high", claim.id, ids[1:]) == 0
    assert [queue.places(job_id) for job_id in ids] == [[], []]
    assert queue.counters()["phantom"] == 2


def test_fail_sent_again_counts_one_attempt(queue: Queue, everything: Callable[[], dict[bytes, bytes]]) -> None:
    job_id = queue.add()
    claim, request = queue.claim(), new_id()
    first = queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")], request_id=request)
    before = everything()
    assert queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")], request_id=request) == first
    assert everything() == before


def test_requeue_gives_all_retries_back_and_keeps_the_count_of_executions(queue: Queue) -> None:
    """D4; RQ32: stock gives one attempt. RQ6, RQ18: one atomic move, so of two operators one wins."""
    job_id = queue.add(retry_delays=(0, 0))
    for _ in range(3):
        fail(queue, job_id)
    assert queue.places(job_id) == ["failed"]
    queue.rings()
    assert queue.transitions.requeue("high", [job_id, "stranger"]) == [job_id]
    assert queue.transitions.requeue("high", [job_id]) == []
    assert queue.places(job_id) == ["queued"]
    assert queue.rings()
    found = queue.hash(job_id)
    assert (found["status"], found["retries_left"], found["attempts"]) == ("queued", "2", "3")
    assert {"reason", "error_type", "error_message", "exc_info", "worker_name", "ended_at"}.isdisjoint(found)
    assert queue.counters()["requeued"] == 1


def test_requeue_sent_again_says_what_it_moved(queue: Queue, everything: Callable[[], dict[bytes, bytes]]) -> None:
    job_id = queue.add(retry_delays=())
    assert fail(queue, job_id) == "dead"
    request = new_id()
    assert queue.transitions.requeue("high", [job_id], request_id=request) == [job_id]
    before = everything()
    assert queue.transitions.requeue("high", [job_id], request_id=request) == [job_id]
    assert everything() == before


def test_a_requeued_dead_letter_has_no_time_to_live(queue: Queue) -> None:
    """RQ7: a stock failure's time to live must not run on in the queue."""
    job_id = queue.add(retry_delays=())
    fail(queue, job_id)
    queue.redis.expire(keys.job(job_id), 100)
    queue.transitions.requeue("high", [job_id])
    assert queue.redis.ttl(keys.job(job_id)) == -1


def test_promote_moves_what_is_due_and_nothing_else(queue: Queue) -> None:
    due, later = queue.add(delay=0.001), queue.add(delay=60)
    wait_until(lambda: queue.transitions.promote("high") == 1, what="the due job's promotion")
    assert (queue.places(due), queue.places(later)) == (["queued"], ["scheduled"])
    assert queue.hash(due)["status"] == "queued"
    assert queue.rings()
    assert queue.counters() == {"enqueued": 2, "promoted": 1}


def test_promote_drops_what_a_stock_client_deleted(queue: Queue) -> None:
    queue.redis.zadd(keys.scheduled("high"), {"gone": 1})
    assert queue.transitions.promote("high") == 0
    assert queue.counters() == {"phantom": 1}


def test_release_puts_jobs_back_in_order_without_an_attempt(queue: Queue) -> None:
    """E10."""
    ids = [queue.add() for _ in range(150)]
    last = queue.add()
    first, second = queue.claim(), queue.claim(limit=50)
    queue.rings()
    assert queue.transitions.release("high", second.id, [job.id for job in second.jobs]) == 50
    assert queue.transitions.release("high", first.id, [job.id for job in first.jobs]) == 100
    assert queue.rings()
    assert [i.decode() for i in queue.redis.lrange(keys.queue("high"), 0, -1)] == [*ids, last]
    again = queue.claim()
    assert all((job.attempts, job.crashes, job.alone) == (0, 0, False) for job in again.jobs)
    assert queue.counters()["released"] == 150


def test_a_late_release_does_nothing(queue: Queue) -> None:
    job_id = queue.add()
    late = queue.lapsed()
    queue.transitions.recover("high")
    assert queue.transitions.release("high", late.id, [job_id]) == 0
    assert queue.places(job_id) == ["queued"]
