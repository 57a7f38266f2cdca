"""One job as the contract shows it: from its hash, and after its end from its event's row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import redis
from django.conf import settings

from ingest.models import Event
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.reading import runs
from ingest.reading.fields import FIELDS, failed_at, fields, moment, number

#: The position is looked for in so many ids from the head; beyond, only "more than" is told.
POSITION_CAP: Final = 10_000

#: RQ's words → ours. `scheduled` after a failed execution is `retrying`.
_STATES: Final = {
    "created": "queued",
    "queued": "queued",
    "deferred": "scheduled",
    "scheduled": "scheduled",
    "started": "started",
    "finished": "finished",
    "failed": "failed",
    "stopped": "failed",
    "canceled": "canceled",
}


@dataclass(frozen=True, slots=True)
class JobError:
    """The last failure."""

    type: str | None
    message: str | None
    #: error, timeout, poison, permanent, unreadable or not_allowed.
    reason: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    """One job; all times are aware."""

    id: str
    #: The client's id.
    event_id: str | None
    kind: str | None
    source: str | None
    tenant: str | None
    #: One of the contract's words.
    state: str
    queue: str | None
    priority: str | None
    #: 1 is next; `>10000` past the cap; None: it does not wait in a queue, or a rate limit holds it back.
    position: int | str | None
    #: Jobs that come before it, those of higher queues included; None: not known.
    ahead: int | None
    #: Executions of its whole life; None: not known any more.
    attempts: int | None
    attempts_left: int
    crashes: int
    received_at: datetime | None
    enqueued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    next_attempt_at: datetime | None
    error: JobError | None
    #: The operator who moved it last, and when; None: nobody did, or it is not known any more.
    moved_by: str | None
    moved_at: datetime | None
    #: When it was discarded, while it is in the trash, and where it was: queued, scheduled or failed.
    trashed_at: datetime | None
    trashed_from: str | None
    #: What its handler last said of it: any JSON value; None: nothing yet.
    progress: Any
    #: What its handler returned, while that is kept; only `read` looks for it.
    result: Any


def read(job_id: str, client: redis.Redis | None = None) -> Job | None:
    """One job; None when neither Redis nor a row knows it. Raises redis.RedisError when Redis is away."""
    client = client or connection()
    pipe = client.pipeline(transaction=True)
    pipe.hmget(keys.job(job_id), FIELDS)
    for name in settings.PRIORITIES:
        pipe.llen(keys.queue(name))
        pipe.scard(keys.tombstones(name))
        pipe.lpos(keys.queue(name), job_id, maxlen=POSITION_CAP)
        pipe.zscore(keys.scheduled(name), job_id)
        pipe.zscore(keys.failed(name), job_id)
    values, *rest = pipe.execute()
    found = fields(values)
    if not found["status"]:
        return _from_row(job_id)
    job = shape(job_id, found)
    if job.state == "finished":
        return replace(job, result=runs.result(client, job_id))
    if job.queue not in settings.PRIORITIES:
        return job
    order = settings.PRIORITIES.index(job.queue)
    length, gone, index, due, failed = rest[order * 5 : order * 5 + 5]
    if job.state in ("scheduled", "retrying") and due is not None:
        return replace(job, next_attempt_at=datetime.fromtimestamp(float(due), UTC))
    if job.state == "failed" and job.error and failed is not None:
        return replace(job, error=replace(job.error, at=failed_at(float(failed), found["ended_at"])))
    if job.state == "queued" and index is not None:
        here = index - (_gone_before(client, job.queue, index) if gone else 0)
        before = sum(max(0, rest[i * 5] - rest[i * 5 + 1]) for i in range(order))
        return replace(job, position=here + 1, ahead=before + here)
    if job.state == "queued" and length > POSITION_CAP:
        return replace(job, position=f">{POSITION_CAP}")
    return job


def _gone_before(client: redis.Redis, name: str, index: int) -> int:
    """How many of the first `index` ids, at most POSITION_CAP, are of jobs that are elsewhere."""
    ids = client.lrange(keys.queue(name), 0, index - 1) if index else []
    return sum(client.smismember(keys.tombstones(name), ids)) if ids else 0


def state_of(found: Mapping[str, str]) -> str:
    """The contract's word, by the fields of the job's hash."""
    if found[keys.TRASHED_AT]:
        return "trash"
    state = _STATES.get(found["status"], found["status"])
    return "retrying" if state == "scheduled" and number(found[keys.ATTEMPTS]) else state


def shape(job_id: str, found: Mapping[str, str]) -> Job:
    """A job by the fields of its hash alone."""
    ended, left = number(found[keys.ATTEMPTS]), number(found["retries_left"])
    state = state_of(found)
    error = None
    if found[keys.ERROR_TYPE] or found[keys.REASON]:
        error = JobError(
            type=found[keys.ERROR_TYPE] or None,
            message=found[keys.ERROR_MESSAGE] or None,
            reason=found[keys.REASON] or None,
            at=moment(found["ended_at"]),
        )
    return Job(
        id=job_id,
        event_id=found[keys.EVENT_ID] or None,
        kind=found[keys.KIND] or None,
        source=found[keys.SOURCE] or None,
        tenant=found[keys.TENANT] or None,
        state=state,
        queue=found["origin"] or None,
        priority=found["origin"] or None,
        position=None,
        ahead=None,
        # The hash counts executions that ended in a failure; the one that runs now is one more.
        attempts=ended + (state in ("started", "finished")),
        attempts_left={"failed": 0, "finished": 0, "trash": 0, "canceled": 0, "started": left}.get(state, left + 1),
        crashes=number(found[keys.CRASHES]),
        received_at=moment(found[keys.RECEIVED_AT]),
        enqueued_at=moment(found["enqueued_at"]),
        started_at=moment(found["started_at"]),
        finished_at=moment(found["ended_at"]) if state in ("finished", "failed", "canceled") else None,
        next_attempt_at=None,
        error=error,
        moved_by=found[keys.MOVED_BY] or None,
        moved_at=moment(found[keys.MOVED_AT]),
        trashed_at=moment(found[keys.TRASHED_AT]),
        trashed_from=found[keys.TRASHED_FROM] or None,
        progress=_progress(found[keys.PROGRESS]),
        result=None,
    )


def _progress(found: str) -> Any:
    try:
        return json.loads(found) if found else None
    except (ValueError, RecursionError):
        return None


def of_row(event: Event) -> Job:
    """The job of an event that was processed; its hash is gone with its completion."""
    known = {"status": "finished", keys.KIND: event.kind, "origin": event.priority}
    return replace(
        shape(event.id, dict.fromkeys(FIELDS, "") | known),
        event_id=event.event_id,
        source=event.source or None,
        tenant=event.tenant or None,
        # How often it ran was in the hash; that it ran is certain.
        attempts=None,
        received_at=event.received_at,
        finished_at=event.processed_at,
    )


def _from_row(job_id: str) -> Job | None:
    if "\0" in job_id:
        return None  # PostgreSQL refuses the question
    event = Event.objects.filter(id=job_id, processed_at__isnull=False).order_by("-received_at").first()
    return of_row(event) if event else None
