"""What a job carries: shown whole, replaced, sent once more."""

from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from ingest.accept import Unavailable, accept
from ingest.api import limits
from ingest.client.errors import AlreadyMoved, NotFound
from ingest.client.events import copy_of, replace_event
from ingest.queue.connections import NeedsRedis, connection
from ingest.reading import jobs, payloads
from queueadmin.console import editing
from queueadmin.console.audit import audited
from queueadmin.console.failures import changes
from queueadmin.console.failures.writing import mark_stale
from queueadmin.console.operations import spooled
from queueadmin.console.operations.moving import MoveResult
from queueadmin.console.operations.retries import retry

__all__ = ["AlreadyMoved", "ChangeResult", "CopyResult", "NotFound", "change_event", "duplicate", "reveal"]


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """A job's event was changed in so many lines, and the job put back into its queue when it was a dead letter."""

    changed: int
    retried: MoveResult | None

    @property
    def sentence(self) -> str:
        lines = "one line" if self.changed == 1 else f"{self.changed:,} lines"
        said = f"The event was changed in {lines}"
        return f"{said}; {self.retried.sentence}" if self.retried else f"{said}; the next execution has it."


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The new job's id, and the queue it waits in."""

    id: str
    queue: str

    @property
    def sentence(self) -> str:
        return f"Sent once more as {self.id}, which waits in {self.queue}."


def reveal(job_id: str, *, actor: str, reason: str = "") -> bytes | None:
    """The event as it was sent, credentials included; None: it cannot be read.

    Raises redis.RedisError, and AuditUnavailable: without an entry nothing is shown.
    """
    with audited(actor=actor, action="reveal", target=job_id, count=1, reason=reason) as outcome:
        body = payloads.carried(job_id).body
        outcome.count = int(body is not None)
        outcome.sentence = "The whole event was shown." if body else "There was no event to show."
    return body


def change_event(
    job_id: str, text: str, *, actor: str, reason: str = "", then_retry: bool = True, of: bytes | None = None
) -> ChangeResult:
    """Another event under the same id; what is covered in the text keeps its value. A dead letter is retried then.

    `of` is the event that the text was made from. Raises EditError, ValueError for an event that breaks a rule,
    NotFound, AlreadyMoved for a job that runs or is over, redis.RedisError and AuditUnavailable.
    """
    if spooled.hold([job_id]):
        raise NeedsRedis
    before = payloads.carried(job_id).body
    if before is None:
        raise NotFound(f"No event can be read under the id {job_id[:100]}.")
    if of is not None and of != before:
        raise editing.EditError("Somebody changed the event meanwhile. Look at it anew, then edit it.")
    after = editing.edited(text, before)
    most = max(limits.ITEM_BYTES, len(before))
    if len(after) > most:
        raise editing.EditError(f"An event has at most {most:,} bytes, not {len(after):,}.")
    told = editing.difference(before, after)
    if not told.changed:
        raise editing.EditError("Nothing was changed.")
    with audited(actor=actor, action="edit", target=job_id, count=1, reason=reason) as outcome:
        outcome.count = 0
        replace_event(job_id, after)
        outcome.count, outcome.sentence = 1, told.summary or "What is masked was changed."
    retried = retry([job_id], actor=actor, reason=reason) if then_retry and _is_dead(job_id) else None
    try:
        mark_stale(job_id)
    except (DatabaseError, InterfaceError):
        changes.note(connection(), [job_id])
    return ChangeResult(told.changed, retried)


def duplicate(job_id: str, *, actor: str, reason: str = "") -> CopyResult:
    """Send the job's event once more, as a job of its own with a new id, into the queue of its priority.

    Raises NotFound when it cannot be read, ValueError when it would not be taken any more,
    ingest.accept.Unavailable, redis.RedisError and AuditUnavailable.
    """
    with audited(actor=actor, action="duplicate", target=job_id, count=1, reason=reason) as outcome:
        outcome.count = 0
        event = copy_of(job_id)
        receipt = accept([event])[0]
        if receipt.outcome == "full":
            raise Unavailable(f"The queue {event.severity.mapped} is full.")
        if not receipt.stored:
            raise Unavailable("Redis went away while the event was sent.", unknown=receipt.outcome == "unknown")
        result = CopyResult(receipt.id, str(event.severity.mapped))
        outcome.count, outcome.sentence = 1, result.sentence
    return result


def _is_dead(job_id: str) -> bool:
    found = jobs.read(job_id)
    return found is not None and found.state == "failed"
