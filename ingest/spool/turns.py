"""With REDIS=false the spool is the queue: whose turn it is, and what became of it.

One process calls this, by its lease. What it takes it marks, and what it writes later is written only where its mark
still stands: so one that was stopped and lost the lease meanwhile changes nothing any more.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from ingest.models import SpooledEvent
from ingest.queue.calls import MESSAGE_LENGTH, TRACEBACK_LENGTH, TRASH_SECONDS
from ingest.queue.retry import jitter
from ingest.queue.shapes import Failure
from ingest.spool import lease
from ingest.spool.rows import State, rest

#: Crashes of a job's process, the last of which makes a dead letter, as in Redis.
CRASHES: Final = 3
POISON: Final = "poison"
_CRASHED_OFTEN: Final = "The process that ran it ended three times."

_DUE: Final = (State.SPOOLED, State.RETRYING)


def take(most: int) -> list[SpooledEvent]:
    """Up to `most` events whose turn it is, the higher priority first, marked as started.

    One that crashed its process before comes alone. Raises DatabaseError.
    """
    now = datetime.now(UTC)
    due = _in_turn(now).filter(due_at__lte=now).order_by("rank", "place")
    with transaction.atomic():
        rows: list[SpooledEvent] = []
        for row in due[:most]:
            if row.crashes and rows:
                break
            rows.append(row)
            if row.crashes:
                break
        _of(rows).filter(state__in=_DUE).update(state=State.STARTED, started_at=now)
    for row in rows:
        row.state, row.started_at = State.STARTED, now
    return rows


def queue_of(row: SpooledEvent) -> str:
    return settings.PRIORITIES[row.rank]


def next_due() -> datetime | None:
    """When the next one that waits for its time is due. Raises DatabaseError."""
    waiting = _in_turn(datetime.now(UTC)).order_by("due_at")
    return waiting.values_list("due_at", flat=True).first()


def finish(rows: Sequence[SpooledEvent]) -> list[SpooledEvent]:
    """They ran to their end: gone. Return those that were still ours. Inside the caller's transaction."""
    ours = _ours(rows)
    _of(ours).delete()
    lease.count(completed=len(ours))
    return ours


def fail(row: SpooledEvent, failure: Failure) -> Literal["retrying", "failed", "trash", ""]:
    """It failed: retried later, or a dead letter. "": it is not ours any more. Inside the caller's transaction."""
    if not _ours([row]):
        return ""
    kept = rest(row)
    row.attempts += 1
    if failure.retry and row.retries_left > 0:
        delay = kept.retry_delays[len(kept.retry_delays) - row.retries_left] * jitter()
        row.retries_left -= 1
        row.state, row.due_at = State.RETRYING, datetime.now(UTC) + timedelta(seconds=delay)
    else:
        row.state = State.FAILED if kept.dead_letters else State.TRASH
        lease.count(dead=int(kept.dead_letters))
    row.failed_at, row.reason = datetime.now(UTC), failure.reason
    row.error_type = _clean(failure.error_type)[:255]
    row.error_message = _clean(failure.message)[:MESSAGE_LENGTH]
    row.traceback = _clean(failure.error)[-TRACEBACK_LENGTH:]
    row.save(
        update_fields=[
            *("state", "attempts", "retries_left", "due_at"),
            *("failed_at", "reason", "error_type", "error_message", "traceback"),
        ]
    )
    return row.state  # type: ignore[return-value]


def release(rows: Sequence[SpooledEvent]) -> None:
    """Not run after all: as if nobody had taken them. Raises DatabaseError."""
    _of(rows).filter(state=State.STARTED, started_at=_mark(rows)).update(state=State.SPOOLED)


