"""The snapshot: every count at one instant, read only, at a cost that does not grow with the jobs.

Two round trips. The first asks who and when (server time, workers, heads of the lists, the last
published snapshot); the second counts everything in one transaction, so that its numbers belong
together: enqueued = queued + started + scheduled + failed + completed holds within a snapshot.
"""

import dataclasses
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db import connection as database

from ingest.queue import keys
from ingest.queue.connections import acceptance_connection
from ingest.queue.settings_check import unsafe
from queueadmin.console import rates, verdict
from queueadmin.console.rates import Rates
from queueadmin.console.snapshot import (
    DatabaseState,
    Maintenance,
    OldestWait,
    QueueState,
    RedisState,
    Snapshot,
    Totals,
    Verdict,
    Workers,
)

logger = logging.getLogger(__name__)

#: RQ's own workers, idle, write only every 405 s.
STOCK_WORKER_SILENT_SECONDS: Final = 480
#: A published snapshot this old no longer tells the rates of now.
PUBLISHED_FRESH_SECONDS: Final = 5
#: Redis' settings change by hand only.
SETTINGS_SECONDS: Final = 10

_COUNTERS: Final = ("enqueued", "claimed", "completed", "retried", "dead", "requeued", "recovered")


@dataclass(frozen=True, slots=True)
class Reading:
    """What Redis said, before anybody judged it."""

    at: float
    redis: RedisState
    leader: str | None
    workers: Workers
    queues: tuple[QueueState, ...]
    #: The snapshot that the publisher wrote last.
    published: Snapshot | None


_last: Snapshot | None = None


def snapshot() -> Snapshot:
    """The counts now. While Redis is away: the last ones this process knew, and it says so. Never raises."""
    if not settings.REDIS:
        return lost(None, status="disabled")
    state = database_state()
    try:
        # The client of acceptance: a page or a probe must not wait for 5 s and several tries.
        reading = read(acceptance_connection())
    except redis.RedisError as error:
        _tell("Redis", error)
        return lost(_last, database_state=state)
    _tell("Redis", None)
    return build(reading, _rates_of(reading), state, seq=reading.published.seq if reading.published else 0)


def build(reading: Reading, by_queue: Mapping[str, Rates], state: DatabaseState, *, seq: int) -> Snapshot:
    """A reading with its rates and its verdict; remembered as the last known one."""
    global _last
    queues = tuple(_with_rates(q, by_queue.get(q.name, Rates())) for q in reading.queues)
    maintenance = Maintenance(reading.leader)
    _last = Snapshot(
        seq=seq,
        at=round(reading.at, 3),
        verdict=verdict.judge(redis=reading.redis, database=state, maintenance=maintenance, queues=queues),
        redis=reading.redis,
        database=state,
        maintenance=maintenance,
        workers=reading.workers,
        queues=queues,
        totals=_totals(queues),
    )
    return _last


def lost(
    last: Snapshot | None, *, database_state: DatabaseState | None = None, status: str = "disconnected"
) -> Snapshot:
    """The last known counts, marked: Redis is away."""
    state = RedisState("disabled" if status == "disabled" else "disconnected")
    if last is None:
        queues = tuple(QueueState(name, wait_target=settings.WAIT_TARGETS[name]) for name in settings.PRIORITIES)
        last = Snapshot(
            seq=0,
            at=time.time(),
            verdict=Verdict("unhealthy", ""),
            redis=state,
            database=DatabaseState("connected"),
            maintenance=Maintenance(None),
            workers=Workers(0, 0),
            queues=queues,
            totals=Totals(),
            known=False,
        )
    else:
        state = dataclasses.replace(last.redis, status=state.status)
    known_database = database_state or last.database
    judged = verdict.judge(redis=state, database=known_database, maintenance=last.maintenance, queues=last.queues)
    return dataclasses.replace(last, redis=state, database=known_database, verdict=judged)


