"""Many jobs at once: retried, removed, cleared, brought back (B13-B19, C operational, D4, E4, E7)."""

import time
from typing import Any

import pytest
import redis

from ingest import client
from ingest.queue import keys
from ingest.queue.transitions import Transitions
from tests.conftest import Valkey
from tests.ingest.client.conftest import Worker


def dead(face: Any, worker: Worker, number: int = 1, *, reason: str = "error", **fields: Any) -> list[str]:
    """Dead letters."""
    events = [{"kind": "alert", "priority": "medium", **fields}] * number
    ids = [receipt.id for receipt in face.enqueue_many(events)]
    queue = events[0]["priority"]
    while worker.redis.llen(keys.queue(queue)):
        worker.fail(queue, reason=reason)
    return ids


def age(connection: redis.Redis, queue: str, ids: list[str], seconds: float) -> None:
    """Let them have failed so long ago."""
    at = time.time() - seconds
    connection.zadd(keys.failed(queue), {job_id: at + keys.SCORE_OFFSET for job_id in ids})


def test_b18_all_dead_letters_are_retried_with_all_their_retries(face: Any, worker: Worker) -> None:
    ids = dead(face, worker, 230) + dead(face, worker, 5, priority="low")
    assert face.retry_dead(by="anna") == 235
    counts = face.counts()
    assert (counts.queued, counts.failed) == (235, 0)
    assert worker.redis.hmget(keys.job(ids[0]), "retries_left", "moved_by") == [b"3", b"anna"]


def test_of_many_that_failed_at_one_instant_none_is_left_out(face: Any, worker: Worker) -> None:
    ids = dead(face, worker, 250)
    age(worker.redis, "medium", ids, 10)
    score = worker.redis.zscore(keys.failed("medium"), ids[0])
    worker.redis.zadd(keys.failed("medium"), dict.fromkeys(ids, score))
    dead(face, worker, 30, source="other")
    assert face.retry_dead(source="nobody") == 0
    assert face.retry_dead() == 280


@pytest.mark.parametrize(
    "chosen",
    [
        {"queue": "low"},
        {"kind": "memo"},
        {"source": "edge"},
        {"tenant": "acme"},
        {"reason": "timeout"},
        {"kind": "memo", "source": "edge"},
    ],
)
def test_dead_letters_are_chosen_by_what_is_known_of_them(face: Any, worker: Worker, chosen: dict[str, str]) -> None:
    dead(face, worker, 3)
    dead(face, worker, kind="memo", source="edge", tenant="acme", reason="timeout", priority="low")
    assert face.retry_dead(**chosen) == 1
    assert face.counts().failed == 3


def test_dead_letters_are_chosen_by_their_error(face: Any, worker: Worker) -> None:
    dead(face, worker, 2)
    assert face.retry_dead(error_type="KeyError") == 0
    assert face.retry_dead(error_type="ValueError") == 2


def test_poison_is_left_unless_asked_for(face: Any, worker: Worker) -> None:
    dead(face, worker, 2)
    dead(face, worker, 1, reason="poison")
    assert face.retry_dead() == 2
    assert face.counts().failed == 1
    assert face.retry_dead(include_poison=True) == 1
    dead(face, worker, 1, reason="poison")
    assert face.retry_dead(reason="poison") >= 1


def test_what_somebody_marked_permanent_is_left_unless_asked_for(face: Any, worker: Worker) -> None:
    Transitions(worker.redis).mark("medium", dead(face, worker, 2), permanent=True)
    dead(face, worker, 1, reason="poison")
    assert face.retry_dead(include_poison=True) == 1
    assert face.retry_dead() == 0
    assert face.retry_dead(include_permanent=True) == 2


