"""Operations as the log has them: each intent with its outcome, the newest first. Only reads."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from django.db.models import Q
from django.utils import timezone

from ingest.credentials import masked_text
from ingest.reading.cursors import BadCursor
from queueadmin.console.audit.chain import BEGUN
from queueadmin.console.audit.filters import condition, has_failed
from queueadmin.console.filters import Filter
from queueadmin.console.models import AuditEntry

#: Operations that are counted at most.
COUNTED: Final = 10_000
#: Operations that an export reads at once.
_AT_ONCE: Final = 500
#: For how long the trash keeps what was discarded.
_KEPT: Final = timedelta(hours=24)

State = Literal["done", "failed", "running", "died"]


@dataclass(frozen=True, slots=True)
class Operation:
    """Who did what, to what, how many, why, and what came of it. Credentials are masked."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str
    #: How many were asked for, where that was known.
    asked: int | None
    #: How many were touched. None: it has no outcome, or is not about a number of things.
    count: int | None
    reason: str
    state: State
    #: What it really did, in one sentence.
    outcome: str
    ended_at: datetime | None

    @property
    def undo(self) -> str:
        """What Undo is told to bring back what this put into the trash; empty: it did not, or that is over.

        One that died may have put some there: nobody could say how many.
        """
        fresh = timezone.now() - self.at < _KEPT
        if not fresh or self.count == 0:
            return ""
        if self.action in ("discard", "empty"):
            return self.id
        return self.target.replace(" ", "-") if self.action == "end_discard" else ""


@dataclass(frozen=True, slots=True)
class Page:
    """The newest come first."""

    items: Sequence[Operation]
    #: Where the next page begins. None: there is none.
    next: str | None


def page(asked: Filter, *, cursor: str = "", limit: int) -> Page:
    """The operations that match, `limit` of them at most. Raises BadCursor."""
    now = timezone.now()
    listed = AuditEntry.objects.filter(condition(asked, now))
    if cursor:
        at, key = _place(cursor)
        # The second part is what an index can begin at; the first is exact.
        listed = listed.filter(Q(at__lt=at) | Q(pk__lt=key), at__lte=at)
    found = list(listed.order_by("-at", "-id")[: limit + 1])
    return Page(_operations(found[:limit], now), _cursor(found[limit - 1]) if len(found) > limit else None)


def every(asked: Filter) -> Iterator[Operation]:
    """All operations that match, read a part at a time."""
    asked = asked.fixed(timezone.now())
    cursor: str | None = ""
    while cursor is not None:
        part = page(asked, cursor=cursor, limit=_AT_ONCE)
        yield from part.items
        cursor = part.next


def count(asked: Filter) -> int:
    """How many match; COUNTED stands for that many or more."""
    return AuditEntry.objects.filter(condition(asked, timezone.now()))[:COUNTED].count()


def newer(asked: Filter, since: datetime) -> int:
    """How many that match began after this moment; COUNTED stands for that many or more."""
    return AuditEntry.objects.filter(condition(asked, timezone.now()), at__gt=since)[:COUNTED].count()


def actions() -> list[str]:
    """Every action that was ever done, in the order of the alphabet."""
    return list(AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct())


def find(operation: str) -> Operation | None:
    """The one with this id."""
    if "\0" in operation:
        return None
    intents = AuditEntry.objects.filter(operation=operation, step=AuditEntry.Step.INTENT)
    return next(iter(_operations(list(intents[:1]), timezone.now())), None)


def shown(operation: Operation) -> dict[str, Any]:
    """One operation in the API's shape."""
    return {
        "id": operation.id,
        "at": operation.at,
        "actor": operation.actor,
        "action": operation.action,
        "target": operation.target,
        "asked": operation.asked,
        "count": operation.count,
        "reason": operation.reason or None,
        "state": operation.state,
        "outcome": operation.outcome or None,
        "ended_at": operation.ended_at,
    }


def _operations(intents: Sequence[AuditEntry], now: datetime) -> list[Operation]:
    names = [intent.operation for intent in intents]
    ended = AuditEntry.objects.filter(operation__in=names, step=AuditEntry.Step.OUTCOME)
    outcomes = {outcome.operation: outcome for outcome in ended}
    return [_operation(intent, outcomes.get(intent.operation), now) for intent in intents]


def _operation(intent: AuditEntry, outcome: AuditEntry | None, now: datetime) -> Operation:
    state: State = "running" if now - intent.at <= BEGUN else "died"
    if outcome is not None:
        state = "failed" if has_failed(outcome) else "done"
    return Operation(
        id=intent.operation,
        at=intent.at,
        actor=intent.actor,
        action=intent.action,
        target=masked_text(intent.target),
        asked=intent.count,
        count=outcome.count if outcome else None,
        reason=masked_text(intent.reason),
        state=state,
        outcome=masked_text(outcome.outcome) if outcome else "",
        ended_at=outcome.at if outcome else None,
    )


def _cursor(entry: AuditEntry) -> str:
    return base64.urlsafe_b64encode(f"{entry.at.isoformat()} {entry.pk}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, int]:
    try:
        at, _, key = base64.urlsafe_b64decode(cursor.encode() + b"==").decode().partition(" ")
        moment, number = datetime.fromisoformat(at), int(key)
    except (ValueError, UnicodeError):
        raise BadCursor from None
    if moment.tzinfo is None or not 0 <= number < 2**63:
        raise BadCursor
    return moment, number
