"""Named jobs: run now, canceled, moved to another queue."""

from collections.abc import Sequence

from queueadmin.console.operations.moving import MoveResult, move_jobs
from queueadmin.console.operations.naming import known
from queueadmin.console.operations.reasons import need_reason


def run_now(ids: Sequence[str], *, actor: str, reason: str = "", of: str = "") -> MoveResult:
    """Put these jobs, which wait for their time or their retry, to the back of their queues at once.

    Raises redis.RedisError when Redis is away, AuditUnavailable when it and the database are; so do the others.
    """
    return move_jobs(
        ids,
        actor=actor,
        action="run_now",
        done="put into the queue",
        reason=reason,
        of=of,
        step=lambda transitions, name, chunk, _: transitions.run_now(name, chunk, by=actor),
    )


def cancel(ids: Sequence[str], *, actor: str, reason: str = "", of: str = "") -> MoveResult:
    """Cancel these jobs, which wait in a queue or for their time. There is no way back. Raises ReasonNeeded, too.

    What runs for an effect handler is asked to end, and is ended if it does not within a few seconds.
    """
    need_reason(ids, reason, "canceled")
    return move_jobs(
        ids,
        actor=actor,
        action="cancel",
        done="canceled",
        reason=reason,
        of=of,
        step=lambda transitions, name, chunk, _: transitions.cancel(name, chunk, by=actor),
        ask=lambda transitions, name, chunk, _: transitions.stop(name, chunk, by=actor),
    )


def move(ids: Sequence[str], *, to: str, actor: str, reason: str = "", of: str = "") -> MoveResult:
    """Put these jobs, which wait in a queue, to the back of another. Raises ValueError for an unknown one."""
    known(to)
    return move_jobs(
        ids,
        actor=actor,
        action="move",
        done=f"moved to the back of {to}",
        reason=reason,
        of=of,
        step=lambda transitions, name, chunk, _: transitions.move(name, chunk, to=to, by=actor),
    )
