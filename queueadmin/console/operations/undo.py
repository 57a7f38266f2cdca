"""Brings back what one operation put into the trash: exactly that, once, and says what could not come back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from queueadmin.console import undoing
from queueadmin.console.audit import audited
from queueadmin.console.models import Replay
from queueadmin.console.operations.moving import Elsewhere, elsewhere
from queueadmin.console.operations.replays import ReplayResult, start_undo
from queueadmin.console.words import jobs, joined

#: More are brought back by maintenance, step by step: these take half a second of a request.
AT_ONCE: Final = 10_000
#: Jobs that a sentence names.
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class UndoResult:
    """`restored` came back; `left` did not, and are elsewhere."""

    restored: int = 0
    left: Mapping[str, Elsewhere] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        if not self.restored and not self.left:
            return "There is nothing to bring back: it came back already, or its 24 hours are over."
        parts = [f"{jobs(self.restored)} restored"]
        if self.left:
            named = ", ".join(f"{job_id} ({where})" for job_id, where in list(self.left.items())[:_NAMED])
            more = f" and {len(self.left) - _NAMED:,} more" if len(self.left) > _NAMED else ""
            parts.append(f"{jobs(len(self.left))} could not come back: {named}{more}")
        return joined(parts)


def undo(operation: str, *, actor: str, reason: str = "") -> UndoResult | ReplayResult:
    """Take what this operation put into the trash back to where it was; more than AT_ONCE jobs as a replay.

    One that somebody moved since, also if they discarded it again, is left as it is. Raises redis.RedisError when
    Redis is away, AuditUnavailable when it and the database are, DatabaseError when a replay cannot be begun.
    """
    client = connection()
    asked = undoing.count(client, operation)
    if not asked:
        return UndoResult()
    if asked > AT_ONCE:
        if under_way := Replay.objects.filter(undoes=operation, settled=False).first():
            return ReplayResult(under_way, f"Replay {under_way.pk} brings it back already.", changed=False)
        return start_undo(operation, actor=actor, reason=reason)
    with audited(actor=actor, action="undo", target=operation, count=asked, reason=reason, in_redis=True) as outcome:
        transitions = Transitions(client)
        found = undoing.trashed(client, operation)
        moved: set[str] = set()
        for queue, members in groupby(found, lambda each: each.queue):
            for chunk in chunks(members):
                scores = {each.id: each.score for each in chunk}
                moved.update(transitions.restore(queue, scores, by=actor, scores=scores))
                outcome.count, outcome.sentence = len(moved), f"{jobs(len(moved))} restored."
        left = [each.id for each in found if each.id not in moved]
        result = UndoResult(len(moved), elsewhere(client, left, outcome.operation))
        # Nothing of these is left to bring back; one that was interrupted can be pressed again. What the operation, if
        # it still runs, puts into the trash meanwhile stays known.
        client.ltrim(keys.undo(operation), len(found), -1)
        outcome.sentence = result.sentence
    return result
