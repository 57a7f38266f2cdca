"""Counts, statistics, pauses and rate limits (B4, B14, B17, D7, E5)."""

import time
from typing import Any

import pytest
import redis

from ingest.client import Counts, Limit, Statistics
from ingest.queue import keys
from ingest.queue.transitions import new_id
from ingest.reading import counts as reading
from tests.ingest.client.conftest import WORKER, Worker


def nothing(worker: Worker, queue: str = "medium") -> bool:
    return worker.transitions.claim(WORKER, [queue], claim_id=new_id(), lease=30) is None


def every_state(face: Any, worker: Worker) -> None:
    """Of each place a different number of jobs."""
    face.enqueue_many([{"kind": "memo"}] * 1)
    worker.claim()  # runs
    face.enqueue_many([{"kind": "memo"}] * 2)
    worker.complete()
    worker.complete()
    face.enqueue_many([{"kind": "alert"}] * 3)
    worker.fail()
    face.enqueue("memo")
    worker.fail(retry=True)
    face.enqueue_many([{"kind": "memo", "delay_seconds": 60}] * 3)
    for receipt in face.enqueue_many([{"kind": "memo"}] * 5):
        face.remove(receipt.id)
    for receipt in face.enqueue_many([{"kind": "memo"}] * 6):
        face.cancel(receipt.id)
    face.enqueue_many([{"kind": "memo", "priority": "low"}] * 7)


def test_b14_counts_have_bullmqs_words_and_ours(face: Any, worker: Worker) -> None:
    every_state(face, worker)
    expected = Counts(waiting=7, active=1, completed=2, failed=3, delayed=4, paused=0, trash=5, canceled=6, results=2)
    assert face.counts() == expected
    assert face.counts().queued == 7
    assert face.counts("low") == Counts(7, 0, 0, 0, 0, 0, 0, 0, 0)


def test_jobs_of_a_paused_queue_are_paused(face: Any, worker: Worker) -> None:
    face.enqueue_many([{"kind": "memo"}] * 2 + [{"kind": "memo", "priority": "low"}] * 3)
    face.pause("low")
    counts = face.counts()
    assert (counts.waiting, counts.paused, counts.queued) == (2, 3, 5)
    face.pause()
    assert (face.counts().waiting, face.counts().paused) == (0, 5)


def test_what_a_rate_limit_holds_back_waits(face: Any, worker: Worker) -> None:
    face.set_rate_limit("kind", "memo", most=1, seconds=3600)
    face.enqueue_many([{"kind": "memo"}] * 4)
    worker.claim()
    assert nothing(worker)
    assert face.counts().waiting == 3


