"""All dead letters up to a moment, page by page, from any place on: whoever walks may be away in between.

First what the registries alone tell, then by the index what it had at the beginning, which stays as it was: rows have
their keys and times for good, and what leaves or fails again stands elsewhere.
"""

import heapq
import math
from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

import msgspec
import redis
from django.conf import settings
from django.db.models import Q

from ingest.queue import keys
from ingest.reading.cursors import Place, newest
from queueadmin.console import dead_letters
from queueadmin.console.dead_letters import Record
from queueadmin.console.failures.finding import EVENTS, PLACE, ROWS, Entry, beside_index, entry, standing
from queueadmin.console.failures.selecting import asking, candidates
from queueadmin.console.filters import Filter
from queueadmin.console.filters.sieve import Sieve
from queueadmin.console.models import Failure


class Position(msgspec.Struct):
    """How far a walk is; as JSON it may be kept anywhere."""

    #: By queue the place up to which the index had all when the walk began. None: it cannot be used, all is read in
    #: the registries.
    index: dict[str, Place | None] | None = None
    #: By queue the last place that was read in its registry.
    read: dict[str, Place] = {}
    #: When the last row that was read failed, and its key.
    row: tuple[datetime, int] | None = None


class Walk:
    """Of those that failed up to `now` (Redis' time), the newest first. `trash`: those there, that went there up to it.

    `apart`: a name of `replays.apart`, of dead letters that no time tells of and that are met as well; "": nothing was
    set apart, and those of stock workers are met whenever they failed. `stood`: where to go on.

    Raises RedisError and DatabaseError, and cannot go on then: make another one, from where the last page ended.
    """

    def __init__(
        self,
        client: redis.Redis,
        chosen: Filter,
        *,
        now: datetime,
        apart: str = "",
        trash: bool = False,
        stood: Position | None = None,
    ) -> None:
        self._client, self._chosen, self._now = client, chosen, now
        self._apart, self._trash = apart, trash
        self._latest = now.timestamp() + (0 if trash else keys.SCORE_OFFSET)
        #: What stands below was set apart.
        self._least = keys.SCORE_OFFSET if apart and not trash else -math.inf
        self._size = EVENTS if chosen.reads_payload else ROWS
        self._sieve = Sieve(chosen.terms)
        #: After each page where it ended.
        self.position = stood or Position(None if trash else self._index())

    def pages(self) -> Iterator[list[Record]]:
        """The dead letters that match of the next page, which may be none."""
        if not self._chosen.allows("state", "trash" if self._trash else "failed"):
            return
        if self.position.row is None:
            yield from self._by_registries()
        if self.position.index is not None:
            yield from self._by_index(self.position.index)

    def _index(self) -> dict[str, Place | None] | None:
        beside = beside_index(self._client)
        return {name: beside[0].read.get(name) for name in settings.PRIORITIES} if beside else None

    def _by_registries(self) -> Iterator[list[Record]]:
        names = [name for name in settings.PRIORITIES if self._chosen.allows("queue", name)]
        entries = heapq.merge(*map(self._entries, names), key=lambda entry: -entry[2])
        while page := list(islice(entries, self._size)):
            found = self._matching(page)
            self.position.read |= {queue: (score, job_id) for queue, job_id, score in page}
            yield found

    def _entries(self, queue: str) -> Iterator[Entry]:
        """What is set apart of what lies ahead, then its registry, then what is set apart of stock workers'."""
        registry = keys.trash(queue) if self._trash else keys.failed(queue)
        read = self.position.read.get(queue)
        if self._apart:
            apart = keys.set_apart(self._apart, queue)
            for job_id, score in self._down(apart, read):
                if score <= self._latest:
                    break
                yield queue, job_id, score
        for job_id, score in self._down(registry, _lower((math.nextafter(self._latest, math.inf), ""), read)):
            if score < self._least or self._is_indexed(queue, job_id, score):
                break
            yield queue, job_id, score
        if self._apart and not self._trash:
            for job_id, score in self._down(apart, _lower((self._least, ""), read)):
                yield queue, job_id, score

    def _down(self, key: str, stood: Place | None) -> Iterator[tuple[str, float]]:
        while page := newest(self._client, key, stood, ROWS):
            yield from page
            stood = page[-1][1], page[-1][0]

    def _by_index(self, index: dict[str, Place | None]) -> Iterator[list[Record]]:
        rows = candidates(self._chosen, now=self._now).filter(score__lte=self._latest)
        if self._least > 0:
            rows = rows.filter(score__gte=self._least)
        if self.position.row is not None:
            at, key = self.position.row
            rows = rows.filter(Q(failed_at__lt=at) | Q(failed_at=at, pk__lt=key))
        with asking():
            # Their keys alone, since a million rows take 8 MB so.
            found = array("q", rows.order_by("-failed_at", "-id").values_list("pk", flat=True).iterator())
        for start in range(0, len(found), self._size):
            wanted = list(found[start : start + self._size])
            values = Failure.objects.filter(pk__in=wanted).values_list("failed_at", "pk", *PLACE)
            known = {row[1]: row for row in values}
            there = [known[key] for key in wanted if key in known]
            places = [place for row in there if self._is_indexed(*(place := entry(*row[2:])))]
            page = self._matching(standing(self._client, places))
            if there:
                self.position.row = there[-1][:2]
            yield page

    def _is_indexed(self, queue: str, job_id: str, score: float) -> bool:
        """Whether the index had it when the walk began."""
        last = (self.position.index or {}).get(queue)
        return last is not None and (score, job_id.encode()) <= (last[0], last[1].encode())

    def _matching(self, entries: Sequence[Entry]) -> list[Record]:
        records = dead_letters.records(
            self._client, entries, events=self._chosen.reads_payload, trash=self._trash, sieve=self._sieve
        )
        return [record for record in records if self._chosen.matches(record.shown, now=self._now)]


def _lower(top: Place, read: Place | None) -> Place:
    """What comes later of two places, going down."""
    return min(top, read, key=lambda place: (place[0], place[1].encode())) if read else top
