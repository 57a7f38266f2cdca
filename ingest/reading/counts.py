"""How many jobs are where, of one queue, of one kind or of all: O(1), from sizes and from the exact counters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from django.conf import settings

from ingest.queue import keys
from ingest.reading.fields import kind as kind_of
from ingest.reading.fields import number, pipelined, text

#: Scheduled jobs that are looked at to tell retries from delayed ones; of more, this many stand for all.
LOOKED_AT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs by where they are. The first six have BullMQ's names, and mean what they mean there."""

    #: Wait to be claimed, in queues that are served.
    waiting: int
    #: Run now.
    active: int
    #: Done, ever: a completed job leaves nothing in Redis but the result that its kind keeps.
    completed: int
    #: Dead letters.
    failed: int
    #: Wait for their time: delayed ones and retries.
    delayed: int
    #: Wait to be claimed, in queues that are paused.
    paused: int
    #: In the trash, for 24 hours.
    trash: int
    #: Canceled within the last 24 hours.
    canceled: int
    #: Stored results of completed jobs.
    results: int

    @property
    def queued(self) -> int:
        """Our word for jobs that wait to be claimed, paused or not."""
        return self.waiting + self.paused


@dataclass(frozen=True, slots=True)
class Statistics:
    """What became of jobs so far. Jobs in the trash and canceled ones are in none of these."""

    #: Wait to be claimed, or for the first time that they may run.
    pending: int
    processing: int
    #: Wait for another try. Over 10,000 scheduled jobs: an estimate.
    retrying: int
    completed: int
    #: Dead letters now.
    dead: int
    #: All of these together.
    total: int
    #: Of the jobs that came to an end, those that completed, in percent; None: none came to an end yet.
    success_rate: float | None


def counts(client: redis.Redis, queues: Sequence[str]) -> Counts:
    """Of these queues together, at one instant."""
    pipe = client.pipeline(transaction=True)
    pipe.time()
    pipe.zrange(keys.PAUSED, 0, -1, withscores=True)
    for name in queues:
        pipe.llen(keys.queue(name))
        pipe.scard(keys.tombstones(name))
        pipe.hvals(keys.parked(name))
        pipe.zcard(keys.scheduled(name))
        pipe.zcard(keys.started(name))
        pipe.hget(keys.counters(name), "completed")
        pipe.zcard(keys.failed(name))
        pipe.zcard(keys.trash(name))
        pipe.zcard(keys.canceled(name))
        pipe.zcard(keys.finished(name))
    (seconds, _), pauses, *rest = pipe.execute()
    held = _held(pauses, seconds)
    found = Counts(0, 0, 0, 0, 0, 0, 0, 0, 0)
    for order, name in enumerate(queues):
        length, tombstones, parked, delayed, active, completed, failed, *ends = rest[order * 10 : order * 10 + 10]
        queued = max(0, length - tombstones) + sum(map(int, parked))
        waiting, paused = (0, queued) if name in held or keys.ALL_QUEUES in held else (queued, 0)
        found = _sum(found, Counts(waiting, active, int(completed or 0), failed, delayed, paused, *ends))
    return found


def paused(client: redis.Redis) -> set[str]:
    """Queues whose pause has not ended; keys.ALL_QUEUES among them: all are paused."""
    pipe = client.pipeline(transaction=False)
    pipe.time()
    pipe.zrange(keys.PAUSED, 0, -1, withscores=True)
    (seconds, _), pauses = pipe.execute()
    return _held(pauses, seconds)


def statistics(client: redis.Redis, kind: str | None = None) -> Statistics:
    """Of one kind, of one task type (`task:<type>`), or of all; jobs that stock clients brought are in none."""
    names = settings.PRIORITIES
    pipe = client.pipeline(transaction=True)
    for name in names:
        pipe.zrange(keys.scheduled(name), 0, LOOKED_AT - 1)
        pipe.zcard(keys.scheduled(name))
    for key in [keys.counters(name) for name in names] if kind is None else [keys.kind_counters(kind)]:
        pipe.hgetall(key)
    answers = pipe.execute()
    known = _added(answers[2 * len(names) :])

    def count(*counters: str) -> int:
        return sum(known.get(name, 0) for name in counters)

    completed = count("completed")
    processing = count("claimed", "late") - count(
        "completed", "retried", "dead", "dropped", "released", "recovered", "stopped"
    )
    dead = count("dead", "restored_failed", "returned") - count("requeued", "trashed_failed")
    trash = count("trashed", "dropped") - count("restored", "purged")
    gone = count("completed", "purged", "canceled", "moved_out")
    waiting = max(count("enqueued", "moved_in") - gone - processing - dead - trash, 0)
    retrying = min(_retrying(client, answers[: 2 * len(names)], kind), waiting)
    ended = completed + count("dead", "dropped", "returned") - count("requeued")
    return Statistics(
        pending=waiting - retrying,
        processing=processing,
        retrying=retrying,
        completed=completed,
        dead=dead,
        total=waiting + processing + completed + dead,
        success_rate=round(100 * completed / ended, 2) if ended > 0 else None,
    )


def unfinished(client: redis.Redis, kinds: Sequence[str]) -> list[int]:
    """Of each kind, or kind and type, how many jobs wait, run or are retried: neither done, dead, in the trash nor
    canceled."""
    found = []
    for counters in pipelined(client, "hgetall", [keys.kind_counters(kind) for kind in kinds]):
        known = _added([counters])
        # Those in the trash and the dead letters, by what ever came there and left.
        aside = ("trashed", "dropped", "dead", "restored_failed", "returned")
        back = ("restored", "purged", "requeued", "trashed_failed")
        gone = sum(known.get(name, 0) for name in ("completed", "purged", "canceled", "moved_out", *aside))
        came = sum(known.get(name, 0) for name in ("enqueued", "moved_in", *back))
        found.append(max(came - gone, 0))
    return found


def _retrying(client: redis.Redis, scheduled: Sequence[Any], kind: str | None) -> int:
    """Of the scheduled jobs, those that failed before."""
    found = 0.0
    for ids, size in zip(scheduled[::2], scheduled[1::2], strict=True):
        hashes = pipelined(client, "hmget", [keys.job(text(job_id)) for job_id in ids], keys.KIND, keys.ATTEMPTS)
        some = sum(number(text(tries)) > 0 and kind in (None, text(of), kind_of(of)) for of, tries in hashes)
        found += some * size / len(ids) if ids else 0
    return round(found)


def _held(pauses: Sequence[tuple[bytes, float]], now: int) -> set[str]:
    return {text(name) for name, ends in pauses if ends > now}


def _sum(left: Counts, right: Counts) -> Counts:
    return Counts(*(getattr(left, name) + getattr(right, name) for name in Counts.__slots__))


def _added(counters: Sequence[Mapping[bytes, bytes]]) -> dict[str, int]:
    known: dict[str, int] = {}
    for each in counters:
        for name, value in each.items():
            known[text(name)] = known.get(text(name), 0) + int(value)
    return known
