"""Removes what is older than its kind is kept, in batches, and says so (`ingest.signals.removal`).

An event's row is what stops a second run of it, so none goes that may still be needed for that: nothing younger than
the time for which copies are recognised, than the oldest event that a worker holds, than the oldest in the spool.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Min, QuerySet

from ingest.accept.jobs import OWN_ID_SECONDS
from ingest.kinds import KINDS
from ingest.maintenance import points
from ingest.models import Alert, Event, Report, SpooledEvent
from ingest.queue import keys
from ingest.reading.fields import moment, pipelined, text
from ingest.signals import removal
from ingest.upsert import places

#: Seconds between two looks at everything.
EVERY: Final = 3600.0
#: Rows in one transaction: some 10 ms.
BATCH: Final = 1_000
#: Problems whose reports are looked at in one statement.
PROBLEMS: Final = 500
#: Seconds of one step, after which others have their turn.
LONGEST: Final = 0.5
#: Days for a kind that no setting names.
DAYS: Final = 30
ALERT_DAYS: Final = 7


def days(kind: str) -> int:
    """How long a kind's events are kept: its setting, else 7 days for alerts, 30 for the others."""
    given: dict[str, int] = settings.RETENTION_DAYS
    return given.get(kind.replace("-", "_"), ALERT_DAYS if kind == "alert" else DAYS)


def recognised_for(kind: str) -> timedelta:
    """How long a copy of one of this kind's events is recognised by its id; so long at least its row is kept."""
    own = KINDS[kind].dedup_seconds if kind in KINDS else None
    return timedelta(seconds=max(own or settings.INGEST_DEDUP_SECONDS, OWN_ID_SECONDS))


def horizon(kind: str, now: datetime, needed: Sequence[datetime]) -> datetime:
    """Events of this kind that were received before it may go; `needed`: when those were received that still run."""
    return min(now - timedelta(days=days(kind)), now - recognised_for(kind), *needed)


@dataclass
class _Part:
    """One sort of rows that are past their time."""

    kind: str
    what: str
    before: datetime
    #: Removes the oldest; how many went, and whether there may be more.
    remove: Callable[[datetime], tuple[int, bool]]
    are_there: Callable[[datetime], bool]
    count: int | None = None

    def step(self) -> bool:
        """Whether there may be more."""
        if self.count is None:
            if not self.are_there(self.before):
                return False
            self._tell()
            self.count = 0
        gone, more = self.remove(self.before)
        self.count += gone
        if not more:
            self._tell()
        return more

    def end(self) -> None:
        """It goes on later, or by another process: say what went."""
        if self.count is not None:
            self._tell()

    def _tell(self) -> None:
        removal.send(self.kind, what=self.what, before=self.before, count=self.count)


class Retention:
    """The leader's step; how far it is, is remembered from one to the next. Without Redis: None."""

    def __init__(self, client: redis.Redis | None) -> None:
        self._client = client
        self._due = time.monotonic()
        self._left: list[_Part] | None = None
        #: The last problem whose reports were looked at; None: all were.
        self._problem: str | None = None

    def step(self) -> None:
        """For LONGEST seconds at most. Raises RedisError and what the database raises; begins anew then."""
        if self._left is None:
            if time.monotonic() < self._due:
                return
            self._begin(datetime.now(UTC))
        end = time.monotonic() + LONGEST
        try:
            while self._left and time.monotonic() < end:
                if not self._left[0].step():
                    self._left.pop(0)
            while not self._left and self._problem is not None and time.monotonic() < end:
                self._remove_reports()
        except Exception:
            begun, self._left, self._due = self._left, None, time.monotonic()
            if begun:
                with suppress(DatabaseError, InterfaceError):
                    begun[0].end()
            raise
        if not self._left and self._problem is None:
            self._left, self._due = None, time.monotonic() + EVERY

    def _begin(self, now: datetime) -> None:
        needed = [*_spooled(), *(self._running(self._client) if self._client else ())]
        self._left = [
            _Part(kind, "events", horizon(kind, now, needed), partial(_remove_events, kind), partial(_events, kind))
            for kind in Event.objects.order_by().values_list("kind", flat=True).distinct()
        ]
        self._reports_before = horizon("alert", now, needed)
        self._left.append(_Part("alert", "alerts", self._reports_before, _remove_alerts, lambda at: _over(at).exists()))
        self._left += [
            _Part("point", "points", ends, month.remove, month.is_due)
            for month, ends in points.months(horizon("point", now, needed))
        ]
        self._problem = ""

    @staticmethod
    def _running(client: redis.Redis) -> list[datetime]:
        """When the events were received whose jobs are under a lease."""
        ids: list[str] = []
        for queue in settings.PRIORITIES:
            ids += [text(member).partition(":")[0] for member in client.zrange(keys.started(queue), 0, -1)]
        received = pipelined(client, "hget", [keys.job(job_id) for job_id in ids], keys.RECEIVED_AT)
        return [at for each in received if (at := moment(text(each)))]

    def _remove_reports(self) -> None:
        """Old reports of problems that stay, PROBLEMS at a time. They go with their events, which were told of."""
        problems = list(
            Alert.objects.filter(identity__gt=self._problem)
            .order_by("identity")
            .values_list("identity", flat=True)[:PROBLEMS]
        )
        _reports(problems, self._reports_before).delete()
        self._problem = problems[-1] if len(problems) == PROBLEMS else None


def _spooled() -> list[datetime]:
    oldest = SpooledEvent.objects.aggregate(at=Min("received_at"))["at"]
    return [oldest] if oldest else []


def _events(kind: str, before: datetime) -> bool:
    return Event.objects.filter(kind=kind, received_at__lt=before).exists()


@transaction.atomic
def _remove_events(kind: str, before: datetime) -> tuple[int, bool]:
    old = list(
        Event.objects.filter(kind=kind, received_at__lt=before)
        .order_by("received_at")
        .values_list("id", "received_at")[:BATCH]
    )
    if old:
        form = connection.ops.adapt_datetimefield_value
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {_EVENTS} WHERE (id, received_at) IN (VALUES {places(len(old), 2)})",  # noqa: S608 - names of our own
                [value for identity, at in old for value in (identity, form(at))],
            )
    return len(old), len(old) == BATCH


def _over(before: datetime) -> QuerySet[Alert]:
    """Problems that are over and of which nothing was heard since; what is open stays, however long."""
    return Alert.objects.filter(state=Alert.State.RESOLVED, changed_at__lt=before, last_seen__lt=before)


@transaction.atomic
def _remove_alerts(before: datetime) -> tuple[int, bool]:
    identities = list(_over(before).order_by("changed_at").values_list("identity", flat=True)[:PROBLEMS])
    # Looked at again under their locks: a trigger may have come meanwhile.
    count, _ = _over(before).filter(identity__in=identities).delete()
    left = set(Alert.objects.filter(identity__in=identities).values_list("identity", flat=True))
    _reports([identity for identity in identities if identity not in left], before).delete()
    return count, len(identities) == PROBLEMS


def _reports(problems: Sequence[str], before: datetime) -> QuerySet[Report]:
    # All parts of the key are named, so that its index leads to them.
    return Report.objects.filter(problem__in=problems, action__in=Report.Action.values, at__lt=before)


_EVENTS: Final = connection.ops.quote_name(Event._meta.db_table)