def test_tombstones_do_not_wait(face: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.queue.calls.NEAR", 0)
    first, _ = (face.enqueue("memo").id for _ in range(2))
    face.cancel(first)
    assert (face.counts().waiting, face.counts().canceled) == (1, 1)


def test_e5_statistics_of_all_and_of_a_kind(face: Any, worker: Worker) -> None:
    every_state(face, worker)
    assert face.statistics() == Statistics(
        pending=10, processing=1, retrying=1, completed=2, dead=3, total=17, success_rate=40.0
    )
    assert face.statistics("memo") == Statistics(
        pending=10, processing=1, retrying=1, completed=2, dead=0, total=14, success_rate=100.0
    )
    assert face.statistics("alert") == Statistics(
        pending=0, processing=0, retrying=0, completed=0, dead=3, total=3, success_rate=0.0
    )
    assert face.statistics("chore") == Statistics(0, 0, 0, 0, 0, 0, None)


def test_statistics_follow_a_job_through_all_places(face: Any, worker: Worker) -> None:
    def shown(kind: str | None) -> tuple[int, ...]:
        found = face.statistics(kind)
        return (found.pending, found.processing, found.retrying, found.completed, found.dead)

    job_id = face.enqueue("memo").id
    for expected, step in (
        ((1, 0, 0, 0, 0), lambda: worker.fail(retry=True)),
        ((0, 0, 1, 0, 0), lambda: face.run_now(job_id)),
        ((1, 0, 0, 0, 0), lambda: face.move(job_id, "low")),
        ((1, 0, 0, 0, 0), lambda: worker.fail("low")),
        ((0, 0, 0, 0, 1), lambda: face.remove(job_id)),
        ((0, 0, 0, 0, 0), lambda: face.restore(job_id)),
        ((0, 0, 0, 0, 1), lambda: face.retry(job_id, to="high")),
        ((1, 0, 0, 0, 0), lambda: worker.claim("high", lease=-1)),
        ((0, 1, 0, 0, 0), lambda: worker.transitions.recover("high")),
        ((1, 0, 0, 0, 0), lambda: worker.complete("high")),
        ((0, 0, 0, 1, 0), lambda: None),
    ):
        assert shown("memo") == shown(None) == expected
        step()
    assert face.statistics().success_rate == 100.0


def test_many_scheduled_jobs_are_estimated(face: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LOOKED_AT", 4)
    face.enqueue_many([{"kind": "memo"}] * 8)
    for _ in range(8):
        worker.fail(retry=True)
    assert face.statistics("memo").retrying == 8
    assert face.statistics("alert").retrying == 0


def test_b17_a_pause_holds_until_it_is_resumed(face: Any, worker: Worker) -> None:
    face.enqueue("memo")
    assert not face.is_paused()
    face.pause("medium")
    assert (face.is_paused("medium"), face.is_paused("low"), face.is_paused()) == (True, False, False)
    assert nothing(worker)
    assert face.resume("medium") is True
    assert face.resume("medium") is False
    worker.complete()


def test_the_pause_of_all_and_that_of_one_are_two_things(face: Any, worker: Worker) -> None:
    face.enqueue("memo")
    face.pause()
    face.pause("medium")
    assert face.is_paused()
    assert face.is_paused("low")
    assert face.resume()
    assert (face.is_paused(), face.is_paused("medium"), face.is_paused("low")) == (False, True, False)
    assert nothing(worker)


def test_a_pause_ends_by_itself(face: Any, worker: Worker) -> None:
    face.enqueue("memo")
    face.pause("medium", minutes=30)
    ends = worker.redis.zscore(keys.PAUSED, "medium")
    assert ends == pytest.approx(time.time() + 1800, abs=30)
    assert face.is_paused("medium")
    worker.redis.zadd(keys.PAUSED, {"medium": time.time() - 1})
    assert not face.is_paused("medium")
    worker.complete()


def test_b4_rate_limits_are_set_told_and_removed(face: Any, worker: Worker) -> None:
    face.set_rate_limit("kind", "memo", most=2, seconds=60)
    face.set_rate_limit("tenant", "*", most=100, seconds=1.5)
    assert face.rate_limits() == [Limit("kind", "memo", 2, 60.0), Limit("tenant", "*", 100, 1.5)]
    face.enqueue_many([{"kind": "alert"}] + [{"kind": "memo"}] * 3)
    for _ in range(3):
        worker.claim()
    assert nothing(worker)
    assert face.remove_rate_limit("kind", "memo") is True
    assert face.remove_rate_limit("kind", "memo") is False
    worker.claim()


def test_wrong_arguments_are_named(face: Any, empty_redis: redis.Redis) -> None:
    for call, sentence in (
        (lambda: face.counts("urgent"), "queue must be one of"),
        (lambda: face.statistics("poem"), "kind must be one of"),
        (lambda: face.pause("urgent"), "queue must be one of"),
        (lambda: face.pause(minutes=0), "minutes must be a number over 0, not 0"),
        (lambda: face.pause(minutes=float("inf")), "minutes must be a number over 0"),
        (lambda: face.resume("urgent"), "queue must be one of"),
        (lambda: face.is_paused("urgent"), "queue must be one of"),
        (lambda: face.set_rate_limit("colour", "red", most=1, seconds=1), "dimension must be one of kind, source"),
        (lambda: face.set_rate_limit("kind", "memo", most=0, seconds=1), "most must be at least 1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()
