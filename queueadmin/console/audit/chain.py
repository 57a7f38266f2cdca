"""Entries in the database, chained: each holds the digest of the one before.

So an entry that was changed, or taken out in the middle, shows. There is one writer at a time, or two entries would
name the same one before them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from queueadmin.console.models import AuditEntry

#: PostgreSQL's advisory lock for the one writer; any fixed number that nobody else takes.
_LOCK: Final = 0x71756175646974
#: An intent without an outcome for longer than this is of a process that died.
BEGUN: Final = timedelta(minutes=1)
#: Entries that are held in memory at once while they are checked.
_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the chain found: `entries` of them hold, the first of which is of `since`."""

    entries: int
    since: datetime | None = None
    #: The id and the time of the first entry whose digest or link does not hold, and the last one before it.
    broken: int | None = None
    broken_at: datetime | None = None
    #: Id and digest of the last that holds, where a later check goes on.
    last: tuple[int, str] = (0, "")

    @property
    def sentence(self) -> str:
        if self.broken is not None:
            return (
                f"The chain is broken at entry {self.broken}: it, or one before it, was changed or taken out."
                f" The {self.entries:,} before it hold."
            )
        if not self.entries:
            return "The chain is intact: there is no entry yet."
        entries = "1 entry holds" if self.entries == 1 else f"all {self.entries:,} entries hold"
        return f"The chain is intact: {entries}."


def append(entries: Sequence[AuditEntry]) -> None:
    """Write these, which are not saved yet, in their order; one that is there already is left out.

    Raises django.db.Error.
    """
    with transaction.atomic():
        # SQLite's IMMEDIATE transactions have one writer by themselves.
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        previous = AuditEntry.objects.order_by("-id").values_list("digest", flat=True).first() or ""
        for entry in entries:
            # Whoever was not told that it was written writes it again.
            if AuditEntry.objects.filter(operation=entry.operation, step=entry.step).exists():
                continue
            entry.previous = previous
            entry.digest = previous = _digest(entry)
            entry.save(force_insert=True)


def verify(after: Checked | None = None) -> Checked:
    """Check every entry, or those that came after an earlier check that found nothing broken."""
    found = after or Checked(0)
    entries, since, (last, previous) = found.entries, found.since, found.last
    for entry in AuditEntry.objects.filter(pk__gt=last).order_by("id").iterator(_AT_ONCE):
        if entry.previous != previous or entry.digest != _digest(entry):
            return Checked(entries, since, entry.pk, entry.at, (last, previous))
        entries, since, last, previous = entries + 1, since or entry.at, entry.pk, entry.digest
    return Checked(entries, since, last=(last, previous))


def first_broken() -> int | None:
    """The id of the first entry whose digest or link does not hold; None: the chain is whole."""
    return verify().broken


def _digest(entry: AuditEntry) -> str:
    at: datetime = entry.at
    fields = [
        entry.previous,
        at.isoformat(),
        entry.operation,
        entry.step,
        entry.actor,
        entry.action,
        entry.target,
        entry.count,
        entry.reason,
        entry.outcome,
    ]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=True).encode()).hexdigest()
