"""A line on the charts, set by hand or by a deploy's script."""

from ingest.queue.connections import connection
from queueadmin.console.audit import audited
from queueadmin.console.figures import marks
from queueadmin.console.figures.marks import Mark


def add_mark(text: str, *, at: float, actor: str) -> Mark:
    """Have the charts show that something happened then. Raises RedisError and AuditUnavailable."""
    mark = Mark(at, text)
    with audited(actor=actor, action="mark", target=text, count=1) as outcome:
        marks.add(connection(), mark)
        outcome.count, outcome.sentence = 1, f"Marked “{text}”."
    return mark
