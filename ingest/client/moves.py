"""One job moved, or its event replaced. Each raises NotFound, or AlreadyMoved when it is not where it could be."""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ingest.api.keys import Sender
from ingest.api.schema import Rejected, read_event
from ingest.client import calling
from ingest.client.errors import AlreadyMoved, NotFound, changes
from ingest.client.sending import INTERNAL, as_json
from ingest.queue import keys
from ingest.queue import payload as envelope
from ingest.queue.transitions import Transitions
from ingest.reading import jobs
from ingest.reading.fields import text

#: Steps take the queue that the job is in, which somebody may change in between.
_TRIES: Final = 3

#: Takes the transitions, a queue and an id in a list; returns the ids that moved.
_Step = Callable[[Transitions, str, list[str]], list[str]]


@changes
def retry(job_id: str, *, to: str | None = None, by: str = "") -> None:
    """A dead letter back to the end of its queue, or of the queue `to`, with all its retries again."""
    if to is not None:
        calling.queue(to, "to")
    who = calling.actor(by)
    _move(job_id, lambda run, queue, ids: run.requeue(queue, ids, to=to, by=who))


@changes
def run_now(job_id: str, *, by: str = "") -> None:
    """A delayed job, or one that waits for its retry, to the end of its queue."""
    who = calling.actor(by)
    _move(job_id, lambda run, queue, ids: run.run_now(queue, ids, by=who))


@changes
def move(job_id: str, to: str, *, by: str = "") -> None:
    """A queued job to the end of another queue."""
    calling.queue(to, "to")
    who = calling.actor(by)
    _move(job_id, lambda run, queue, ids: run.move(queue, ids, to=to, by=who))


@changes
def cancel(job_id: str, *, by: str = "") -> None:
    """A queued, delayed or retrying job will not run; it can be looked up for 24 hours. There is no way back.

    One that runs for an effect handler is asked to end, and ended if it goes on for 5 seconds.
    """
    who = calling.actor(by)
    _move(job_id, lambda run, queue, ids: run.cancel(queue, ids, by=who) or run.stop(queue, ids, by=who))


@changes
def remove(job_id: str, *, by: str = "") -> None:
    """A queued, delayed, retrying or failed job into the trash, from where `restore` takes it back for 24 hours.

    Of a finished job the stored result is deleted. A running one cannot be removed.
    """
    who = calling.actor(by)

    def discard(run: Transitions, queue: str, ids: list[str]) -> list[str]:
        # Without a lower bound on its age, a result goes whatever the clocks say.
        return run.discard(queue, ids, by=who) or run.forget(queue, ids, before=time.time() + 86_400)

    try:
        _move(job_id, discard)
    except AlreadyMoved as error:
        if error.state != "finished":
            raise


@changes
def restore(job_id: str, *, by: str = "") -> None:
    """A job out of the trash, back to where it was."""
    who = calling.actor(by)
    _move(job_id, lambda run, queue, ids: run.restore(queue, ids, by=who))


@changes
def update_payload(job_id: str, event: Mapping[str, Any]) -> None:
    """Another event under the same id, for the next execution: while the job is queued, scheduled, retrying or failed.

    The whole event is replaced; to change one field, give `payload(job_id) | {field: value}`. Its kind, id, source,
    tenant, queue and time stay what they are, whatever the new event says. Raises ValueError as `enqueue` does.
    """
    data = calling.writer().hget(keys.job(job_id), "data")
    if data is None:
        raise _why_not(job_id)
    try:
        before = envelope.decode(data if isinstance(data, bytes) else data.encode(), job_id)
    except envelope.Unreadable as error:
        raise ValueError(f"The job's own event cannot be read: {error}") from None
    body = as_json(event)
    as_kind = body if "kind" in event else as_json({**event, "kind": before.kind})
    sender = Sender("client", frozenset({"ingest"}), None, tenant=before.tenant, source=before.source)
    read = read_event(as_kind, sender, INTERNAL)
    if isinstance(read, Rejected):
        raise ValueError(read.problem.detail)
    if read.kind.name != before.kind:
        raise ValueError(f"kind must stay {before.kind}, not become {read.kind.name}.")
    after = envelope.encode(msgspec.structs.replace(before, body=body))
    body_hash = hashlib.sha256(read.repeat.encode() or body).hexdigest()
    changed, state = calling.transitions().update(job_id, data=after, body_hash=body_hash)
    if not changed:
        raise _why_not(job_id, state)


def _move(job_id: str, step: _Step) -> None:
    """Raises NotFound and AlreadyMoved."""
    run, client = calling.transitions(), calling.writer()
    queue = ""
    for _ in range(_TRIES):
        before, queue = queue, text(client.hget(keys.job(job_id), "origin"))
        if not queue or queue == before:
            break
        if step(run, queue, [job_id]):
            return
    raise _why_not(job_id)


def _why_not(job_id: str, state: str = "") -> Exception:
    found = jobs.read(job_id, calling.writer())
    if found is None:
        return NotFound(f"No job has the id {job_id[:100]}.")
    return AlreadyMoved(job_id, state or found.state, found.moved_by, found.moved_at)
