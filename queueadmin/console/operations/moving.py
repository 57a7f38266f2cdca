"""What every operation on named jobs does: find their queues, move them in chunks, tell what had moved already."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import redis
from django.utils import timezone

from ingest import database
from ingest.models import Event
from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from ingest.reading.fields import FIELDS, fields, moment, pipelined
from ingest.reading.jobs import state_of
from queueadmin.console import audit
from queueadmin.console.audit import audited
from queueadmin.console.operations.naming import by_queue, target
from queueadmin.console.words import jobs, joined

#: The state of a job that nothing is left of.
GONE: Final = "gone"
#: Redis has it no more, and the database, which would know, is away.
UNKNOWN: Final = "unknown while the database is away"
#: Jobs of which nothing is left whose last mover the audit log is asked for, each by itself.
_ASKED: Final = 100

#: Moves some jobs of one queue, on behalf of an operation of the audit log; returns those that moved.
Step = Callable[[Transitions, str, Sequence[str], str], list[str]]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where a job is that an operation came too late for, and who moved it last, as far as that is known."""

    state: str
    moved_by: str | None = None
    moved_at: datetime | None = None

    def __str__(self) -> str:
        if not self.moved_by:
            return self.state
        return f"{self.state}, by {self.moved_by}{_when(self.moved_at)}"


@dataclass(frozen=True, slots=True)
class MoveResult:
    """`moved` really moved; `already` were not where the operation takes jobs from."""

    #: What happened to those that moved: "put back into the queue".
    done: str
    moved: tuple[str, ...] = ()
    already: Mapping[str, Elsewhere] = field(default_factory=dict)
    #: Of a cancel: these run, and were asked to end.
    asked: tuple[str, ...] = ()
    #: Its name in the audit log; of a discard what Undo is told.
    operation: str = ""

    @property
    def sentence(self) -> str:
        parts = [f"{jobs(len(self.moved))} {self.done}"] if self.moved else []
        if self.asked:
            parts.append(f"{jobs(len(self.asked))} asked to end, and canceled as soon as it does")
        if self.already:
            count = len(self.already)
            known = str(next(iter(self.already.values()))) if count == 1 else ""
            states = known or ", ".join(sorted({found.state for found in self.already.values()}))
            parts.append(f"{jobs(count)} had moved already ({states})")
        return joined(parts) if parts else "No job was named; nothing was changed."


def move_jobs(
    ids: Sequence[str],
    *,
    actor: str,
    action: str,
    done: str,
    reason: str,
    step: Step,
    ask: Step | None = None,
    of: str = "",
) -> MoveResult:
    """Move these jobs by `step`, which gets up to 100 of one queue and returns those that moved; audited.

    Of those that did not, `ask` returns the ones that were asked to end. `of` is how they were chosen, for the audit
    log in the place of their ids.

    Raises redis.RedisError when Redis is away, AuditUnavailable when both it and the database are.
    """
    wanted = list(dict.fromkeys(ids))
    named = of or target(wanted)
    with audited(actor=actor, action=action, target=named, count=len(wanted), reason=reason, in_redis=True) as outcome:
        client = connection()
        transitions = Transitions(client)
        moved: list[str] = []
        asked: list[str] = []
        for name, members in by_queue(client, wanted).items():
            for chunk in chunks(members):
                now = step(transitions, name, chunk, outcome.operation)
                moved += now
                left = [job_id for job_id in chunk if job_id not in now]
                asked += ask(transitions, name, left, outcome.operation) if ask is not None and left else []
                sentence = MoveResult(done, tuple(moved), asked=tuple(asked)).sentence
                outcome.count, outcome.sentence = len(moved) + len(asked), sentence
        gone = set(wanted).difference(moved, asked)
        already = elsewhere(client, [job_id for job_id in wanted if job_id in gone], outcome.operation)
        result = MoveResult(done, tuple(moved), already, tuple(asked), outcome.operation)
        outcome.count, outcome.sentence = len(moved) + len(asked), result.sentence
    return result


def elsewhere(client: redis.Redis, ids: Sequence[str], operation: str) -> dict[str, Elsewhere]:
    """Where each of these is now, and who moved it: as its hash says, else the audit log, this operation aside.

    Raises redis.RedisError.
    """
    hashes = pipelined(client, "hmget", [keys.job(job_id) for job_id in ids], FIELDS)
    known = dict(zip(ids, map(fields, hashes), strict=True))
    ended = _ended([job_id for job_id in ids if not known[job_id]["status"]], operation)
    return {job_id: ended.get(job_id) or _standing(known[job_id]) for job_id in ids}


def _standing(known: Mapping[str, str]) -> Elsewhere:
    by = known[keys.MOVED_BY] or None
    return Elsewhere(state_of(known), by, moment(known[keys.MOVED_AT]) if by else None)


def _ended(ids: Sequence[str], operation: str) -> dict[str, Elsewhere]:
    """Their hashes are gone: they were processed, which rows show, or deleted."""
    texts = [job_id for job_id in ids if "\0" not in job_id]
    try:
        rows = (Event.objects.filter(id__in=some).values_list("id", flat=True) for some in chunks(texts))
        done = set(itertools.chain.from_iterable(rows))
        movers = {job_id: audit.last_mover(job_id, operation) for job_id in texts[:_ASKED]}
    except database.ERRORS:
        database.close_broken()
        return dict.fromkeys(ids, Elsewhere(UNKNOWN))
    found = {}
    for job_id in ids:
        entry, state = movers.get(job_id), "finished" if job_id in done else GONE
        found[job_id] = Elsewhere(state, entry.actor, entry.at) if entry else Elsewhere(state)
    return found


def _when(moved_at: datetime | None) -> str:
    if moved_at is None:
        return ""
    at = moved_at.astimezone(UTC)
    today = at.date() == timezone.now().date()
    return f" at {at:%H:%M:%S} UTC" if today else f" on {at:%Y-%m-%d at %H:%M:%S} UTC"
