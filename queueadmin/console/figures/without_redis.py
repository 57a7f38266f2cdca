"""The snapshot with REDIS=false: what the spool holds, which is the queue then."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from ingest.spool import lease, reading
from queueadmin.console.figures import verdict
from queueadmin.console.figures.rates import Rates
from queueadmin.console.figures.snapshot import (
    DatabaseFacts,
    Maintenance,
    OldestWait,
    QueueState,
    RedisState,
    Snapshot,
    Totals,
    Workers,
)

_REDIS: Final = RedisState("disabled")
#: Rates are means of at most so many seconds, and samples are at least half a second apart.
_WINDOW_SECONDS: Final = 10.0
_LEAST_SECONDS: Final = 0.5

_lock: Final = threading.Lock()
_samples: Final[deque["_Sample"]] = deque()


@dataclass(frozen=True, slots=True)
class _Sample:
    """What ever came, ended well, and became a dead letter, at one instant of the monotonic clock."""

    at: float
    arrived: int
    completed: int
    dead: int


def snapshot(facts: DatabaseFacts) -> Snapshot:
    """The counts now. Never raises: without the database nothing is known."""
    queues: tuple[QueueState, ...]
    try:
        holder, found = lease.holder(), reading.queues()
    except (DatabaseError, InterfaceError):
        holder, found = lease.Holder(), []
    runs = int(bool(holder.name))
    queues = tuple(_queue(each, runs) for each in found) or tuple(
        QueueState(name, wait_target=settings.WAIT_TARGETS[name]) for name in settings.PRIORITIES
    )
    maintenance = Maintenance(holder.name or None)
    oldest = max(queues, key=lambda q: q.oldest_wait)
    started = sum(q.started for q in queues)
    # What was taken in is what was run and what is still there.
    arrived = holder.completed + sum(q.depth + q.scheduled + q.started + q.failed + q.trash for q in queues)
    rates = _rates(_Sample(time.monotonic(), arrived, holder.completed, holder.dead))
    return Snapshot(
        seq=0,
        at=round(time.time(), 3),
        verdict=verdict.judge_without_redis(facts=facts, maintenance=maintenance, queues=queues),
        redis=_REDIS,
        database=facts.state,
        maintenance=maintenance,
        workers=Workers(runs, int(started > 0)),
        queues=queues,
        totals=Totals(
            enqueued=arrived,
            in_rate=rates.in_rate,
            out_rate=rates.out_rate,
            net_rate=rates.net_rate,
            dead_per_minute=rates.dead_per_minute,
            processed=holder.completed,
            failures=holder.dead,
            depth=sum(q.depth for q in queues),
            started=started,
            scheduled=sum(q.scheduled for q in queues),
            failed=sum(q.failed for q in queues),
            trash=sum(q.trash for q in queues),
            oldest_wait=OldestWait(oldest.name, oldest.oldest_wait) if oldest.oldest_wait else None,
        ),
        loss=facts.loss,
        spool=facts.spool,
        known=bool(found),
    )


def forget() -> None:
    """Know of no earlier sample."""
    with _lock:
        _samples.clear()


def _rates(new: _Sample) -> Rates:
    """Altogether: nothing counts what ends by its queue. Zero at the first look for a while."""
    with _lock:
        if _samples and _samples[-1].completed > new.completed:
            _samples.clear()  # another database
        while _samples and new.at - _samples[0].at > _WINDOW_SECONDS:
            _samples.popleft()
        old = _samples[0] if _samples and new.at - _samples[0].at >= _LEAST_SECONDS else None
        if not _samples or new.at - _samples[-1].at >= _LEAST_SECONDS:
            _samples.append(new)
    if old is None:
        return Rates()
    seconds = new.at - old.at
    arrived, completed, dead = new.arrived - old.arrived, new.completed - old.completed, new.dead - old.dead
    return Rates(
        in_rate=round(max(0, arrived) / seconds, 2),
        out_rate=round(max(0, completed + dead) / seconds, 2),
        net_rate=round((arrived - completed - dead) / seconds, 2),
        dead_per_minute=round(max(0, dead) / seconds * 60, 1),
    )


def _queue(found: reading.Queue, runs: int) -> QueueState:
    return QueueState(
        found.name,
        depth=found.waiting,
        scheduled=found.later,
        started=found.started,
        failed=found.failed,
        trash=found.trash,
        oldest_wait=found.oldest,
        wait_target=settings.WAIT_TARGETS[found.name],
        workers=runs,
        busy=int(found.started > 0),
    )
