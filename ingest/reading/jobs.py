"""One job as the contract shows it: from its hash, else from the spool, and after its end from its event's row."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import redis
from django.conf import settings

from ingest.kinds import TASK
from ingest.models import Event
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.reading import runs, spooled
from ingest.reading.fields import FIELDS, TASK_TYPE, failed_at, fields, moment, number, text
from ingest.reading.shapes import Job, JobError

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


def read(job_id: str, client: redis.Redis | None = None) -> Job | None:
    """One job; None when neither Redis nor the spool nor a row knows it.

    Raises redis.RedisError when Redis is away and may know it.
    """
    try:
        return _read(job_id, client or connection())
    except redis.RedisError:
        # What has a row is over, whatever Redis will say of it.
        found = spooled.job(job_id) or _from_row(job_id)
        if found is None and settings.REDIS:
            raise
        return found


def _read(job_id: str, client: redis.Redis) -> Job | None:
    # First which queue it is in: searching the others as well would take Redis four times as long.
    name, lane = map(text, client.hmget(keys.job(job_id), ["origin", keys.LANE]))
    ours = name in settings.PRIORITIES
    before = settings.PRIORITIES[: settings.PRIORITIES.index(name)] if ours else ()
    pipe = client.pipeline(transaction=True)
    pipe.hmget(keys.job(job_id), FIELDS)
    if ours:
        pipe.zscore(keys.scheduled(name), job_id)
        pipe.zscore(keys.failed(name), job_id)
        # From the head and from the end: whoever asks sent it just now, mostly.
        pipe.lpos(_line(name, lane), job_id, maxlen=POSITION_CAP)
        pipe.lpos(_line(name, lane), job_id, rank=-1, maxlen=POSITION_CAP)
        pipe.zrank(keys.behind(name), job_id)
        for each in (*before, name):
            pipe.llen(_line(each, lane))
            pipe.scard(keys.tombstones(each))
    values, *rest = pipe.execute()
    found = fields(values)
    if not found["status"]:
        return spooled.job(job_id) or _from_row(job_id)
    job = shape(job_id, found)
    if job.state == "finished":
        return replace(job, result=runs.result(client, job_id))
    if not ours:
        return job
    due, failed, from_head, from_end, behind, *lengths = rest
    if job.state in ("scheduled", "retrying") and due is not None:
        return replace(job, next_attempt_at=datetime.fromtimestamp(float(due), UTC))
    if job.state == "failed" and job.error and failed is not None:
        return replace(job, error=replace(job.error, at=failed_at(float(failed), found["ended_at"])))
    if job.state != "queued":
        return job
    waiting = {each: max(0, lengths[i * 2] - lengths[i * 2 + 1]) for i, each in enumerate(before)}
    length, gone = lengths[-2:]
    if behind is not None:
        # Its turn comes at the back of the list, after those that wait for theirs before it.
        turn = client.hget(keys.TURNS, found[keys.ORDERING_KEY])
        return placed(replace(job, waits_for=text(turn) or None), max(0, length - gone) + behind, waiting)
    index = from_end if from_head is None else from_head
    if index is None:
        return replace(job, position=f">{POSITION_CAP}") if length > POSITION_CAP else job
    here = index - (_gone_before(client, name, lane, index, length, gone) if gone else 0)
    return placed(job, here, waiting)


def _line(queue: str, lane: str) -> str:
    """Where it waits: with the others, or with those that workers of its type run."""
    return keys.parked_jobs(queue, keys.lane(lane)) if lane else keys.queue(queue)


def placed(job: Job, here: int, before: Mapping[str, int]) -> Job:
    """With so many jobs of its own queue ahead of it, and so many of each that is served before."""
    position = here + 1 if here < POSITION_CAP else f">{POSITION_CAP}"
    by_queue = {**before, str(job.queue): here}
    return replace(job, position=position, ahead=sum(by_queue.values()), ahead_by_queue=by_queue)


def _gone_before(client: redis.Redis, name: str, lane: str, index: int, length: int, gone: int) -> int:
    """How many of the first `index` ids are of jobs that are elsewhere; at most POSITION_CAP are looked at."""
    if index <= POSITION_CAP:
        return _gone_among(client, name, lane, 0, index - 1) if index else 0
    return max(0, gone - _gone_among(client, name, lane, index, -1)) if length - index <= POSITION_CAP else 0


def _gone_among(client: redis.Redis, name: str, lane: str, first: int, last: int) -> int:
    ids = client.lrange(_line(name, lane), first, last)
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
            frames=found[keys.FRAMES] or None,
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
        # Points have a type too, their stream.
        task_type=(found.get(TASK_TYPE) or None) if found[keys.KIND] == TASK.name else None,
        stopping=state == "started" and bool(found[keys.STOPPING]),
        replay=number(found[keys.REPLAY]) or None,
        # One that a replay put back keeps the mark for as long as it may be given back.
        permanent=bool(found[keys.PERMANENT]) and "failed" in (state, found[keys.TRASHED_FROM]),
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
        result=None if event.result is None else json.loads(event.result),
    )


def _from_row(job_id: str) -> Job | None:
    if "\0" in job_id:
        return None  # PostgreSQL refuses the question
    event = Event.objects.filter(id=job_id, processed_at__isnull=False).order_by("-received_at").first()
    return of_row(event) if event else None
