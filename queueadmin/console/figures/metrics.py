"""The snapshot: what Redis and the database say at one instant, with its rates and its verdict."""

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db import connection as database

from ingest.database import takes_writes
from ingest.queue.connections import acceptance_connection
from ingest.spool.reading import usage
from queueadmin.console.figures import counts, losses, rates, verdict, without_redis
from queueadmin.console.figures.counts import Counts
from queueadmin.console.figures.rates import Rates
from queueadmin.console.figures.snapshot import (
    Beside,
    DatabaseFacts,
    DatabaseState,
    DatabaseStatus,
    Maintenance,
    OldestWait,
    QueueState,
    RedisState,
    Snapshot,
    Spool,
    Totals,
    Verdict,
    Workers,
)

logger = logging.getLogger(__name__)

#: A published snapshot this old no longer tells the rates of now.
PUBLISHED_FRESH_SECONDS: Final = 5

_last: Snapshot | None = None
_facts = DatabaseFacts(DatabaseState("disconnected"))


def snapshot() -> Snapshot:
    """The counts now. While Redis is away: the last ones this process knew, and it says so. Never raises."""
    if not settings.REDIS:
        return without_redis.snapshot(database_facts())
    facts = database_facts()
    try:
        # The client of acceptance: a page or a probe must not wait for 5 s and several tries.
        read = counts.read(acceptance_connection())
    except redis.RedisError as error:
        _tell("Redis", error)
        return lost(_last, facts)
    _tell("Redis", None)
    last = read.published
    if last is None:
        return build(read, _rates_of(read), facts, seq=0)
    return build(read, _rates_of(read), facts, Beside(last.accounts, last.waiting, last.took), seq=last.seq)


def unknown() -> Snapshot:
    """A snapshot that tells nothing."""
    return lost(None, DatabaseFacts(DatabaseState("disconnected")))


def build(
    read: Counts,
    by_queue: Mapping[str, Rates],
    facts: DatabaseFacts,
    beside: Beside = Beside(),  # noqa: B008 - frozen
    *,
    seq: int,
) -> Snapshot:
    """A reading with its rates and its verdict; remembered as the last known one."""
    global _last
    queues = tuple(_with_rates(q, by_queue.get(q.name, Rates())) for q in read.queues)
    maintenance = Maintenance(read.leader)
    _last = Snapshot(
        seq=seq,
        at=round(read.at, 3),
        verdict=verdict.judge(
            redis=read.redis, facts=facts, maintenance=maintenance, queues=queues, accounts=beside.accounts
        ),
        redis=read.redis,
        database=facts.state,
        maintenance=maintenance,
        workers=read.workers,
        queues=queues,
        totals=_totals(queues),
        paused_all=read.paused_all,
        loss=facts.loss,
        spool=facts.spool,
        accounts=beside.accounts,
        waiting=beside.waiting,
        took=beside.took,
    )
    return _last


def lost(last: Snapshot | None, facts: DatabaseFacts) -> Snapshot:
    """The last known counts, marked: Redis is away."""
    state = RedisState("disconnected")
    if last is None:
        queues = tuple(QueueState(name, wait_target=settings.WAIT_TARGETS[name]) for name in settings.PRIORITIES)
        last = Snapshot(
            seq=0,
            at=time.time(),
            verdict=Verdict("unhealthy", ""),
            redis=state,
            database=facts.state,
            maintenance=Maintenance(None),
            workers=Workers(0, 0),
            queues=queues,
            totals=Totals(),
            known=False,
        )
    else:
        state = dataclasses.replace(last.redis, status=state.status)
    judged = verdict.judge(redis=state, facts=facts, maintenance=last.maintenance, queues=last.queues)
    return dataclasses.replace(
        last, redis=state, database=facts.state, loss=facts.loss, spool=facts.spool, verdict=judged
    )


def database_facts() -> DatabaseFacts:
    """What the database tells now; while it is away, what it told last and that it is away.

    May take as long as the database's connect timeout.
    """
    global _facts
    try:
        spooled = usage()
        spool = Spool(spooled.count, spooled.more, spooled.oldest, spooled.dead)
        status: DatabaseStatus = "connected" if takes_writes() else "read-only"
        _facts = DatabaseFacts(DatabaseState(status), losses.open_loss(), spool)
    except (DatabaseError, InterfaceError) as error:
        _tell("the database", error)
        close_database()
        return dataclasses.replace(_facts, state=DatabaseState("disconnected"))
    _tell("the database", None)
    return _facts


def known_spool(*, away: bool = False) -> Spool:
    """The spool as this process knows it without asking: by the newest frame, while Redis is `away` by its own look."""
    return _last.spool if settings.REDIS and _last is not None and not away else _facts.spool


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
    global _last, _facts
    _last, _facts = None, DatabaseFacts(DatabaseState("disconnected"))
    counts.forget_settings()
    without_redis.forget()


def _with_rates(q: QueueState, own: Rates) -> QueueState:
    return dataclasses.replace(
        q,
        in_rate=own.in_rate,
        out_rate=own.out_rate,
        net_rate=own.net_rate,
        dead_per_minute=own.dead_per_minute,
        clears_in=rates.clears_in(q, own),
    )


def _totals(queues: Sequence[QueueState]) -> Totals:
    oldest = max(queues, key=lambda q: q.oldest_wait)
    return Totals(
        enqueued=sum(q.enqueued for q in queues),
        dequeued=sum(q.claimed for q in queues),
        processed=sum(q.completed for q in queues),
        failures=sum(q.dead for q in queues),
        depth=sum(q.depth for q in queues),
        parked=sum(q.parked for q in queues),
        started=sum(q.started for q in queues),
        stalled=sum(q.stalled for q in queues),
        scheduled=sum(q.scheduled for q in queues),
        failed=sum(q.failed for q in queues),
        trash=sum(q.trash for q in queues),
        in_rate=round(sum(q.in_rate for q in queues), 2),
        out_rate=round(sum(q.out_rate for q in queues), 2),
        net_rate=round(sum(q.net_rate for q in queues), 2),
        dead_per_minute=round(sum(q.dead_per_minute for q in queues), 1),
        oldest_wait=OldestWait(oldest.name, oldest.oldest_wait) if oldest.oldest_wait else None,
    )


def _rates_of(read: Counts) -> dict[str, Rates]:
    """The publisher's rates while they are fresh; else the mean since it last published."""
    published = read.published
    if published is None:
        return {}
    if 0 <= read.at - published.at <= PUBLISHED_FRESH_SECONDS:
        return {q.name: Rates(q.in_rate, q.out_rate, q.net_rate, q.dead_per_minute) for q in published.queues}
    return rates.between(rates.sample(published.at, published.queues), rates.sample(read.at, read.queues))
