"""The snapshot with REDIS=false: what the spool holds, which is the queue then."""

import time
from typing import Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from ingest.spool import lease, reading
from queueadmin.console import verdict
from queueadmin.console.snapshot import (
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
            # What was taken in is what was run and what is still there.
            enqueued=holder.completed + sum(q.depth + q.scheduled + q.started + q.failed + q.trash for q in queues),
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
