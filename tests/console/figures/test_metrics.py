"""The snapshot against a real Valkey, with jobs made by the scripts."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.client import Pipeline

from ingest.queue import keys, limits
from ingest.queue.calls import NEAR
from ingest.queue.connections import connection
from queueadmin.console.figures import counts, history, metrics
from queueadmin.console.figures.snapshot import QueueState, Snapshot
from tests.console.conftest import WORKER, Jobs, worker
from tests.ingest.queue.conftest import make_job

pytestmark = pytest.mark.django_db

SAMPLE = Path(__file__).parents[1] / "samples" / "snapshot.json"


def _queue(snapshot: Snapshot, name: str = "high") -> QueueState:
    return next(q for q in snapshot.queues if q.name == name)


def test_a9_counts_add_up_in_every_state(jobs: Jobs) -> None:
    jobs.enqueue(10)
    claim = jobs.start(limit=6)
    first, second, third, *_ = jobs.claimed
    jobs.transitions.complete("high", claim, "w", [first])
    jobs.transitions.fail("high", claim, "w", [jobs.failure(second)])
    snapshot = metrics.snapshot()
    high = _queue(snapshot)
    assert (high.enqueued, high.claimed, high.completed, high.dead) == (10, 6, 1, 1)
    assert (high.depth, high.started, high.scheduled, high.failed, high.stalled) == (4, 4, 0, 1, 0)
    assert high.enqueued == high.depth + high.started + high.scheduled + high.failed + high.completed
    totals = snapshot.totals
    assert (totals.enqueued, totals.dequeued, totals.processed, totals.failures) == (10, 6, 1, 1)
    assert third


def test_a9_the_sums_hold_after_all_that_operators_can_do(jobs: Jobs, empty_redis: redis.Redis) -> None:
    move = jobs.transitions
    waiting = jobs.enqueue(20)
    dead = jobs.fail(4, queue="low")
    claim = jobs.start(limit=3)
    move.complete("high", claim, WORKER, jobs.claimed[:1])
    move.discard("high", waiting[3:7])
    move.restore("high", waiting[3:4])
    move.purge("high", waiting[4:5])
    move.cancel("high", waiting[7:9])
    move.move("high", waiting[9:11], to="low")
    move.discard("low", dead[:2])
    move.restore("low", dead[:1])
    move.requeue("low", dead[2:3])
    move.requeue("low", dead[3:], to="medium")
    snapshot = metrics.snapshot()
    for q in snapshot.queues:
        assert q.enqueued + q.moved_in == (
            q.depth + q.scheduled + q.started + q.failed + q.trash + q.completed + q.purged + q.canceled + q.moved_out
        ), q
        assert q.trash == q.trashed + q.dropped - q.restored - q.purged
        assert q.failed == q.dead - q.requeued + q.returned - q.trashed_failed + q.restored_failed
    high, low = _queue(snapshot), _queue(snapshot, "low")
    assert (high.trash, high.canceled, high.purged, high.moved_out, high.started) == (2, 2, 1, 2, 2)
    assert (low.depth, low.moved_in, low.trash, low.failed) == (3, 2, 1, 1)
    assert (snapshot.totals.trash, snapshot.totals.depth) == (3, high.depth + 4)


def test_waiting_leaves_out_the_tombstones_and_their_wait(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """In a long list a discarded job's id stays; what is shown is what waits."""
    first, *rest = jobs.enqueue(NEAR + 50)
    empty_redis.hset(keys.job(first), "enqueued_at", "2026-01-01T00:00:00.000000Z")
    assert _queue(metrics.snapshot()).oldest_wait > 1000
    jobs.transitions.discard("high", [first])
    assert empty_redis.scard(keys.tombstones("high")) == 1
    high = _queue(metrics.snapshot())
    assert (high.depth, high.trash) == (len(rest), 1)
    assert high.oldest_wait < 1000


def test_b4_what_a_rate_limit_holds_back_waits_and_is_told_apart(jobs: Jobs, empty_redis: redis.Redis) -> None:
    limits.set_limit(empty_redis, limits.Limit("source", "test", 2, 600))
    jobs.enqueue(5)
    jobs.start()
    snapshot = metrics.snapshot()
    high = _queue(snapshot)
    assert (high.depth, high.parked, high.started, high.oldest_wait) == (3, 3, 2, 0)
    assert snapshot.totals.parked == 3


