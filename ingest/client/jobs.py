"""Jobs, looked at."""

import json
from typing import Any, cast

from ingest.accept import user_digest
from ingest.client import calling
from ingest.client.errors import NotFound, looks
from ingest.kinds import KINDS
from ingest.queue import keys
from ingest.reading import jobs, lists, payloads, runs
from ingest.reading.fields import text
from ingest.reading.jobs import POSITION_CAP
from ingest.reading.lists import Page
from ingest.reading.runs import Attempt
from ingest.reading.shapes import Job


@looks
def get(job_id: str) -> Job:
    """One job: where it is, how it got on, its last error, what its handler says of its progress, its result.

    After its end it is told from its event's row, as long as that is kept. Raises NotFound.
    """
    found = jobs.read(job_id, calling.reader())
    if found is None:
        raise NotFound(f"No job has the id {job_id[:100]}.")
    return found


@looks
def get_user_request(user_id: str, *, kind: str = "message", tenant: str = "") -> Job | None:
    """The latest job of a user, by the field of its kind that names the user; None: none in the last 30 days."""
    if not KINDS[calling.kind(kind)].user_field:
        raise ValueError(f"events of the kind {kind} have no user")
    job_id = calling.reader().get(keys.latest(user_digest(kind, tenant, user_id)))
    return None if job_id is None else jobs.read(text(job_id), calling.reader())


@looks
def position(job_id: str) -> int | None:
    """The job's place in its queue: 1 is next; 10,001 stands for all places behind 10,000.

    None: it does not wait in a queue, or a rate limit holds it back. Raises NotFound.
    """
    found = get(job_id).position
    return POSITION_CAP + 1 if isinstance(found, str) else found


@looks
def progress(job_id: str) -> Any:
    """What the handler last said of how far it is, as it said it; None: nothing yet. Raises NotFound."""
    return get(job_id).progress


@looks
def log(job_id: str) -> list[str]:
    """The last 100 lines that the handler logged, oldest first; gone with the job."""
    return runs.log(calling.reader(), job_id)


@looks
def attempts(job_id: str) -> list[Attempt]:
    """The last 20 executions that failed, oldest first, with their tracebacks; gone with the job."""
    return runs.attempts(calling.reader(), job_id)


@looks
def payload(job_id: str) -> dict[str, Any]:
    """The event as it was sent, credentials included. Raises NotFound, also for an event that cannot be read."""
    body = payloads.carried(job_id, calling.reader()).body
    if body is None:
        raise NotFound(f"No event can be read under the id {job_id[:100]}.")
    return cast(dict[str, Any], json.loads(body))


@looks
def list_jobs(
    state: str, *, queue: str | None = None, kind: str | None = None, cursor: str | None = None, limit: int = 50
) -> Page:
    """One page of jobs in a state: queued, scheduled, retrying, started, finished, failed, trash or canceled.

    Give `next` as `cursor` for the page after it. Queued jobs come in their order, scheduled ones the soonest first,
    all others the newest first. A page may hold fewer than `limit` and not be the last: at most 5,000 jobs are looked
    at for one, and of a queue the first 20,000 (then `complete` is false). Finished ones are told from their rows.

    Raises ValueError for an unknown state, queue or kind, or a limit outside 1 to 500; BadCursor.
    """
    if state not in lists.STATES:
        raise ValueError(f"state must be one of {', '.join(lists.STATES)}, not {state!r}")
    if not 1 <= limit <= lists.MAX_LIMIT:
        raise ValueError(f"limit must be from 1 to {lists.MAX_LIMIT}, not {limit}")
    names = calling.queues(queue)
    if kind is not None:
        calling.kind(kind)
    return lists.jobs(calling.reader(), state, queues=names, kind=kind, cursor=cursor, limit=limit)
