"""What is in the spool, at a bounded cost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.db.models import Q, QuerySet

from ingest.models import SpooledEvent
from ingest.spool.rows import State

#: Rows counted of one sort; counting them takes some milliseconds, and each second somebody asks.
MOST: Final = 100_000

#: What somebody or something waits for.
WAITING: Final = (State.SPOOLED, State.STARTED, State.RETRYING)


@dataclass(frozen=True, slots=True)
class Usage:
    #: Events that wait, at most MOST; with `more` they are more than that.
    count: int = 0
    more: bool = False
    #: Seconds since the oldest of them was accepted.
    oldest: float = 0.0
    #: Dead letters of a time with REDIS=false.
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """With REDIS=false: one priority. No count is above MOST."""

    name: str
    waiting: int
    later: int
    started: int
    failed: int
    trash: int
    #: Seconds that its next one has waited.
    oldest: float


def usage() -> Usage:
    """How much is in it. Raises DatabaseError."""
    # Also in the order of turns, so that the one index serves both.
    found = SpooledEvent.objects.filter(state__in=WAITING).order_by()[: MOST + 1].count()
    oldest = max((_oldest(state, rank) for state in WAITING for rank in _ranks()), default=0.0) if found else 0.0
    return Usage(min(found, MOST), found > MOST, oldest, _count(Q(state=State.FAILED)))


def queues() -> list[Queue]:
    """Each priority. Raises DatabaseError."""
    now = datetime.now(UTC)
    return [
        Queue(
            name,
            waiting=_count(Q(state=State.SPOOLED, rank=rank, due_at__lte=now)),
            later=_count(Q(state=State.RETRYING, rank=rank))
            + _count(Q(state=State.SPOOLED, rank=rank, due_at__gt=now)),
            started=_count(Q(state=State.STARTED, rank=rank)),
            failed=_count(Q(state=State.FAILED, rank=rank)),
            trash=_count(Q(state=State.TRASH, rank=rank)),
            oldest=_oldest(State.SPOOLED, rank, now),
        )
        for rank, name in enumerate(settings.PRIORITIES)
    ]


def find(job_id: str) -> SpooledEvent | None:
    """The row of a job that the spool holds. Raises DatabaseError."""
    if "\0" in job_id:
        return None  # PostgreSQL refuses the question
    return SpooledEvent.objects.filter(id=job_id).defer("data").first()


def position(row: SpooledEvent, most: int) -> tuple[int, int] | None:
    """The place of one that waits in its queue, from 1, and how many go before it; None past `most`."""
    waiting = SpooledEvent.objects.filter(state=State.SPOOLED).order_by()
    here = waiting.filter(rank=row.rank, place__lt=row.place)[: most + 1].count()
    before = waiting.filter(rank__lt=row.rank)[: most + 1].count()
    return (here + 1, here + before) if here <= most and before <= most else None


def dead_letters(names: Sequence[str]) -> "QuerySet[SpooledEvent]":
    """The newest first."""
    ranks = [settings.PRIORITIES.index(name) for name in names]
    return SpooledEvent.objects.filter(state=State.FAILED, rank__in=ranks).order_by("-failed_at", "-id")


def _ranks() -> range:
    return range(len(settings.PRIORITIES))


def _count(what: Q) -> int:
    return SpooledEvent.objects.filter(what).order_by()[:MOST].count()


def _oldest(state: State, rank: int, due: datetime | None = None) -> float:
    """With `due`, of those whose time has come by then."""
    rows = SpooledEvent.objects.filter(state=state, rank=rank)
    row = (rows.filter(due_at__lte=due) if due else rows).order_by("place").values_list("place").first()
    return max(round(time.time() - row[0] / 1e9, 1), 0.0) if row else 0.0