def test_a_pause_of_its_own_and_one_of_all(jobs: Jobs, empty_redis: redis.Redis) -> None:
    now = empty_redis.time()[0]
    jobs.transitions.pause("high", until=now + 600)
    jobs.transitions.pause("low")
    jobs.transitions.pause("medium", until=now - 1)
    snapshot = metrics.snapshot()
    high, low, medium = (_queue(snapshot, name) for name in ("high", "low", "medium"))
    assert (high.paused, high.paused_until, high.paused_itself) == (True, now + 600, True)
    assert (low.paused, low.paused_until) == (True, None)
    assert (medium.paused, snapshot.paused_all) == (False, False)
    jobs.transitions.pause(None, until=now + 1200)
    snapshot = metrics.snapshot()
    assert snapshot.paused_all
    high, critical = _queue(snapshot), _queue(snapshot, "critical")
    assert (high.paused_until, high.paused_itself) == (now + 1200, True)
    assert (critical.paused, critical.paused_until, critical.paused_itself) == (True, now + 1200, False)


def test_d12_a_queue_that_higher_ones_keep_waiting_is_starved(jobs: Jobs, empty_redis: redis.Redis) -> None:
    worker(empty_redis, "one", held=3, state="busy")
    (job_id,) = jobs.enqueue(1, queue="low")
    jobs.enqueue(1, queue="high")
    jobs.start(queue="high")
    assert _queue(metrics.snapshot(), "low").starved_for == 0
    long_ago = datetime.fromtimestamp(empty_redis.time()[0] - 720, UTC)
    empty_redis.hset(keys.job(job_id), "enqueued_at", long_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    snapshot = metrics.snapshot()
    assert 720 <= _queue(snapshot, "low").starved_for < 800
    assert any(reason.startswith("low starved 12 min") for reason in snapshot.verdict.reasons)
    jobs.start(queue="low")
    assert _queue(metrics.snapshot(), "low").starved_for == 0


def test_a_retry_waits_as_scheduled(jobs: Jobs) -> None:
    jobs.enqueue(1, retries=(60,))
    claim = jobs.start()
    jobs.transitions.fail("high", claim, "w", [jobs.failure(jobs.claimed[0], retry=True)])
    high = _queue(metrics.snapshot())
    assert (high.scheduled, high.retried, high.dead) == (1, 1, 0)


def test_b9_a_lapsed_lease_is_stalled_and_a_live_one_is_not(jobs: Jobs) -> None:
    jobs.enqueue(5)
    jobs.start(limit=2, lease=-1)
    jobs.start(limit=1, lease=30)
    high = _queue(metrics.snapshot())
    assert (high.started, high.stalled) == (3, 2)


def test_the_oldest_wait_is_that_of_the_head(jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1, queue="low")
    jobs.enqueue(1, queue="low")
    connection().hset(keys.job(job_id), "enqueued_at", "2026-01-01T00:00:00.000000Z")
    snapshot = metrics.snapshot()
    assert _queue(snapshot, "low").oldest_wait > 1000
    assert snapshot.totals.oldest_wait is not None
    assert snapshot.totals.oldest_wait.queue == "low"


def test_a_broken_date_at_the_head_is_no_wait_and_no_error(jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    connection().hset(keys.job(job_id), "enqueued_at", "yesterday")
    assert _queue(metrics.snapshot()).oldest_wait == 0


def test_reading_changes_nothing(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3)
    # A stock worker's dead letter that RQ's own count would delete.
    empty_redis.zadd(keys.failed("high"), {"stock": 1})
    before = empty_redis.zrange(keys.failed("high"), 0, -1)
    assert _queue(metrics.snapshot()).failed == 4
    assert empty_redis.zrange(keys.failed("high"), 0, -1) == before
    assert not empty_redis.exists(keys.SNAPSHOT)


def test_the_number_of_commands_does_not_grow_with_the_jobs(jobs: Jobs, empty_redis: redis.Redis) -> None:
    def commands() -> int:
        metrics.snapshot()  # its settings are read now and kept
        before = empty_redis.info("stats")["total_commands_processed"]
        metrics.snapshot()
        return int(empty_redis.info("stats")["total_commands_processed"]) - int(before)

    jobs.enqueue(10)
    few = commands()
    jobs.enqueue(500)
    jobs.fail(200, queue="low")
    assert commands() == few


def test_it_takes_two_round_trips(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.enqueue(20)
    jobs.fail(3, queue="low")
    metrics.snapshot()  # its settings are read now and kept
    trips = []
    execute, command = Pipeline.execute, redis.Redis.execute_command

    def executed(self: Pipeline, *args: Any, **options: Any) -> Any:
        trips.append("pipeline")
        return execute(self, *args, **options)

    def sent(self: redis.Redis, *args: Any, **options: Any) -> Any:
        trips.append(args[0])
        return command(self, *args, **options)

    monkeypatch.setattr(Pipeline, "execute", executed)
    monkeypatch.setattr(redis.Redis, "execute_command", sent)
    metrics.snapshot()
    assert trips == ["pipeline", "pipeline"]


def test_workers_that_serve_and_those_that_are_busy(empty_redis: redis.Redis) -> None:
    worker(empty_redis, "one", held=3, state="busy")
    worker(empty_redis, "two", queues="low", held=0)
    worker(empty_redis, "killed", held=2, state="busy", silent=60)
    worker(empty_redis, "stock", queues="low", silent=300)
    empty_redis.sadd(keys.WORKERS, keys.worker("expired"))
    snapshot = metrics.snapshot()
    assert (snapshot.workers.total, snapshot.workers.busy) == (3, 1)
    assert (_queue(snapshot).workers, _queue(snapshot).busy) == (1, 1)
    assert _queue(snapshot, "low").workers == 3


def test_redis_tells_its_version_and_how_durable_it_is(empty_redis: redis.Redis) -> None:
    state = metrics.snapshot().redis
    assert state.status == "connected"
    assert state.version.startswith("9.")
    assert state.fsync == "no"  # as tests start it
    assert state.unsafe  # and that is not safe
    assert state.max_memory == 512 * 2**20


def test_a_full_redis_refuses(empty_redis: redis.Redis) -> None:
    info = dict(empty_redis.info())
    assert counts.refuses(info) == ""
    assert "full" in counts.refuses({**info, "used_memory": info["maxmemory"]})
    assert "replica" in counts.refuses({**info, "role": "slave"})
    assert "append-only" in counts.refuses({**info, "aof_last_write_status": "err"})
    assert "loading" in counts.refuses({**info, "loading": 1})


@pytest.mark.usefixtures("no_redis")
def test_without_redis_and_memory_nothing_is_known() -> None:
    snapshot = metrics.snapshot()
    assert (snapshot.redis.status, snapshot.known) == ("disconnected", False)
    assert snapshot.verdict.status == "degraded"
    assert [q.name for q in snapshot.queues] == ["critical", "high", "medium", "low"]


def test_numbers_do_not_blink_to_zero_when_redis_goes(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.enqueue(7)
    assert _queue(metrics.snapshot()).depth == 7

    def away(client: redis.Redis) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(counts, "read", away)
    snapshot = metrics.snapshot()
    assert snapshot.redis.status == "disconnected"
    assert _queue(snapshot).depth == 7
    assert snapshot.known
    assert snapshot.verdict.status == "degraded"


def test_rates_come_from_what_was_published(jobs: Jobs, empty_redis: redis.Redis) -> None:
    published = Snapshot.from_json(SAMPLE.read_bytes())
    seconds, _ = empty_redis.time()
    history.Writer(empty_redis).write(replace(published, at=seconds))
    assert _queue(metrics.snapshot()).in_rate == 120.4
    # Long ago: then the mean since, by the counters.
    old = replace(published, at=seconds - 100, queues=(QueueState("high"),))
    history.Writer(empty_redis).write(old)
    jobs.enqueue(1000)
    assert 8 < _queue(metrics.snapshot()).in_rate < 11


def test_a_published_snapshot_of_another_version_is_no_error(empty_redis: redis.Redis) -> None:
    empty_redis.set(keys.SNAPSHOT, b'{"v":2}')
    assert metrics.snapshot().redis.status == "connected"


def test_the_committed_sample_is_of_today(empty_redis: redis.Redis) -> None:
    sample = json.loads(SAMPLE.read_text())
    now = metrics.snapshot().as_dict()
    assert sample.keys() == now.keys()
    assert sample["queues"][0].keys() == now["queues"][0].keys()
    assert sample["totals"].keys() == now["totals"].keys()
    assert sample["redis"].keys() == now["redis"].keys()
    assert Snapshot.from_json(json.dumps(sample)).as_dict() == sample


def test_e10_tasks_in_lanes_wait_and_are_held_back_by_nothing_but_a_missing_worker(
    jobs: Jobs, empty_redis: redis.Redis
) -> None:
    lane = make_job(kind="task", type="gpu", own_workers=True)
    jobs.transitions.enqueue([lane, make_job()])
    worker(empty_redis, "general")
    high = _queue(metrics.snapshot())
    assert (high.depth, high.parked, high.unserved, high.workers) == (2, 0, ("gpu",), 1)
    worker(empty_redis, "own", **{keys.TYPES: "train,gpu"})
    high = _queue(metrics.snapshot())
    assert (high.depth, high.unserved, high.workers) == (2, (), 1)