def test_what_fails_again_meanwhile_stays_dead(face: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(face, worker, 120)
    requeue = Transitions.requeue

    def fails_at_once(self: Transitions, queue: str, ids: Any, **more: Any) -> list[str]:
        moved = requeue(self, queue, ids, **more)
        worker.fail(queue)
        return moved

    monkeypatch.setattr(Transitions, "requeue", fails_at_once)
    assert face.retry_dead() == 120
    assert face.counts().failed == 120


def test_b16_dead_letters_are_removed_by_age_and_can_be_restored(face: Any, worker: Worker) -> None:
    old, new = dead(face, worker, 3), dead(face, worker, 2)
    age(worker.redis, "medium", old, 8 * 86_400)
    assert face.remove_dead(older_than=7 * 86_400) == 3
    counts = face.counts()
    assert (counts.failed, counts.trash) == (2, 3)
    face.restore(old[0])
    assert face.remove_dead(kind="memo") == 0
    assert face.remove_dead() == 3
    assert {job.id for job in face.list_jobs("trash").items} == {*old, *new}


def test_b13_a_cleared_queue_is_in_the_trash_and_comes_back_in_its_order(face: Any, worker: Worker) -> None:
    receipts = face.enqueue_many([{"kind": "memo", "id": f"m{n}"} for n in range(250)])
    other = face.enqueue("alert", priority="low").id
    removed = face.enqueue("memo").id
    face.remove(removed)

    cleared = face.clear("medium", by="anna")
    assert (cleared.queue, cleared.jobs, cleared.by) == ("medium", 250, "anna")
    counts = face.counts()
    assert (counts.queued, counts.trash) == (1, 251)

    later = face.enqueue("memo").id
    face.restore(receipts[7].id)
    assert face.undo_clear(cleared) == 249
    waiting = [job_id.decode() for job_id in worker.redis.lrange(keys.queue("medium"), 0, -1)]
    back = [receipt.id for receipt in receipts if receipt is not receipts[7]]
    assert waiting[:2] == [later, receipts[7].id]
    assert waiting[2:] == back
    assert face.counts("low").queued == 1
    assert worker.redis.lrange(keys.queue("low"), 0, -1) == [other.encode()]
    assert [job.id for job in face.list_jobs("trash").items] == [removed]
    assert face.undo_clear(cleared) == 0


def test_a_cleared_queue_keeps_what_comes_meanwhile(face: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    face.enqueue_many([{"kind": "memo"}] * 120)
    empty = Transitions.empty
    came: list[str] = []

    def one_comes(self: Transitions, queue: str, **more: Any) -> Any:
        came.append(client.enqueue("memo").id)
        return empty(self, queue, **more)

    monkeypatch.setattr(Transitions, "empty", one_comes)
    assert face.clear("medium").jobs == 120
    assert [job.id for job in face.list_jobs("queued").items] == came


def test_e7_results_are_cleared_by_age(face: Any, worker: Worker) -> None:
    old, new = face.enqueue("memo").id, face.enqueue("memo").id
    worker.complete()
    worker.complete()
    worker.redis.hset(keys.job(old), "ended_at", "2026-01-02T03:04:05.000000Z")
    assert face.counts().results == 2
    assert face.clear_completed(older_than=86_400) == 1
    assert worker.redis.zrange(keys.finished("medium"), 0, -1) == [new.encode()]
    assert face.clear_completed(queue="low") == 0
    worker.redis.hset(keys.job(new), "ended_at", "2026-01-02T03:04:05.000000Z")
    assert face.clear_completed(queue="medium") == 1
    counts = face.counts()
    assert (counts.results, counts.completed) == (0, 2)


def test_wrong_arguments_are_named(face: Any, empty_redis: redis.Redis) -> None:
    for call, sentence in (
        (lambda: face.retry_dead(queue="urgent"), "queue must be one of"),
        (lambda: face.retry_dead(kind="poem"), "kind must be one of"),
        (lambda: face.remove_dead(older_than=-1), "older_than must be a number of seconds from 0 on, not -1"),
        (lambda: face.clear_completed(float("nan")), "older_than must be"),
        (lambda: face.clear("urgent"), "queue must be one of"),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()


def test_without_redis_whoever_clears_is_told(face: Any, mortal: Valkey) -> None:
    mortal.kill()
    with pytest.raises(client.Unavailable) as refused:
        face.clear("medium")
    assert refused.value.unknown
