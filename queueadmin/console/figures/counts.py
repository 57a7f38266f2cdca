"""Every count from Redis at one instant, read only, at a cost that does not grow with the jobs.

Two round trips. The first asks who and when (server time, workers, heads of the lists, the last
published snapshot); the second counts everything in one transaction, so that its numbers belong
together: the sums that `ingest.queue.keys.counters` promises hold within a snapshot.
"""

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import msgspec
import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.settings_check import unsafe
from ingest.reading.workers import types_of
from queueadmin.console.figures import starvation
from queueadmin.console.figures.snapshot import QueueState, RedisState, Snapshot, Workers

#: RQ's own workers, idle, write only every 405 s.
STOCK_WORKER_SILENT_SECONDS: Final = 480
#: Redis' settings change by hand only.
SETTINGS_SECONDS: Final = 10
#: Ids looked at from the head of a list: some may be tombstones, whose jobs are elsewhere.
HEADS: Final = 8

_COUNTERS: Final = (
    *("enqueued", "claimed", "completed", "retried", "dead", "dropped", "requeued", "recovered", "canceled", "trashed"),
    *("returned", "trashed_failed", "restored", "restored_failed", "purged", "moved_in", "moved_out"),
)


@dataclass(frozen=True, slots=True)
class SeenWorker:
    """A registered worker, as far as its history is kept."""

    name: str
    #: Jobs that it ended, well or not, since it began.
    ended: int
    #: Unix time of its last sign of life.
    heard: float | None
    alive: bool
    #: Ours, silent for longer than a lease, and not ended by an operator.
    lost: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What Redis said, before anybody judged it."""

    at: float
    redis: RedisState
    leader: str | None
    workers: Workers
    queues: tuple[QueueState, ...]
    #: All queues are paused at once.
    paused_all: bool
    #: The snapshot that the publisher wrote last.
    published: Snapshot | None
    seen: tuple[SeenWorker, ...] = ()


class _Questions:
    """Commands of one transaction, whose answers are found by a name instead of a place."""

    def __init__(self, client: redis.Redis) -> None:
        self._pipe = client.pipeline(transaction=True)
        self._names: list[Hashable] = []

    def ask(self, name: Hashable, command: str, *arguments: Any) -> None:
        self._names.append(name)
        getattr(self._pipe, command)(*arguments)

    def answers(self) -> dict[Hashable, Any]:
        return dict(zip(self._names, self._pipe.execute(), strict=True))


def read(client: redis.Redis) -> Counts:
    """All counts from Redis. Raises redis.RedisError when it is away."""
    fsync, findings = _settings_of(client)
    names: Sequence[str] = settings.PRIORITIES
    first = client.pipeline(transaction=False)
    first.time()
    first.smembers(keys.WORKERS)
    first.get(keys.SNAPSHOT)
    for name in names:
        first.lrange(keys.queue(name), 0, HEADS - 1)
    (seconds, micros), worker_keys, published, *heads = first.execute()
    now = seconds + micros / 1e6

    questions = _Questions(client)
    questions.ask("info", "info")
    questions.ask("leader", "get", keys.LEADER)
    questions.ask("paused", "zrange", keys.PAUSED, 0, -1, False, True)
    questions.ask("served", "hgetall", keys.SERVED)
    for name, ids in zip(names, heads, strict=True):
        _ask_of_queue(questions, name, ids, now)
    for worker_key in worker_keys:
        questions.ask(("worker", worker_key), "hgetall", worker_key)
    answers = questions.answers()

    workers = [_decoded(answers["worker", worker_key]) for worker_key in worker_keys]
    live = [worker for worker in workers if _alive(worker, now)]
    pauses = {_text(name): ends for name, ends in answers["paused"] if ends > now}
    queues = [_queue_state(name, answers, pauses, live, now) for name in names]
    served = {name: float(at) for name, at in _decoded(answers["served"]).items()}
    orders = [worker.get("queues", "").split(",") for worker in live if not worker.get("order")]
    return Counts(
        at=now,
        redis=_redis_state(answers["info"], fsync, findings),
        leader=_text(answers["leader"]) or None,
        workers=Workers(len(live), sum(_busy(worker) for worker in live)),
        queues=tuple(replace(q, starved_for=starvation.seconds(q, queues, served, orders, now)) for q in queues),
        paused_all=keys.ALL_QUEUES in pauses,
        published=_published(published),
        seen=tuple(
            _seen(_text(name), fields, now) for name, fields in zip(worker_keys, workers, strict=True) if fields
        ),
    )


def _ask_of_queue(questions: _Questions, name: str, ids: Sequence[bytes], now: float) -> None:
    questions.ask((name, "length"), "llen", keys.queue(name))
    questions.ask((name, "tombstones"), "scard", keys.tombstones(name))
    questions.ask((name, "parked"), "hgetall", keys.parked(name))
    questions.ask((name, "scheduled"), "zcard", keys.scheduled(name))
    questions.ask((name, "started"), "zcard", keys.started(name))
    questions.ask((name, "lapsed"), "zcount", keys.started(name), keys.SCORE_OFFSET, now + keys.SCORE_OFFSET)
    questions.ask((name, "stock lapsed"), "zcount", keys.started(name), 0, now)  # a stock worker's own entries
    questions.ask((name, "failed"), "zcard", keys.failed(name))
    questions.ask((name, "trash"), "zcard", keys.trash(name))
    questions.ask((name, "counters"), "hgetall", keys.counters(name))
    for place, job_id in enumerate(ids):
        questions.ask((name, "gone", place), "sismember", keys.tombstones(name), job_id)
        questions.ask((name, "since", place), "hget", keys.job(_text(job_id)), "enqueued_at")


def _queue_state(
    name: str,
    answers: Mapping[Hashable, Any],
    pauses: Mapping[str, float],
    workers: Sequence[Mapping[str, str]],
    now: float,
) -> QueueState:
    counts = {field: int(value) for field, value in _decoded(answers[name, "counters"]).items()}
    known = [worker for worker in workers if name in worker.get("queues", "").split(",")]
    working = [worker for worker in known if not worker.get("order")]
    # One that serves some task types takes nothing else.
    serving = [worker for worker in working if not types_of(worker)]
    lanes, others = _parked(answers[name, "parked"])
    served = {each for worker in working for each in types_of(worker)}
    in_list = max(0, answers[name, "length"] - answers[name, "tombstones"])
    ends = [pauses[which] for which in (name, keys.ALL_QUEUES) if which in pauses]
    until = max(ends, default=0.0)
    return QueueState(
        name=name,
        depth=in_list + sum(lanes.values()) + others,
        parked=others,
        unserved=tuple(sorted(lanes.keys() - served)),
        paused=bool(ends),
        paused_until=until if 0 < until < float("inf") else None,
        paused_itself=name in pauses,
        scheduled=answers[name, "scheduled"],
        started=answers[name, "started"],
        stalled=answers[name, "lapsed"] + answers[name, "stock lapsed"],
        failed=answers[name, "failed"],
        trash=answers[name, "trash"],
        oldest_wait=_oldest_wait(name, answers, now) if in_list else 0.0,
        wait_target=settings.WAIT_TARGETS[name],
        **{field: counts.get(field, 0) for field in _COUNTERS},
        workers=len(serving),
        drained=len(known) - len(working),
        busy=sum(_busy(worker) for worker in serving),
    )


def _parked(found: Mapping[Any, Any]) -> tuple[dict[str, int], int]:
    """How many tasks wait for workers of their type, by type, and how many jobs wait for a limit or their turn."""
    before = keys.lane("")
    numbers = {name: int(number) for name, number in _decoded(found).items()}
    lanes = {name.removeprefix(before): number for name, number in numbers.items() if name.startswith(before)}
    return lanes, sum(numbers.values()) - sum(lanes.values())


def _oldest_wait(name: str, answers: Mapping[Hashable, Any], now: float) -> float:
    """Seconds the first job of the list has waited; where all that were looked at are elsewhere, at most so many."""
    since = None
    for place in range(HEADS):
        if (name, "since", place) not in answers:
            break
        since = answers[name, "since", place]
        if not answers[name, "gone", place]:
            break
    return _wait(since, now)


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
    """Why the server that answers INFO so takes no writes, as the beginning of a sentence; empty when it does."""
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if info.get("loading"):
        return "Redis is still loading its data"
    if info.get("role", "master") != "master":
        return "This Redis is a replica"
    if limit and used >= limit and info.get("maxmemory_policy", "noeviction") == "noeviction":
        return f"Redis is full ({used / 2**20:,.0f} of {limit / 2**20:,.0f} MiB)"
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        return "Redis cannot write its append-only file"
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


def _seen(key: str, worker: Mapping[str, str], now: float) -> SeenWorker:
    alive = _alive(worker, now)
    ended = (worker.get(name, "") for name in ("successful_job_count", "failed_job_count"))
    return SeenWorker(
        name=key.removeprefix(keys.worker("")),
        ended=sum(int(number) for number in ended if number.isdecimal()),
        heard=_moment(worker.get("last_heartbeat")),
        alive=alive,
        lost=not alive and _ours(worker) and worker.get("order") != "kill" and worker.get("state") != "suspended",
    )


def _alive(worker: Mapping[str, str], now: float) -> bool:
    """A worker that was killed leaves its hash behind for minutes; ours write it three times a lease."""
    beat = _moment(worker.get("last_heartbeat"))
    if beat is None or worker.get("order") == "kill":
        return False
    if worker.get("state") == "suspended" and not worker.get("order"):
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
