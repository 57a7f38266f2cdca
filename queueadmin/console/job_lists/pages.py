"""One page of the jobs that match a filter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from ingest.accept import derived_id
from ingest.kinds import KINDS
from ingest.queue.connections import connection
from ingest.reading import lists, several
from ingest.reading.cursors import BadCursor, Place
from ingest.reading.lists import Entry
from ingest.reading.shapes import Job
from queueadmin.console import queries
from queueadmin.console.filters import Filter
from queueadmin.console.job_lists import cursors
from queueadmin.console.job_lists.records import record, records, with_event
from queueadmin.console.job_lists.segments import Segment, segments

#: Jobs of one page at most.
MAX_LIMIT: Final = 500
#: Jobs looked at for one page; few may match, and whoever asks goes on with `next`. 20,000 take about a second.
LOOKED_AT: Final = 20_000
#: Bytes of events read for one page, when a term asks for what they say.
EVENT_BYTES: Final = 32 * 1024 * 1024
#: Jobs whose events are read in one question: an event may have a MiB.
_EVENTS: Final = 20
#: Ids that are looked up before anything is searched.
_DIRECT: Final = 100


@dataclass(frozen=True, slots=True)
class Page:
    #: Jobs in the contract's shape, without results.
    items: tuple[dict[str, Any], ...]
    #: Give it back as `cursor` for the next page, which may hold nothing and not be the last; None: this was the last.
    next: str | None
    #: Jobs that were looked at for this page, of the tenant where one is given.
    scanned: int
    #: False: a queue is longer than is listed of it, 20,000 from its head, and more may match.
    complete: bool


def page(chosen: Filter, *, cursor: str = "", limit: int = 50, tenant: str = "", now: datetime | None = None) -> Page:
    """The jobs that match, each once: what runs and waits first, what is over last.

    Queued and spooled ones come in the order of their turns, scheduled ones the soonest first, started ones by the
    end of their lease, all others the newest first. With `tenant` other tenants' jobs do not exist.

    Raises BadCursor, ValueError for a limit outside 1 to MAX_LIMIT, redis.RedisError when Redis is away and may
    hold some, and DatabaseError.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be from 1 to {MAX_LIMIT}, not {limit}")
    search = _Search(chosen, limit, tenant, now or datetime.now(UTC))
    if not cursor and (named := search.by_id()) is not None:
        return Page(tuple(queries.shown(named)), None, len(named), complete=True)
    return search.page(cursor)


class _Search:
    def __init__(self, chosen: Filter, limit: int, tenant: str, now: datetime) -> None:
        self._chosen, self._limit, self._tenant, self._now = chosen, limit, tenant, now
        self._first = chosen.without_payload
        self._found: list[Entry] = []
        self._looked_at = self._scanned = self._bytes = 0

    def by_id(self) -> list[Job] | None:
        """The jobs, when the filter names them by ids that can be looked up, and each of them is known that way."""
        wanted = self._chosen.wanted("id")
        if not wanted or self._chosen.reads_payload:
            return None
        ids = {job_id: value for value in wanted for job_id in (value, *self._derived(value))}
        if len(ids) > _DIRECT:
            return None
        found = several.read(list(ids))
        if {ids[job_id] for job_id in found} != wanted:
            return None
        matching = [
            job for job in found.values() if self._shows(job) and self._first.matches(record(job), now=self._now)
        ]
        return matching if len(matching) <= self._limit else None

    def page(self, cursor: str) -> Page:
        left = segments(self._chosen, self._now, count=max(self._limit + 1, 100))
        stood: dict[str, Place] = {}
        if cursor:
            name, stood = cursors.read(cursor, sealed=bool(self._tenant))
            left = list(_from(left, name))
        reached = None
        complete = all(segment.is_complete() for segment in left)
        for segment in left:
            if self._is_full() or not self._take(segment, stood):
                reached = cursors.write(segment.name, stood, sealed=bool(self._tenant))
                break
            stood = {}
        jobs = [job for *_, job in self._found if job is not None]
        if any(job.state == "queued" for job in jobs):
            jobs = lists.placed(connection(), self._found)
        return Page(tuple(queries.shown(jobs)), reached, self._scanned, complete)

    def _take(self, segment: Segment, stood: dict[str, Place]) -> bool:
        """Go through a segment, noting where; False: the page is full before its end."""
        entries = segment.entries(dict(stood))
        while chunk := list(islice(entries, _EVENTS if self._chosen.reads_payload else segment.count)):
            for entry, is_met in self._asked(segment, chunk):
                if self._is_full():
                    return False
                segment.stand(stood, entry)
                self._looked_at += 1
                job = entry[-1]
                if job is None or not self._shows(job):
                    continue
                self._scanned += 1
                if is_met:
                    self._found.append(entry)
        return True

    def _asked(self, segment: Segment, chunk: Sequence[Entry]) -> Iterator[tuple[Entry, bool]]:
        """The entries, and whether they match."""
        known = [
            (entry, found if found is not None and self._first.matches(found, now=self._now) else None)
            for entry, found in records(segment, chunk)
        ]
        if not self._chosen.reads_payload:
            yield from ((entry, found is not None) for entry, found in known)
            return
        jobs = [job for (*_, job), found in known if found is not None and job is not None and self._shows(job)]
        events = segment.events(jobs) if jobs else {}
        for entry, found in known:
            event, size = events.get(str(found["id"]), (None, 0)) if found is not None else (None, 0)
            yield entry, found is not None and self._chosen.matches(with_event(found, event), now=self._now)
            self._bytes += size

    def _is_full(self) -> bool:
        return len(self._found) == self._limit or self._looked_at >= LOOKED_AT or self._bytes >= EVENT_BYTES

    def _shows(self, job: Job) -> bool:
        """Whether it exists for whoever asks."""
        return not self._tenant or job.tenant == self._tenant

    def _derived(self, event_id: str) -> Iterator[str]:
        """Our ids of the sender's, where the filter says the rest of what they are made from."""
        sources = self._chosen.wanted("source")
        tenants = frozenset({self._tenant}) if self._tenant else self._chosen.wanted("tenant")
        for source in sources or ():
            for tenant in tenants or ():
                for kind in KINDS:
                    yield derived_id(kind, tenant, source, event_id)


def _from(left: Sequence[Segment], name: str) -> Iterator[Segment]:
    """The segment that the page before ended in, and those after it. Raises BadCursor when there is none."""
    names = [segment.name for segment in left]
    if name not in names:
        raise BadCursor("cursor is of another list")
    yield from left[names.index(name) :]
