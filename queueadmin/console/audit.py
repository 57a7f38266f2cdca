"""The audit log: an intent is written before anything is done, the outcome after it.

Entries are chained: each holds the digest of the one before, so an entry that was changed or taken
out in the middle shows. An operation that cannot be recorded is not done.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import Error, connection, transaction
from django.utils import timezone

from queueadmin.console.models import AuditEntry

logger = logging.getLogger(__name__)

#: PostgreSQL's advisory lock for the one writer at a time; any fixed number that nobody else takes.
_LOCK: Final = 0x71756175646974
#: An intent without an outcome for longer than this is of a process that died.
_BEGUN: Final = timedelta(minutes=1)


class AuditUnavailable(Exception):
    """The database is away, so the operation cannot be recorded; nothing was done."""

    def __init__(self) -> None:
        super().__init__("The database does not answer, so this could not be recorded. Nothing was done.")


@dataclass
class Outcome:
    """What the operation tells the log when it is done."""

    count: int | None = None
    sentence: str = ""
    operation: str = field(default_factory=lambda: uuid.uuid4().hex)


@contextmanager
def audited(*, actor: str, action: str, target: str, count: int | None = None, reason: str = "") -> Iterator[Outcome]:
    """Record the intent, run the block, record what it did, also when it raised.

    The block sets `count` and `sentence` of the Outcome it is given. Raises AuditUnavailable before
    the block when the intent cannot be written.
    """
    outcome = Outcome()
    try:
        _write(outcome.operation, AuditEntry.Step.INTENT, actor, action, target, count, reason, "")
    except Error as error:
        raise AuditUnavailable from error
    try:
        yield outcome
    except BaseException as error:
        told = f"failed: {type(error).__name__}: {error}"
        outcome.sentence = f"{outcome.sentence} Then it {told}" if outcome.sentence else told
        raise
    finally:
        try:
            _write(
                outcome.operation,
                AuditEntry.Step.OUTCOME,
                actor,
                action,
                target,
                outcome.count,
                reason,
                outcome.sentence,
            )
        except Error:
            # It was done, and whoever asked is told so; the intent without an outcome shows in the log.
            logger.exception("the outcome of %s by %s is not recorded: %s", action, actor, outcome.sentence)


def last_mover(target: str, operation: str) -> AuditEntry | None:
    """Whose operation on exactly this target touched something last, `operation` itself aside.

    One that began within the last minute and whose outcome is not written yet counts, if it is the only one:
    it is the one that came first.
    """
    entries = AuditEntry.objects.filter(target=target).exclude(operation=operation).order_by("-id")[:20]
    done = [entry for entry in entries if entry.step == AuditEntry.Step.OUTCOME]
    ended = {entry.operation for entry in done}
    since = timezone.now() - _BEGUN
    begun = [entry for entry in entries if entry.operation not in ended and entry.at > since]
    if len(begun) == 1:
        return begun[0]
    return next((entry for entry in done if entry.count), None)


def first_broken() -> int | None:
    """The id of the first entry whose digest or link does not hold; None: the chain is whole."""
    previous = ""
    for entry in AuditEntry.objects.order_by("id").iterator():
        if entry.previous != previous or entry.digest != _digest(entry):
            return entry.pk
        previous = entry.digest
    return None


def _write(
    operation: str, step: str, actor: str, action: str, target: str, count: int | None, reason: str, outcome: str
) -> None:
    entry = AuditEntry(
        at=timezone.now(),
        operation=operation,
        step=step,
        actor=actor[:200],
        action=action,
        target=target[:500],
        count=count,
        reason=reason[:500],
        outcome=outcome[:500],
    )
    with transaction.atomic():
        # One writer at a time, or two entries would name the same one before them. SQLite's
        # IMMEDIATE transactions are that already.
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = AuditEntry.objects.order_by("-id").values_list("digest", flat=True).first()
        entry.previous = last or ""
        entry.digest = _digest(entry)
        entry.save(force_insert=True)


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
