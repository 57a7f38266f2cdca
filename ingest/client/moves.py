"""One job moved, or its event replaced. Each raises NotFound, or AlreadyMoved when it is not where it could be."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ingest.client import calling
from ingest.client.errors import AlreadyMoved, changes
from ingest.client.events import replace_event, why_not
from ingest.client.sending import as_json
from ingest.queue import keys
from ingest.queue.transitions import Transitions
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
    replace_event(job_id, as_json(event))


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
    raise why_not(job_id)