def read(client: redis.Redis) -> Reading:
    """All counts from Redis. Raises redis.RedisError when it is away."""
    fsync, findings = _settings_of(client)
    names: Sequence[str] = settings.PRIORITIES
    first = client.pipeline(transaction=False)
    first.time()
    first.smembers(keys.WORKERS)
    first.get(keys.SNAPSHOT)
    for name in names:
        first.lindex(keys.queue(name), 0)
    (seconds, micros), worker_keys, published, *heads = first.execute()
    now = seconds + micros / 1e6

    second = client.pipeline(transaction=True)
    second.info()
    second.get(keys.LEADER)
    for name, head in zip(names, heads, strict=True):
        second.llen(keys.queue(name))
        second.zcard(keys.scheduled(name))
        second.zcard(keys.started(name))
        second.zcount(keys.started(name), keys.SCORE_OFFSET, now + keys.SCORE_OFFSET)
        second.zcount(keys.started(name), 0, now)  # a stock worker's own entries
        second.zcard(keys.failed(name))
        second.hgetall(keys.counters(name))
        second.hget(keys.job(_text(head)), "enqueued_at")
    ordered = sorted(worker_keys)
    for worker_key in ordered:
        second.hgetall(worker_key)
    info, leader, *rest = second.execute()
    per_queue = [rest[i * 8 : i * 8 + 8] for i in range(len(names))]
    live = [worker for worker in map(_decoded, rest[len(names) * 8 :]) if _alive(worker, now)]
    return Reading(
        at=now,
        redis=_redis_state(info, fsync, findings),
        leader=_text(leader) or None,
        workers=Workers(len(live), sum(_busy(worker) for worker in live)),
        queues=tuple(_queue_state(name, values, live, now) for name, values in zip(names, per_queue, strict=True)),
        published=_published(published),
    )


def database_state() -> DatabaseState:
    """Does the database answer now? May take as long as its connect timeout."""
    try:
        with database.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        _tell("the database", error)
        close_database()
        return DatabaseState("disconnected")
    _tell("the database", None)
    return DatabaseState("connected")


_away: set[str] = set()


def _tell(what: str, error: Exception | None) -> None:
    """Log the change alone: this is asked every second."""
    if error is not None and what not in _away:
        _away.add(what)
        logger.warning("%s does not answer: %s", what, error)
    elif error is None and what in _away:
        _away.discard(what)
        logger.warning("%s answers again", what)


def close_database() -> None:
    """Give up this thread's connection, so that the next question opens a new one."""
    if not database.in_atomic_block:
        database.close()


def remember(known: Snapshot) -> None:
    """What to show while Redis is away."""
    global _last
    _last = known


def forget() -> None:
    """Be as a process that never saw Redis."""
    global _last, _settings_read
    _last = _settings_read = None


def _queue_state(name: str, values: Sequence[Any], workers: Iterable[Mapping[str, str]], now: float) -> QueueState:
    depth, scheduled, started, lapsed, stock_lapsed, failed, counters, head_since = values
    counts = {field: int(value) for field, value in _decoded(counters).items()}
    serving = [worker for worker in workers if name in worker.get("queues", "").split(",")]
    return QueueState(
        name=name,
        depth=depth,
        scheduled=scheduled,
        started=started,
        stalled=lapsed + stock_lapsed,
        failed=failed,
        oldest_wait=_wait(head_since, now) if depth else 0.0,
        wait_target=settings.WAIT_TARGETS[name],
        **{field: counts.get(field, 0) for field in _COUNTERS},
        workers=len(serving),
        busy=sum(_busy(worker) for worker in serving),
    )


def _with_rates(q: QueueState, own: Rates) -> QueueState:
    return dataclasses.replace(
        q,
        in_rate=own.in_rate,
        out_rate=own.out_rate,
        net_rate=own.net_rate,
        dead_per_minute=own.dead_per_minute,
        clears_in=rates.clears_in(q.depth, own),
    )


