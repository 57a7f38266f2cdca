"""Taking back what stalled."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from ingest.queue.batching import CHUNK
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from ingest.signals import tell_dead
from queueadmin.console.audit import audited
from queueadmin.console.words import jobs, joined


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """Jobs whose lease had lapsed: `requeued` by queue, at the front; `dead` crashed too often."""

    requeued: Mapping[str, int] = field(default_factory=dict)
    dead: int = 0

    @property
    def total(self) -> int:
        return sum(self.requeued.values()) + self.dead

    @property
    def sentence(self) -> str:
        if not self.total:
            return "No job was stalled; nothing was changed."
        parts = [f"{jobs(count)} taken back to the front of {name}" for name, count in self.requeued.items()]
        if self.dead:
            parts.append(f"{jobs(self.dead)} crashed too often and became dead letters")
        return joined(parts)


def recover_stalled(*, actor: str, older_than: float | None = None, reason: str = "") -> RecoverResult:
    """Take back started jobs whose lease lapsed, or, with `older_than`, that started so many seconds ago.

    Raises redis.RedisError when Redis is away, AuditUnavailable when it and the database are.
    """
    target = "all" if older_than is None else f"all started over {older_than:g} s ago"
    with audited(actor=actor, action="recover_stalled", target=target, reason=reason, in_redis=True) as outcome:
        transitions = Transitions(connection())
        requeued: dict[str, int] = {}
        dead = 0
        for name in settings.PRIORITIES:
            taken = CHUNK
            while taken >= CHUNK:
                recovered = transitions.recover(name, limit=CHUNK, older_than=older_than)
                taken = recovered.requeued + recovered.dead + recovered.phantom
                if recovered.requeued:
                    requeued[name] = requeued.get(name, 0) + recovered.requeued
                dead += recovered.dead
                for failure in recovered.buried:
                    tell_dead(name, failure)
                result = RecoverResult(requeued, dead)
                outcome.count, outcome.sentence = result.total, result.sentence
    return result
