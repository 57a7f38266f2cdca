"""What goes now by a policy, asked of Redis a little at a time.

Of a cause with a count each that stays is asked for, since rows of jobs that left count for nothing: a million are
fifty steps' work, in which others get their turn. What leaves between the first step and the last is counted, and as
many more stay.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import redis
from django.conf import settings
from django.db.models import Count, Q

from ingest.queue import keys
from ingest.reading.fields import moment, number, pipelined, text
from queueadmin.console.failures.finding import PLACE, Entry, entry, standing
from queueadmin.console.failures.names import name_of
from queueadmin.console.models import Failure, RetentionPolicy
from queueadmin.console.policies.reading import NOTICE, overfull, spoken_of, told, too_old

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: Dead letters of one round of one policy: as many as Undo brings back at one press.
MOST: Final = 10_000
#: Rows that Redis is asked for in one round: 0.2 s.
ASKED: Final = 20_000
#: Rows in one question.
_PAGE: Final = 500
_LEFT: Final = [f"{prefix}{name}" for prefix in ("", "foreign_") for name in ("requeued", "trashed_failed")]


def departures(client: redis.Redis) -> int:
    """How many dead letters ever left, whoever took them; stock clients do not tell. Raises RedisError."""
    found = pipelined(client, "hmget", [keys.counters(queue) for queue in settings.PRIORITIES], _LEFT)
    return sum(number(text(each)) for values in found for each in values)


class Due:
    """One look at a policy, as it was said and at that moment, over as many rounds as it takes.

    `left`: how many dead letters ever left that the policies did not take.
    """

    def __init__(self, client: redis.Redis, policy: RetentionPolicy, now: datetime, left: Callable[[], int]) -> None:
        self._client, self._policy, self._now, self._left = client, policy, now, left
        self._pages = self._read()
        self._found: dict[str, Entry] = {}
        self._asked = 0
        #: Nothing more goes.
        self.ended = False

    def round(self) -> list[Entry]:
        """The next that go: up to MOST, and those of ASKED. Raises RedisError and DatabaseError: then it is over."""
        until = self._asked + ASKED
        while not self.ended and len(self._found) < MOST and self._asked < until:
            page = next(self._pages, None)
            self._found.update((place[1], place) for place in page or ())
            self.ended = page is None
        places = list(self._found.values())
        self._found = {place[1]: place for place in places[MOST:]}
        self.ended = self.ended and not self._found
        return places[:MOST]

    def _read(self) -> Iterator[list[Entry]]:
        policy = self._policy
        for page in _oldest(too_old(policy, self._now)):
            yield self._going(page)
        if policy.keep_count is None:
            return
        rest = told(spoken_of(policy), self._now)
        # In one question: there may be thousands of causes with too many, of which none is due.
        counted = rest.filter(fingerprint__in=overfull(policy).values("pk")).values("fingerprint")
        due = counted.annotate(count=Count("id")).filter(count__gt=policy.keep_count).order_by("fingerprint")
        for fingerprint in list(due.values_list("fingerprint", flat=True)):
            yield from self._beyond(rest.filter(fingerprint=fingerprint), policy.keep_count)

    def _beyond(self, rows: "QuerySet[Failure]", keep: int) -> Iterator[list[Entry]]:
        """Those older than the `keep` newest that stand in Redis."""
        left, kept, spare, last = self._left(), 0, 0, None
        for page in _newest(rows):
            here = self._standing(page)
            spare = max(0, self._left() - left)
            if kept + len(here) >= keep + spare:
                last = here[max(keep + spare - kept, 1) - 1]
                break
            kept += len(here)
            yield []
        found = rows.filter(job_id=name_of(last[1])).values_list("failed_at", "pk").first() if last else None
        if found is None:
            return  # there are not so many, or it left meanwhile: the next look counts again
        for page in _oldest(rows.filter(_before(*found))):
            if self._left() - left > spare:
                return  # of those that were counted; the next look counts again
            yield self._going(page)

    def _going(self, page: list[Entry]) -> list[Entry]:
        """Those that stand in Redis and that nobody moved within NOTICE."""
        here = self._standing(page)
        moved = pipelined(self._client, "hget", [keys.job(job_id) for _, job_id, _ in here], keys.MOVED_AT)
        ended = self._now - NOTICE
        return [
            place for place, at in zip(here, map(moment, map(text, moved)), strict=True) if at is None or at <= ended
        ]

    def _standing(self, page: list[Entry]) -> list[Entry]:
        self._asked += len(page)
        return standing(self._client, page)


def _before(failed_at: datetime, pk: int) -> Q:
    return Q(failed_at__lt=failed_at) | Q(failed_at=failed_at, pk__lt=pk)


def _after(failed_at: datetime, pk: int) -> Q:
    return Q(failed_at__gt=failed_at) | Q(failed_at=failed_at, pk__gt=pk)


def _oldest(rows: "QuerySet[Failure]") -> Iterator[list[Entry]]:
    return _paged(rows.order_by("failed_at", "pk"), _after)


def _newest(rows: "QuerySet[Failure]") -> Iterator[list[Entry]]:
    return _paged(rows.order_by("-failed_at", "-pk"), _before)


def _paged(rows: "QuerySet[Failure]", beyond: Callable[[datetime, int], Q]) -> Iterator[list[Entry]]:
    """By where the page before ended: nothing of the database is held open between two steps."""
    page = rows
    while found := list(page.values_list("failed_at", "pk", *PLACE)[:_PAGE]):
        yield [entry(*row[2:]) for row in found]
        if len(found) < _PAGE:
            return
        page = rows.filter(beyond(*found[-1][:2]))
