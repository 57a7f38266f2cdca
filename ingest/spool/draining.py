"""The spool into Redis: enqueue, the fsynced reply, then delete.

The job's id settles what is not known: a job that Redis has already, or whose marker it has, is a duplicate there and
is deleted here. A job without a marker that was even run meanwhile meets its row. So two who drain at once, and one
that dies between enqueueing and deleting, double nothing.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
from django.db.models import Exists, OuterRef, Q, QuerySet

from ingest import database
from ingest.models import SpooledEvent
from ingest.queue.transitions import EnqueueResult, NewJob
from ingest.spool.rows import State, delete, new_job

logger = logging.getLogger(__name__)

#: Rows read, and deleted, at a time.
ROWS: Final = 500
#: What waits for Redis. The dead letters of a time with REDIS=false stay here until somebody retries them.
WAITING: Final = (State.SPOOLED, State.RETRYING, State.STARTED)


class Enqueue(Protocol):
    """As `Transitions.enqueue`."""

    def __call__(self, jobs: Sequence[NewJob], *, request_id: str | None = None) -> list[EnqueueResult]: ...


@dataclass(frozen=True, slots=True)
class Drained:
    """How many became jobs, and how many Redis had already."""

    enqueued: int = 0
    duplicates: int = 0
    #: Nothing was left.
    empty: bool = True

    @property
    def total(self) -> int:
        return self.enqueued + self.duplicates


def drain(enqueue: Enqueue, goes_on: Callable[[], bool]) -> Drained:
    """The higher priority first, of each the oldest, until nothing is left or `goes_on()` is false.

    Those of one ordering key go as they came. Raises RedisError, DatabaseAway and DatabaseError; what was done by then
    is done.
    """
    enqueued = duplicates = 0
    while goes_on():
        rows = list(_next().order_by("rank", "place")[:ROWS])
        if not rows:
            return Drained(enqueued, duplicates, empty=True)
        now = datetime.now(UTC)
        jobs = [new_job(row, now) for row in rows]
        # Another one who sends just these rows within five minutes gets the same reply.
        results = enqueue(jobs, request_id=_request_id(rows))
        settled = [_settled(enqueue, job, result) for job, result in zip(jobs, results, strict=True)]
        database.in_transaction(lambda: delete(result.id for result in settled))  # noqa: B023 - called at once
        accepted = sum(result.accepted for result in settled)
        enqueued, duplicates = enqueued + accepted, duplicates + len(settled) - accepted
    return Drained(enqueued, duplicates, empty=False)


def _next() -> "QuerySet[SpooledEvent]":
    """What may go: an event never before a less urgent one of its ordering key that came earlier."""
    same = SpooledEvent.objects.filter(ordering_key=OuterRef("ordering_key"), place__lt=OuterRef("place"))
    ahead = same.filter(rank__gt=OuterRef("rank"), state__in=WAITING)
    return SpooledEvent.objects.filter(Q(ordering_key="") | ~Exists(ahead), state__in=WAITING)


def _settled(enqueue: Enqueue, job: NewJob, result: EnqueueResult) -> EnqueueResult:
    """Two bodies under one id, each accepted by a store that could not see the other: both are kept."""
    if result.outcome != "id_reused":
        return result
    new_id = hashlib.sha256(f"{job.id}\0{job.body_hash}".encode()).hexdigest()[:32]
    logger.warning("event %s was accepted twice with different bodies; the spooled one goes on as %s", job.id, new_id)
    [again] = enqueue([msgspec.structs.replace(job, id=new_id)])
    return msgspec.structs.replace(again, id=job.id)


def _request_id(rows: Sequence[SpooledEvent]) -> str:
    """By the rows, not by the ids alone: an id may come again, when its job is gone."""
    text = "\0".join(f"{row.id} {row.place}" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
