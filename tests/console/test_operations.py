"""What operators do, against a real Valkey and database."""

import pytest
import redis

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.models import AuditEntry
from tests.console.conftest import WORKER, Jobs

pytestmark = pytest.mark.django_db


def _outcome() -> AuditEntry:
    return AuditEntry.objects.filter(step="outcome").latest("id")


def test_a10_only_lapsed_leases_are_taken_back(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(5)
    jobs.start(limit=3, lease=-1)
    stalled = jobs.claimed
    jobs.start(limit=1, lease=30)
    result = operations.recover_stalled(actor="ada")
    assert (result.total, dict(result.requeued), result.dead) == (3, {"high": 3}, 0)
    assert result.sentence == "3 jobs taken back to the front of high."
    assert [member.decode() for member in empty_redis.lrange(keys.queue("high"), 0, 2)] == stalled
    assert empty_redis.zcard(keys.started("high")) == 1
    assert (_outcome().actor, _outcome().action, _outcome().count) == ("ada", "recover_stalled", 3)


def test_recovering_more_than_one_call_takes(jobs: Jobs) -> None:
    jobs.enqueue(250)
    for _ in range(3):
        jobs.start(limit=100, lease=-1)
    assert operations.recover_stalled(actor="ada").total == 250


def test_a10_live_work_only_when_it_is_older_than_asked(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(2)
    jobs.start(limit=2, lease=600)
    empty_redis.hset(keys.job(jobs.claimed[0]), "started_at", "2026-01-01T00:00:00.000000Z")
    assert operations.recover_stalled(actor="ada").total == 0
    assert operations.recover_stalled(actor="ada", older_than=3600).total == 1


def test_nothing_stalled_says_so(empty_redis: redis.Redis) -> None:
    result = operations.recover_stalled(actor="ada")
    assert (result.total, result.sentence) == (0, "No job was stalled; nothing was changed.")


def test_d4_a_dead_letter_goes_back_with_its_retries(jobs: Jobs, empty_redis: redis.Redis) -> None:
    (job_id,) = jobs.fail()
    result = operations.retry([job_id], actor="ada", reason="fixed")
    assert (result.moved, dict(result.already)) == ((job_id,), {})
    assert result.sentence == "1 job put back into the queue."
    assert empty_redis.lrange(keys.queue("high"), 0, -1) == [job_id.encode()]
    entry = _outcome()
    assert (entry.target, entry.reason, entry.count) == (job_id, "fixed", 1)


def test_retry_says_what_had_moved_already(jobs: Jobs) -> None:
    dead = jobs.fail(2)
    (waiting,) = jobs.enqueue()
    result = operations.retry([*dead, waiting, "unknown", dead[0]], actor="ada")
    assert set(result.moved) == set(dead)
    assert dict(result.already) == {waiting: "queued", "unknown": "gone"}
    assert result.sentence == "2 jobs put back into the queue; 2 jobs had moved already (gone, queued)."


def test_a_second_retry_moves_nothing(jobs: Jobs) -> None:
    ids = jobs.fail(3)
    operations.retry(ids, actor="ada")
    again = operations.retry(ids, actor="bob")
    assert not again.moved
    assert set(again.already.values()) == {"queued"}
    assert _outcome().count == 0


def test_b17_retry_all_of_every_queue(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(230, queue="high")
    jobs.fail(20, queue="low")
    result = operations.retry_all(actor="ada")
    assert (result.moved, result.poison) == (250, 0)
    assert result.sentence == "250 jobs put back into the queue."
    assert empty_redis.llen(keys.queue("high")) == 230
    assert (_outcome().action, _outcome().target, _outcome().count) == ("retry_all", "all", 250)


def test_retry_all_of_one_queue_leaves_the_others(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3, queue="high")
    jobs.fail(2, queue="low")
    assert operations.retry_all(actor="ada", queue="low").moved == 2
    assert empty_redis.zcard(keys.failed("high")) == 3


def test_retry_all_leaves_poison_unless_asked(jobs: Jobs) -> None:
    jobs.fail(150, reason="poison")
    jobs.fail(150)
    result = operations.retry_all(actor="ada")
    assert (result.moved, result.poison) == (150, 150)
    assert "left" in result.sentence
    assert operations.retry_all(actor="ada", include_poison=True).moved == 150


def test_retry_all_is_frozen_at_the_press(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis
) -> None:
    """A job that fails again while the rest is still being put back stays dead."""
    jobs.fail(150)
    requeue = operations.Transitions.requeue

    def requeue_and_fail_again(self: operations.Transitions, name: str, ids: list[str]) -> list[str]:
        moved = requeue(self, name, ids)
        claim = jobs.start(limit=1)
        jobs.transitions.fail("high", claim, WORKER, [jobs.failure(jobs.claimed[0])])
        return moved

    monkeypatch.setattr(operations.Transitions, "requeue", requeue_and_fail_again)
    assert operations.retry_all(actor="ada").moved == 150
    assert empty_redis.zcard(keys.failed("high")) == 2


def test_retry_all_takes_what_stock_workers_left(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """Their score is -1, or when the entry expires."""
    ids = jobs.fail(3)
    empty_redis.zadd(keys.failed("high"), {ids[0]: -1, ids[1]: 1_900_000_000})
    assert operations.retry_all(actor="ada").moved == 3


def test_retry_all_drops_entries_without_a_job(jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(120)
    empty_redis.delete(*(keys.job(job_id) for job_id in ids[:110]))
    assert operations.retry_all(actor="ada").moved == 10


def test_retry_all_of_an_unknown_queue_names_the_four(empty_redis: redis.Redis) -> None:
    with pytest.raises(ValueError, match="critical, high, medium, low"):
        operations.retry_all(actor="ada", queue="urgent")


def test_a_test_event_goes_through_the_one_door(empty_redis: redis.Redis) -> None:
    sent = operations.send_test_event(actor="ada")
    assert sent.queue == "low"
    assert empty_redis.lrange(keys.queue("low"), 0, -1) == [sent.id.encode()]
    assert _outcome().outcome == f"Test event {sent.id} accepted into low."


@pytest.mark.usefixtures("no_redis")
def test_without_redis_it_raises_and_the_log_says_it_failed() -> None:
    with pytest.raises(redis.RedisError):
        operations.recover_stalled(actor="ada")
    assert _outcome().outcome.startswith("failed: ConnectionError")