def _totals(queues: Sequence[QueueState]) -> Totals:
    oldest = max(queues, key=lambda q: q.oldest_wait)
    return Totals(
        enqueued=sum(q.enqueued for q in queues),
        dequeued=sum(q.claimed for q in queues),
        processed=sum(q.completed for q in queues),
        failures=sum(q.dead for q in queues),
        depth=sum(q.depth for q in queues),
        started=sum(q.started for q in queues),
        stalled=sum(q.stalled for q in queues),
        scheduled=sum(q.scheduled for q in queues),
        failed=sum(q.failed for q in queues),
        in_rate=round(sum(q.in_rate for q in queues), 2),
        out_rate=round(sum(q.out_rate for q in queues), 2),
        net_rate=round(sum(q.net_rate for q in queues), 2),
        dead_per_minute=round(sum(q.dead_per_minute for q in queues), 1),
        oldest_wait=OldestWait(oldest.name, oldest.oldest_wait) if oldest.oldest_wait else None,
    )


def _rates_of(reading: Reading) -> dict[str, Rates]:
    """The publisher's rates while they are fresh; else the mean since it last published."""
    published = reading.published
    if published is None:
        return {}
    if 0 <= reading.at - published.at <= PUBLISHED_FRESH_SECONDS:
        return {q.name: Rates(q.in_rate, q.out_rate, q.dead_per_minute) for q in published.queues}
    return rates.between(rates.sample(published.at, published.queues), rates.sample(reading.at, reading.queues))


def _redis_state(info: Mapping[str, Any], fsync: str, findings: tuple[str, ...]) -> RedisState:
    return RedisState(
        status="connected",
        version=str(info.get("valkey_version") or info.get("redis_version", "")),
        used_memory=int(info.get("used_memory", 0)),
        max_memory=int(info.get("maxmemory", 0)),
        fsync=fsync,
        unsafe=findings,
        refuses=refuses(info),
    )


def refuses(info: Mapping[str, Any]) -> str:
    """Why the server that answers INFO so takes no writes, as one sentence; empty when it does."""
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if info.get("loading"):
        return "Redis is still loading its data, so nothing can be accepted."
    if info.get("role", "master") != "master":
        return "This Redis is a replica, so nothing can be accepted."
    if limit and used >= limit and info.get("maxmemory_policy", "noeviction") == "noeviction":
        return f"Redis is full ({used / 2**20:,.0f} of {limit / 2**20:,.0f} MiB), so nothing can be accepted."
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        return "Redis cannot write its append-only file, so nothing can be accepted."
    return ""


_settings_read: tuple[float, int, str, tuple[str, ...]] | None = None


def _settings_of(client: redis.Redis) -> tuple[str, tuple[str, ...]]:
    """(fsync, what is unsafe), asked at most every SETTINGS_SECONDS."""
    global _settings_read
    now = time.monotonic()
    if _settings_read and _settings_read[1] == id(client) and now - _settings_read[0] < SETTINGS_SECONDS:
        return _settings_read[2], _settings_read[3]
    try:
        answer = {_text(k): _text(v) for k, v in client.config_get("appendonly", "appendfsync").items()}
        fsync = answer.get("appendfsync", "unknown") if answer.get("appendonly") == "yes" else "off"
    except redis.ResponseError:
        fsync = "unknown"  # a managed Redis refuses CONFIG
    findings = tuple(finding.sentence for finding in unsafe(client))
    _settings_read = (now, id(client), fsync, findings)
    return fsync, findings


def _alive(worker: Mapping[str, str], now: float) -> bool:
    """A worker that was killed leaves its hash behind for minutes; ours write it three times a lease."""
    beat = _moment(worker.get("last_heartbeat"))
    if beat is None or worker.get("state") == "suspended":
        return False
    return now - beat < (settings.LEASE_SECONDS if _ours(worker) else STOCK_WORKER_SILENT_SECONDS)


def _ours(worker: Mapping[str, str]) -> bool:
    return "held" in worker


def _busy(worker: Mapping[str, str]) -> bool:
    return worker.get("state") == "busy"


def _wait(since: bytes | str | None, now: float) -> float:
    moment = _moment(_text(since))
    return round(max(0.0, now - moment), 1) if moment is not None else 0.0


def _moment(text: str | None) -> float | None:
    """Unix time of RQ's `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None


def _published(text: bytes | None) -> Snapshot | None:
    try:
        return Snapshot.from_json(text) if text else None
    except msgspec.MsgspecError:
        return None  # written by another version


def _decoded(fields: Mapping[Any, Any]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in fields.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