def recover() -> list[tuple[str, Failure]]:
    """What a process that died had taken is taken again; at the third crash it is a dead letter.

    Return the dead letters, each with its queue. Raises DatabaseError.
    """
    now = datetime.now(UTC)
    with transaction.atomic():
        left = SpooledEvent.objects.filter(state=State.STARTED)
        left.update(attempts=F("attempts") + 1, crashes=F("crashes") + 1)
        often = left.filter(crashes__gte=CRASHES)
        said = [
            (queue_of(row), Failure(row.id, "", reason="poison", retry=False, message=_CRASHED_OFTEN))
            for row in often.only("id", "rank")
        ]
        dead = often.update(
            state=State.FAILED,
            failed_at=now,
            reason=POISON,
            error_type="",
            error_message=_CRASHED_OFTEN,
            traceback="",
        )
        lease.count(dead=dead)
        left.update(state=State.SPOOLED, due_at=now)
    return said


def dead(ids: Iterable[str]) -> int:
    """How many of these are dead letters here. Raises DatabaseError."""
    return SpooledEvent.objects.filter(id__in=set(ids), state=State.FAILED).count()


def retry(ids: Iterable[str]) -> list[str]:
    """Dead letters → their turn, with all their retries. Return the ids that really moved. Raises DatabaseError."""
    with transaction.atomic():
        rows = list(SpooledEvent.objects.select_for_update().filter(id__in=set(ids), state=State.FAILED).defer("data"))
        _put_back(rows)
    return [row.id for row in rows]


def retry_all(ranks: Sequence[int], before: datetime, *, include_poison: bool) -> tuple[int, int]:
    """All dead letters of these priorities that failed before; how many moved, and how many poison ones were left."""
    dead = SpooledEvent.objects.filter(state=State.FAILED, rank__in=ranks, failed_at__lte=before)
    poison = 0 if include_poison else dead.filter(reason=POISON).count()
    if not include_poison:
        dead = dead.exclude(reason=POISON)
    moved = 0
    while True:
        with transaction.atomic():
            rows = list(dead.select_for_update().defer("data").order_by("failed_at")[:500])
            _put_back(rows)
        moved += len(rows)
        if not rows:
            return moved, poison


def sweep() -> int:
    """The trash past its time → gone. Return how many. Raises DatabaseError."""
    old = datetime.now(UTC) - timedelta(seconds=TRASH_SECONDS)
    return SpooledEvent.objects.filter(state=State.TRASH, failed_at__lt=old).delete()[0]


def _in_turn(now: datetime) -> "QuerySet[SpooledEvent]":
    """What may run now or later: of each ordering key the first one, also while that waits for its retry."""
    same = SpooledEvent.objects.filter(ordering_key=OuterRef("ordering_key"), place__lt=OuterRef("place"))
    ahead = same.filter(Q(state__in=(State.STARTED, State.RETRYING)) | Q(state=State.SPOOLED, due_at__lte=now))
    return SpooledEvent.objects.filter(Q(ordering_key="") | ~Exists(ahead), state__in=_DUE)


def _put_back(rows: Sequence[SpooledEvent]) -> None:
    now = datetime.now(UTC)
    for row in rows:
        row.state, row.due_at, row.retries_left = State.SPOOLED, now, len(rest(row).retry_delays)
        # A poison one is run alone, and dead again at its first further crash.
        row.crashes = CRASHES - 1 if row.reason == POISON else 0
    SpooledEvent.objects.bulk_update(rows, ["state", "due_at", "retries_left", "crashes"])


def _ours(rows: Sequence[SpooledEvent]) -> list[SpooledEvent]:
    if not rows:
        return []
    ours = _of(rows).filter(state=State.STARTED, started_at=_mark(rows))
    ids = set(ours.select_for_update().values_list("id", flat=True))
    return [row for row in rows if row.id in ids]


def _of(rows: Sequence[SpooledEvent]) -> "QuerySet[SpooledEvent]":
    return SpooledEvent.objects.filter(id__in=[row.id for row in rows])


def _mark(rows: Sequence[SpooledEvent]) -> datetime | None:
    """All rows of one taking have the same."""
    return rows[0].started_at if rows else None


def _clean(text: str) -> str:
    """PostgreSQL keeps no NUL, and no database half a surrogate pair."""
    return text.replace("\0", "�").encode(errors="replace").decode()
