"""An intent is written before anything is done, the outcome after it. What cannot be recorded is not done."""

import logging
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

import redis
from django.conf import settings
from django.db import Error, transaction
from django.utils import timezone

from ingest import database
from ingest.queue.connections import connection
from queueadmin.console.audit import chain, waiting
from queueadmin.console.audit.waiting import Entry
from queueadmin.console.models import AuditEntry

logger = logging.getLogger(__name__)

#: What no database can hold.
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_noted: ContextVar[list[str] | None] = ContextVar("noted", default=None)


class AuditUnavailable(Exception):
    """The database is away or read-only, so the operation cannot be recorded; nothing was done."""

    def __init__(self) -> None:
        super().__init__(
            "The database does not answer, or takes no writes, so this could not be recorded. Nothing was done."
        )


@dataclass
class Outcome:
    """What the operation tells the log when it is done."""

    count: int | None = None
    sentence: str = ""
    operation: str = field(default_factory=lambda: uuid.uuid4().hex)


@contextmanager
def audited(
    *, actor: str, action: str, target: str, count: int | None = None, reason: str = "", in_redis: bool = False
) -> Iterator[Outcome]:
    """Record the intent, run the block, record what it did, also when it raised.

    The block sets `count` and `sentence` of the Outcome it is given. `in_redis`: it needs Redis alone, so while the
    database is away the entries wait there and it is done all the same. Raises AuditUnavailable before the block
    when the intent cannot be kept.
    """
    outcome = Outcome()

    def entry(step: str, count: int | None, sentence: str) -> Entry:
        return Entry(
            at=timezone.now(),
            operation=outcome.operation,
            step=step,
            actor=_text(actor, 200),
            action=action,
            target=_text(target, 500),
            count=count,
            reason=_text(reason, 500),
            outcome=_text(sentence, 500),
        )

    waits = _keep(entry(AuditEntry.Step.INTENT, count, ""), may_wait=in_redis)
    if (ids := _noted.get()) is not None:
        ids.append(outcome.operation)
    try:
        yield outcome
    except BaseException as error:
        told = f"{AuditEntry.FAILED}{type(error).__name__}: {error}"
        outcome.sentence = f"{outcome.sentence} Then it {told}" if outcome.sentence else told
        raise
    finally:
        last = entry(AuditEntry.Step.OUTCOME, outcome.count, outcome.sentence)
        try:
            if waits:
                waiting.put(last)
            else:
                _keep(last, may_wait=True)
        except (AuditUnavailable, redis.RedisError):
            # It was done, and whoever asked is told so; the intent without an outcome shows in the log.
            logger.exception("the outcome of %s by %s is not recorded: %s", action, actor, outcome.sentence)


@contextmanager
def noting() -> Iterator[None]:
    """Have `noted` tell what is recorded within: of a request, so that its answer can lead to it."""
    token = _noted.set([])
    try:
        yield
    finally:
        _noted.reset(token)


def noted() -> Sequence[str]:
    """The operations that were recorded so far within `noting`."""
    return _noted.get() or ()


def last_mover(target: str, operation: str) -> AuditEntry | None:
    """Whose operation on exactly this target touched something last, `operation` itself aside.

    One that began within the last minute and whose outcome is not written yet counts, if it is the only one:
    it is the one that came first.
    """
    entries = AuditEntry.objects.filter(target=target).exclude(operation=operation).order_by("-id")[:20]
    done = [entry for entry in entries if entry.step == AuditEntry.Step.OUTCOME]
    ended = {entry.operation for entry in done}
    since = timezone.now() - chain.BEGUN
    begun = [entry for entry in entries if entry.operation not in ended and entry.at > since]
    if len(begun) == 1:
        return begun[0]
    return next((entry for entry in done if entry.count), None)


def _keep(entry: Entry, *, may_wait: bool) -> bool:
    """Write it to the database, after those that wait; true when it had to wait as well. Raises AuditUnavailable."""
    try:
        # Within somebody's transaction they would leave Redis before they are surely in the database.
        if settings.REDIS and not transaction.get_connection().in_atomic_block:
            with suppress(redis.RedisError):
                waiting.drain(connection())
        chain.append([entry.row()])
    except Error as error:
        database.close_broken()
        if not may_wait or database.trouble(error) is None:
            raise AuditUnavailable from error
        try:
            waiting.put(entry)
        except redis.RedisError:
            raise AuditUnavailable from error
        logger.warning("the database is away (%s); %s by %s waits in Redis", error, entry.action, entry.actor)
        return True
    return False


def _text(text: str, most: int) -> str:
    return _NO_TEXT.sub("\ufffd", text)[:most]
