"""One job as the spool holds it."""

from datetime import datetime
from typing import Final

from django.conf import settings

from ingest import frames
from ingest.models import SpooledEvent
from ingest.queue import payload
from ingest.reading.shapes import Job, JobError
from ingest.spool import reading
from ingest.spool.rows import State, rest

#: The position is counted so far; beyond, only "more than" is told.
POSITION_CAP: Final = 10_000


def job(job_id: str) -> Job | None:
    """None: it is not in the spool. Raises DatabaseError."""
    row = reading.find(job_id)
    return of_row(row, located=True) if row else None


def of_row(row: SpooledEvent, *, located: bool = False) -> Job:
    """Its position costs two counts; `located` says that it is worth them."""
    failed, waits = row.state == State.FAILED, row.state == State.SPOOLED
    place = reading.position(row, POSITION_CAP) if located and waits else None
    due: datetime | None = row.due_at if row.state == State.RETRYING or row.due_at > row.received_at else None
    found = frames.ours(row.traceback) if failed else None
    error = JobError(row.error_type or None, row.error_message or None, row.reason or None, row.failed_at, found)
    queue = settings.PRIORITIES[row.rank]
    return Job(
        id=row.id,
        event_id=row.event_id,
        kind=row.kind,
        source=row.source or None,
        tenant=row.tenant or None,
        state=row.state,
        queue=queue,
        priority=queue,
        position=(place[0] if place else f">{POSITION_CAP}") if located and waits else None,
        ahead=place[1] if place else None,
        attempts=row.attempts + (row.state == State.STARTED),
        attempts_left=0 if failed or row.state == State.TRASH else row.retries_left + (row.state != State.STARTED),
        crashes=row.crashes,
        received_at=row.received_at,
        enqueued_at=None,
        started_at=row.started_at,
        finished_at=row.failed_at if failed else None,
        next_attempt_at=due if waits or row.state == State.RETRYING else None,
        error=error if row.reason else None,
        moved_by=None,
        moved_at=None,
        trashed_at=row.failed_at if row.state == State.TRASH else None,
        trashed_from="failed" if row.state == State.TRASH else None,
        progress=None,
        result=None,
        task_type=rest(row).type or None,
    )


def body(row: SpooledEvent) -> bytes | None:
    """The event as it was sent; None when it cannot be read."""
    try:
        return payload.body_of(bytes(row.data))
    except payload.Unreadable:
        return None
