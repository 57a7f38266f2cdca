"""Into the trash, back out of it, and gone for good. What is in the trash can be restored for 24 hours."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from ingest.reading.fields import pipelined, text
from queueadmin.console.audit import audited
from queueadmin.console.operations.moving import MoveResult, move_jobs
from queueadmin.console.operations.naming import known
from queueadmin.console.operations.reasons import ReasonNeeded, need_reason, need_reason_for
from queueadmin.console.words import jobs


@dataclass(frozen=True, slots=True)
class EmptyResult:
    """How many jobs of the queue went into the trash."""

    queue: str
    moved: int
    #: Its name in the audit log, which Undo is told.
    operation: str = ""

    @property
    def sentence(self) -> str:
        if not self.moved:
            return f"No job waited in {self.queue}; nothing was changed."
        return f"{jobs(self.moved)} of {self.queue} moved to the trash, kept for 24 h."


def discard(ids: Sequence[str], *, actor: str, reason: str = "", of: str = "") -> MoveResult:
    """Move these jobs, which wait or are dead letters, to the trash.

    Raises redis.RedisError when Redis is away, AuditUnavailable when it and the database are; so do the others. This
    one raises ReasonNeeded, too.
    """
    need_reason(ids, reason)
    return move_jobs(
        ids,
        actor=actor,
        action="discard",
        done="moved to the trash, kept for 24 h",
        reason=reason,
        of=of,
        step=lambda transitions, name, chunk, operation: transitions.discard(
            name, chunk, by=actor, operation=operation
        ),
    )


def restore(ids: Sequence[str], *, actor: str, reason: str = "", of: str = "") -> MoveResult:
    """Take these jobs out of the trash, back to where they were."""
    return move_jobs(
        ids,
        actor=actor,
        action="restore",
        done="restored",
        reason=reason,
        of=of,
        step=lambda transitions, name, chunk, _: transitions.restore(name, chunk, by=actor),
    )


def purge(ids: Sequence[str], *, actor: str, reason: str = "") -> MoveResult:
    """Delete these jobs, which are in the trash. There is no way back, so ReasonNeeded is raised without a reason."""
    if not reason.strip():
        raise ReasonNeeded("What is deleted for good needs a reason.", len(set(ids)))
    return move_jobs(
        ids,
        actor=actor,
        action="purge",
        done="deleted for good",
        reason=reason,
        step=lambda transitions, name, chunk, _: transitions.purge(name, chunk),
    )


@dataclass(frozen=True, slots=True)
class CleanResult:
    """How many stored results went."""

    removed: int

    @property
    def sentence(self) -> str:
        if not self.removed:
            return "No finished job's result was stored; nothing was changed."
        return f"The stored results of {jobs(self.removed)} deleted; their events stay."


def clean_finished(*, actor: str, reason: str = "") -> CleanResult:
    """Delete what finished jobs returned, as far as it is still stored: a day at most, 1,000 of each queue.

    Their events stay as long as their kind is kept. Raises redis.RedisError, AuditUnavailable, and ReasonNeeded for
    those of more than REASON_FROM jobs without a reason.
    """
    client = connection()
    stored = sum(pipelined(client, "zcard", [keys.finished(name) for name in settings.PRIORITIES]))
    need_reason_for(stored, reason, "left without what they returned")
    with audited(actor=actor, action="clean_finished", target="stored results", reason=reason) as outcome:
        transitions = Transitions(client)
        seconds, _ = client.time()
        removed = 0
        for name in settings.PRIORITIES:
            ids = [text(job_id) for job_id in client.zrange(keys.finished(name), 0, -1)]
            # What ended until now; the script asks each job's own end.
            removed += len(transitions.forget(name, ids, before=seconds + 1))
            result = CleanResult(removed)
            outcome.count, outcome.sentence = removed, result.sentence
    return result


def empty(queue: str, *, actor: str, reason: str = "") -> EmptyResult:
    """Move all that waits in the queue now to the trash; what comes later stays.

    Raises ValueError for an unknown queue, ReasonNeeded for more than REASON_FROM jobs without a reason.
    """
    client = connection()
    pipe = client.pipeline(transaction=True)
    pipe.time()
    pipe.llen(keys.queue(known(queue)))
    pipe.scard(keys.tombstones(queue))
    pipe.hvals(keys.parked(queue))
    (seconds, micros), length, gone, parked = pipe.execute()
    waiting = max(0, length - gone) + sum(map(int, parked))
    need_reason_for(waiting, reason)
    with audited(actor=actor, action="empty", target=queue, count=waiting, reason=reason, in_redis=True) as outcome:
        transitions = Transitions(client)
        moved, more = 0, True
        while more:
            emptied = transitions.empty(queue, before=seconds + micros / 1e6, by=actor, operation=outcome.operation)
            moved, more = moved + emptied.moved, emptied.more
            result = EmptyResult(queue, moved, outcome.operation)
            outcome.count, outcome.sentence = moved, result.sentence
    return result
