"""Dead letters that will never succeed: said so by somebody, and taken back."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from ingest.queue.batching import chunks
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from queueadmin.console.audit import audited
from queueadmin.console.failures import changes
from queueadmin.console.failures.writing import mark_permanent
from queueadmin.console.operations.naming import by_queue, target
from queueadmin.console.words import jobs, joined


@dataclass(frozen=True, slots=True)
class MarkResult:
    """`moved` changed; `left` were so already, or are no dead letters."""

    permanent: bool
    moved: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def sentence(self) -> str:
        done = "marked permanent: replays leave it" if self.permanent else "not permanent any more"
        if len(self.moved) != 1:
            done = done.replace("leave it", "leave them")
        parts = [f"{jobs(len(self.moved))} {done}"] if self.moved else []
        if self.left:
            parts.append(f"{jobs(len(self.left))} left as they were" if len(self.left) > 1 else "1 job left as it was")
        return joined(parts) if parts else "No job was named; nothing was changed."


def mark(ids: Sequence[str], *, permanent: bool, actor: str, reason: str = "") -> MarkResult:
    """Say of these dead letters that they will never succeed, so that whatever moves many at once leaves them, or take
    that back. One that is retried by itself has no mark any more.

    Raises redis.RedisError when Redis is away, AuditUnavailable when it and the database are.
    """
    wanted = list(dict.fromkeys(ids))
    action = "mark_permanent" if permanent else "unmark_permanent"
    with audited(
        actor=actor, action=action, target=target(wanted), count=len(wanted), reason=reason, in_redis=True
    ) as outcome:
        client = connection()
        transitions = Transitions(client)
        changed: set[str] = set()
        for name, members in by_queue(client, wanted).items():
            for chunk in chunks(members):
                changed.update(transitions.mark(name, chunk, permanent=permanent))
        moved = tuple(job_id for job_id in wanted if job_id in changed)
        result = MarkResult(permanent, moved, tuple(job_id for job_id in wanted if job_id not in changed))
        outcome.count, outcome.sentence = len(moved), result.sentence
    try:
        rows = mark_permanent(moved, permanent=permanent)
    except (DatabaseError, InterfaceError):
        rows = 0
    if rows < len(moved):  # one without a row may be on its way into the index, read before it was marked
        changes.note(client, moved)
    return result
