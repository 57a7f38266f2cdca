"""Dead letters chosen by a filter: exactly those that matched when it was pressed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ingest.queue.batching import CHUNK
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from queueadmin.console.audit import audited
from queueadmin.console.dead_letters import Frozen, left_out
from queueadmin.console.operations.naming import known
from queueadmin.console.operations.reasons import need_reason_for
from queueadmin.console.words import joined

#: What the audit log says it was about when the filter is empty.
_ALL: Final = "all dead letters"


@dataclass(frozen=True, slots=True)
class FrozenResult:
    """Of `asked` dead letters `moved` really moved; `already` had moved, or failed anew, since they were frozen.

    `poison` and `permanent` matched as well, and were left out.
    """

    done: str
    asked: int
    moved: int = 0
    already: int = 0
    poison: int = 0
    permanent: int = 0
    #: Its name in the audit log; of a discard what Undo is told.
    operation: str = ""

    @property
    def sentence(self) -> str:
        what = "dead letter" if self.asked == 1 else "dead letters"
        parts = [f"{self.moved:,} of {self.asked:,} {what} {self.done}"]
        if self.already:
            others = "of them" if not self.moved else "other" if self.already == 1 else "others"
            parts.append(f"{self.already:,} {others} had moved already")
        if left := self.asked - self.moved - self.already:
            parts.append(f"{left:,} not reached")
        if told := left_out.told(self.poison, self.permanent):
            parts.append(told)
        return joined(parts)


#: Moves these dead letters of one queue, if they still have these scores; returns those that moved.
_Step = Callable[[Transitions, str, Mapping[str, float], str], list[str]]
#: Told after each chunk how far it is.
Tell = Callable[[FrozenResult], None]


def retry_frozen(
    frozen: Frozen,
    *,
    chosen: str,
    to: str | None = None,
    poison: int = 0,
    permanent: int = 0,
    actor: str,
    reason: str = "",
    tell: Tell | None = None,
) -> FrozenResult:
    """Put these back into their queues, or into the queue `to`, with all their retries, the longest dead first.

    `chosen` is the filter that chose them, `poison` and `permanent` how many of it were left out, for the audit log.
    Raises ValueError for an unknown queue, ReasonNeeded for more than REASON_FROM without a reason, redis.RedisError
    when Redis is away, AuditUnavailable when the database is.
    """
    done = "put back into the queue" if to is None else f"put into {known(to)}"
    return _move(
        frozen,
        FrozenResult(done, len(frozen), poison=poison, permanent=permanent),
        action="retry",
        asking="retried",
        step=lambda transitions, name, scores, _: transitions.requeue(name, scores, to=to, by=actor, scores=scores),
        chosen=chosen,
        actor=actor,
        reason=reason,
        tell=tell,
    )


def discard_frozen(
    frozen: Frozen, *, chosen: str, actor: str, reason: str = "", tell: Tell | None = None
) -> FrozenResult:
    """Move these to the trash. Raises as `retry_frozen`."""
    return _move(
        frozen,
        FrozenResult("moved to the trash, kept for 24 h", len(frozen)),
        action="discard",
        asking="removed",
        step=lambda transitions, name, scores, operation: transitions.discard(
            name, scores, by=actor, operation=operation, scores=scores
        ),
        chosen=chosen,
        actor=actor,
        reason=reason,
        tell=tell,
    )


def _move(
    frozen: Frozen,
    result: FrozenResult,
    *,
    action: str,
    asking: str,
    step: _Step,
    chosen: str,
    actor: str,
    reason: str,
    tell: Tell | None,
) -> FrozenResult:
    need_reason_for(result.asked, reason, asking)
    with audited(actor=actor, action=action, target=chosen or _ALL, count=result.asked, reason=reason) as outcome:
        transitions, result = Transitions(connection()), replace(result, operation=outcome.operation)
        for name, places in frozen.chunks(CHUNK):
            # One that was retried and failed again is another failure: the script leaves it.
            moved = len(step(transitions, name, {place.id: place.score for place in places}, outcome.operation))
            result = replace(result, moved=result.moved + moved, already=result.already + len(places) - moved)
            outcome.count, outcome.sentence = result.moved, result.sentence
            if tell:
                tell(result)
    return result
