"""Into the trash, out of it and gone, against a real Valkey and database."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from ingest.queue import keys
from ingest.queue.transitions import Emptied
from queueadmin.console import operations
from queueadmin.console.models import AuditEntry
from queueadmin.console.operations import removals
from tests.console.conftest import Jobs, outcome

pytestmark = pytest.mark.django_db


def test_what_was_discarded_comes_back_to_where_it_was(jobs: Jobs, empty_redis: redis.Redis) -> None:
    (dead,) = jobs.fail(queue="low")
    (waiting,) = jobs.enqueue()
    died_at = empty_redis.zscore(keys.failed("low"), dead)
    result = operations.discard([dead, waiting], actor="ada")
    assert result.sentence == "2 jobs moved to the trash, kept for 24 h."
    assert (empty_redis.zcard(keys.trash("low")), empty_redis.zcard(keys.trash("high"))) == (1, 1)
    again = operations.discard([dead], actor="bob")
    assert (again.already[dead].state, again.already[dead].moved_by) == ("trash", "ada")
    assert operations.restore([dead, waiting], actor="ada").sentence == "2 jobs restored."
    assert empty_redis.zscore(keys.failed("low"), dead) == died_at
    assert empty_redis.lrange(keys.queue("high"), 0, -1) == [waiting.encode()]
    assert (outcome().action, outcome().count) == ("restore", 2)


def test_only_the_trash_is_purged(jobs: Jobs, empty_redis: redis.Redis) -> None:
    dead, kept = jobs.fail(2)
    operations.discard([dead], actor="ada")
    with pytest.raises(operations.ReasonNeeded, match="deleted for good needs a reason"):
        operations.purge([dead], actor="ada")
    result = operations.purge([dead, kept], actor="ada", reason="device was sold")
    assert outcome().reason == "device was sold"
    assert result.moved == (dead,)
    assert result.already[kept].state == "failed"
    assert not empty_redis.exists(keys.job(dead))


def test_emptying_leaves_what_came_after_the_press(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen at the moment of pressing: an event that is accepted meanwhile is not lost in the trash."""
    jobs.enqueue(250)
    jobs.enqueue(5, queue="low")
    late: list[str] = []
    chunk = removals.Transitions.empty

    def empty_and_accept(self: removals.Transitions, queue: str, **more: Any) -> Emptied:
        late.extend(jobs.enqueue())
        return chunk(self, queue, **more)

    monkeypatch.setattr(removals.Transitions, "empty", empty_and_accept)
    result = operations.empty("high", actor="ada", reason="flood of a test")
    assert result.moved == 250
    assert result.sentence == "250 jobs of high moved to the trash, kept for 24 h."
    assert [member.decode() for member in empty_redis.lrange(keys.queue("high"), 0, -1)] == late
    assert empty_redis.llen(keys.queue("low")) == 5
    assert (outcome().action, outcome().target, outcome().count) == ("empty", "high", 250)


def test_more_than_100_jobs_are_not_emptied_without_a_reason(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(101)
    with pytest.raises(operations.ReasonNeeded, match="101 jobs would be removed; over 100 need a reason"):
        operations.empty("high", actor="ada", reason=" ")
    assert not AuditEntry.objects.exists()
    assert empty_redis.llen(keys.queue("high")) == 101
    operations.cancel(jobs_of(empty_redis)[:1], actor="ada")
    assert operations.empty("high", actor="ada").moved == 100


def jobs_of(client: redis.Redis) -> list[str]:
    return [member.decode() for member in client.lrange(keys.queue("high"), 0, -1)]


def test_emptying_an_empty_queue_says_so(empty_redis: redis.Redis) -> None:
    assert operations.empty("high", actor="ada").sentence == "No job waited in high; nothing was changed."
    with pytest.raises(ValueError, match="critical, high, medium, low"):
        operations.empty("urgent", actor="ada")


def test_the_audit_log_keeps_what_an_outage_in_the_middle_had_done(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = jobs.fail(150)
    discard = removals.Transitions.discard
    called: list[datetime] = []

    def once(self: removals.Transitions, queue: str, ids: list[str], **more: Any) -> list[str]:
        if called:
            raise redis.ConnectionError("gone")
        called.append(datetime.now(UTC))
        return discard(self, queue, ids, **more)

    monkeypatch.setattr(removals.Transitions, "discard", once)
    with pytest.raises(redis.ConnectionError):
        operations.discard(ids, actor="ada", reason="a test")
    assert outcome().count == 100
    assert outcome().outcome.startswith("100 jobs moved to the trash, kept for 24 h. Then it failed: ConnectionError")
