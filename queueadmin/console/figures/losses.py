"""A loss of Redis, in words. Maintenance notices it; it stands on every page until an operator has understood."""

from ingest.maintenance import mirror
from ingest.models import RedisLoss
from queueadmin.console.figures.snapshot import Loss
from queueadmin.console.words import jobs, listed

_NEXT = (
    "What was processed is in the database. Put the old data of Redis back, or have the rest sent again."
    " Then press Understood."
)


def open_loss() -> Loss | None:
    """The first loss that nobody has understood yet. Raises DatabaseError."""
    row = mirror.open_loss()
    return described(row) if row else None


def described(row: RedisLoss) -> Loss:
    return Loss(
        id=row.pk,
        sentence=_sentence(row),
        next=_NEXT if row.held or row.missing else "Nothing was in it; press Understood.",
        at=row.detected_at.timestamp(),
        held=row.held,
    )


def _sentence(row: RedisLoss) -> str:
    held = f"it held {jobs(row.held)}{_by_state(row)}"
    if row.kind == RedisLoss.Kind.EMPTY:
        return f"Redis came back empty: {held}."
    missing = f"at least {row.missing:,} accepted events are missing; " if row.missing else ""
    return f"Redis came back older than it was: {missing}{held}."


def _by_state(row: RedisLoss) -> str:
    counts = (
        (row.waiting, "waiting"),
        (row.scheduled, "scheduled"),
        (row.started, "running"),
        (row.failed, "dead letters"),
        (row.trash, "in the trash"),
    )
    named = [f"{count:,} {word}" for count, word in counts if count]
    return f" ({listed(named)})" if named else ""
