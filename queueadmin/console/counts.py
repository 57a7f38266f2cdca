"""Every count from Redis at one instant, read only, at a cost that does not grow with the jobs.

Two round trips. The first asks who and when (server time, workers, heads of the lists, the last
published snapshot); the second counts everything in one transaction, so that its numbers belong
together: enqueued = queued + started + scheduled + failed + completed holds within a snapshot.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.settings_check import unsafe
from queueadmin.console.snapshot import QueueState, RedisState, Snapshot, Workers

#: RQ's own workers, idle, write only every 405 s.
STOCK_WORKER_SILENT_SECONDS: Final = 480
#: Redis' settings change by hand only.
SETTINGS_SECONDS: Final = 10

_COUNTERS: Final = ("enqueued", "claimed", "completed", "retried", "dead", "requeued", "recovered")


@dataclass(frozen=True, slots=True)
class Counts:
    """What Redis said, before anybody judged it."""

    at: float
    redis: RedisState
    leader: str | None
    workers: Workers
    queues: tuple[QueueState, ...]
    #: The snapshot that the publisher wrote last.
    published: Snapshot | None


def read(client: redis.Redis) -> Counts:
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
    return Counts(
        at=now,
        redis=_redis_state(info, fsync, findings),
        leader=_text(leader) or None,
        workers=Workers(len(live), sum(_busy(worker) for worker in live)),
        queues=tuple(_queue_state(name, values, live, now) for name, values in zip(names, per_queue, strict=True)),
        published=_published(published),
    )


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


def forget_settings() -> None:
    """Ask for Redis' settings at the next reading."""
    global _settings_read
    _settings_read = None


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
