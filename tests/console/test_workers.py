"""Who works, as Redis knows it: what each is doing, holds, and can be told."""

from typing import Any

import pytest
import redis

from ingest.queue import keys
from ingest.queue.transitions import new_id
from queueadmin.console import workers
from queueadmin.console.figures import counts, metrics
from queueadmin.console.workers import Worker
from tests.console.conftest import Jobs, worker


def ours(client: redis.Redis, name: str, **fields: Any) -> Worker:
    """One of ours, as it is read."""
    worker(client, name, **{"held": 0, "hostname": "node-a", "pid": 4121, "supervisor": "supervisor", **fields})
    found = workers.find(client, name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("fields", "state", "verbs"),
    [
        ({}, "idle", ("drain", "restart", "kill")),
        ({"state": "busy"}, "busy", ("drain", "restart", "kill")),
        ({"supervisor": ""}, "idle", ("drain", "kill")),
        ({"state": "busy", "order": "drain"}, "draining", ("resume", "restart", "kill")),
        ({"state": "suspended", "order": "drain"}, "drained", ("resume", "restart", "kill")),
        ({"state": "busy", "order": "restart"}, "restarting", ("kill",)),
        ({"state": "suspended"}, "suspended", ("drain", "restart", "kill")),
        ({"silent": 31}, "lost", ("kill",)),
        ({"silent": 31, "order": "kill"}, "killed", ()),
    ],
)
def test_what_it_does_and_what_it_can_be_told(
    empty_redis: redis.Redis, fields: dict[str, Any], state: str, verbs: tuple[str, ...]
) -> None:
    found = ours(empty_redis, "w", **fields)
    assert (found.state, found.verbs) == (state, verbs)


def test_rq_s_own_worker_shows_what_it_tells_and_can_only_be_killed(empty_redis: redis.Redis) -> None:
    worker(empty_redis, "stock", hostname="node-b", pid=7, successful_job_count=3, failed_job_count=1, silent=400)
    found = workers.find(empty_redis, "stock")
    assert found is not None
    assert (found.ours, found.state, found.verbs) == (False, "idle", ("kill",))
    assert (found.processed, found.failed, found.memory, found.cpu) == (3, 1, None, None)


def test_what_each_holds_and_until_when(empty_redis: redis.Redis, jobs: Jobs) -> None:
    jobs.enqueue(5)
    jobs.enqueue(2, queue="low")
    for name, queue, lease in (("w1", "high", 30), ("w2", "low", -5)):
        ours(empty_redis, name)
        assert jobs.transitions.claim(name, [queue], claim_id=new_id(), limit=10, lease=lease)
    found = workers.read(empty_redis)
    first, second = found.items
    assert (first.name, first.state, first.held.count, first.held.words) == ("w1", "busy", 5, "5 alerts")
    assert first.held.lease is not None
    assert 20 < first.held.lease <= 30
    assert first.held.since is not None
    assert second.held.lease is not None
    assert second.held.overdue >= 5
    assert [each.name for each in found.lost] == ["w2"]
    assert not found.more


def test_more_than_are_looked_at(empty_redis: redis.Redis, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LOOKED_AT", 3)
    ours(empty_redis, "w")
    jobs.enqueue(5)
    jobs.transitions.claim("w", ["high"], claim_id=new_id(), limit=10, lease=30)
    found = workers.read(empty_redis)
    assert (found.items[0].held.count, found.more) == (3, True)


def test_a_worker_whose_hash_is_gone_is_none(empty_redis: redis.Redis) -> None:
    empty_redis.sadd(keys.WORKERS, keys.worker("gone"))
    assert workers.read(empty_redis).items == []


@pytest.mark.django_db
def test_a_queue_whose_only_worker_is_drained_has_none(empty_redis: redis.Redis) -> None:
    ours(empty_redis, "w", order="drain", state="suspended")
    snapshot = metrics.snapshot()
    assert [(q.workers, q.drained) for q in snapshot.queues] == [(0, 1)] * 4
    assert any(reason.startswith("No worker serves critical") for reason in snapshot.verdict.reasons)
    ours(empty_redis, "other", queues="critical,high")
    metrics.forget()
    assert [q.workers for q in metrics.snapshot().queues] == [1, 1, 0, 0]


def test_one_that_was_killed_serves_nothing(empty_redis: redis.Redis) -> None:
    ours(empty_redis, "w", order="kill")
    assert counts.read(empty_redis).workers.total == 0


def test_what_it_holds_is_said_by_kind_and_type() -> None:
    held = workers.Held({"alert": 48, "task:export": 1, "point:live": 2, "": 1})
    assert held.words == "48 alerts, 1 task (export), 2 points (live) and 1 job"
