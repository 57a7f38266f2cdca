"""One page of the jobs that match a filter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
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
from queueadmin.console.job_lists.budget import Budget
from queueadmin.console.job_lists.records import record, records, with_event
from queueadmin.console.job_lists.segments import COUNTED, Segment, segments
from queueadmin.console.job_lists.sieving import Sieving

#: Jobs of one page at most.
MAX_LIMIT: Final = 500
#: Jobs whose events are decoded in one step: an event may have a MiB.
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
    #: The same for this page and all before.
    looked_at: int
    #: False: a queue is longer than is listed of it, a million from its head, and more may match.
    complete: bool


def page(chosen: Filter, *, cursor: str = "", limit: int = 50, tenant: str = "", now: datetime | None = None) -> Page:
    """The jobs that match, each once: what runs and waits first, what is over last.

    Queued and spooled ones come in the order of their turns, scheduled ones the soonest first, started ones by the
    end of their lease, all others the newest first. With `tenant` other tenants' jobs do not exist. It ends early when
    a Budget is spent.

    Raises BadCursor, ValueError for a limit outside 1 to MAX_LIMIT, redis.RedisError when Redis is away and may
    hold some, and DatabaseError.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be from 1 to {MAX_LIMIT}, not {limit}")
    search = Search(chosen, tenant, now or datetime.now(UTC), Budget())
    named = None if cursor else search.by_id(limit)
    found = search.look(cursor, limit) if named is None else Found.of(named)
    jobs = [job for *_, job in found.entries if job is not None]
    if named is None and any(job.state == "queued" for job in jobs):
        jobs = lists.placed(connection(), found.entries)
    return Page(tuple(queries.shown(jobs)), found.next, found.scanned, found.looked_at, found.complete)


@dataclass(frozen=True, slots=True)
class Found:
    """Those that match, as entries; the rest as a Page has it."""

    entries: tuple[Entry, ...]
    next: str | None
    scanned: int
    looked_at: int
    complete: bool

    @classmethod
    def of(cls, named: Sequence[Job]) -> "Found":
        """These, which nothing had to be looked through for."""
        entries = tuple(("", 0.0, job.id, job) for job in named)
        return cls(entries, None, len(entries), len(entries), complete=True)


class Search:
    """Goes through all that a filter allows, page after page, until its budget is spent."""

    def __init__(self, chosen: Filter, tenant: str, now: datetime, budget: Budget) -> None:
        self._chosen, self._tenant, self._now, self._budget = chosen, tenant, now, budget
        self._first = chosen.without_payload
        self._sieving = Sieving(chosen, tenant, budget)
        self._limit = self._scanned = 0
        self._found: list[Entry] = []

    def by_id(self, limit: int) -> list[Job] | None:
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
        return matching if len(matching) <= limit else None

    def look(self, cursor: str, limit: int) -> Found:
        """From where the cursor says, for as many as `limit`. Raises like `page`."""
        self._found, self._limit, self._scanned = [], limit, 0
        left = segments(self._chosen, self._now, count=min(max(limit + 1, 100), MAX_LIMIT + 1))
        stood: dict[str, Place] = {}
        before = 0
        if cursor:
            came_to = cursors.read(cursor, sealed=bool(self._tenant))
            stood, before = dict(came_to.stood), came_to.looked_at
            left = list(_from(left, came_to.segment))
        reached = None
        complete = all(segment.is_complete() for segment in left)
        for segment in left:
            if self._is_full() or self._budget.is_used_up or self._budget.is_late or not self._take(segment, stood):
                ended = cursors.Reached(segment.name, stood, before + self._scanned)
                reached = cursors.write(ended, sealed=bool(self._tenant))
                break
            stood = {}
        return Found(tuple(self._found), reached, self._scanned, before + self._scanned, complete)

    def _take(self, segment: Segment, stood: dict[str, Place]) -> bool:
        """Go through a segment, noting where; False: the page is full, or the budget spent, before its end."""
        entries = segment.entries(dict(stood), self._sieving.read)
        while chunk := list(islice(entries, _EVENTS if self._chosen.reads_payload else segment.count)):
            for entry, says in self._asked(segment, chunk):
                # What was ruled out is paid for.
                is_over = self._budget.is_used_up or (entry[-1] is not None and self._budget.is_late)
                if is_over or self._is_full():
                    return False
                segment.stand(stood, entry)
                self._budget.looked_at += 1
                self._scanned += self._is_there(entry, segment)
                if says():
                    self._found.append(entry)
            if self._budget.is_late:
                return False
        return True

    def _is_there(self, entry: Entry, segment: Segment) -> bool:
        """Whether there is a job for whoever asks."""
        *_, member, job = entry
        if job is not None:
            return self._shows(job)
        return (member.rpartition(":")[0] if segment.state == "started" else member) in self._sieving.ruled_out

    def _asked(self, segment: Segment, chunk: Sequence[Entry]) -> Iterator[tuple[Entry, Callable[[], bool]]]:
        """The entries, and what tells whether they match: of those that may, it decodes the event."""
        known = [
            (entry, found if found is not None and self._first.matches(found, now=self._now) else None)
            for entry, found in records(segment, chunk)
        ]
        known = [(entry, found if (job := entry[-1]) and self._shows(job) else None) for entry, found in known]
        if not self._chosen.reads_payload:
            yield from ((entry, partial(bool, found)) for entry, found in known)
            return
        jobs = [job for (*_, job), found in known if found is not None and job is not None]
        texts = segment.texts(jobs) if jobs else {}
        for entry, found in known:
            yield entry, partial(self._says, segment, found, texts)

    def _says(self, segment: Segment, found: dict[str, Any] | None, texts: Mapping[str, bytes]) -> bool:
        """Whether it matches with its event."""
        if found is None:
            return False
        text = texts.get(str(found["id"]), b"")
        self._budget.bytes += len(text)
        if not self._sieving.passes(found, text):
            return False
        return self._chosen.matches(with_event(found, segment.event(text)), now=self._now)

    def _is_full(self) -> bool:
        return len(self._found) == self._limit

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


def total(chosen: Filter) -> tuple[int, bool]:
    """How many jobs there are in the states and queues that the filter allows, and whether there are more.

    Raises redis.RedisError and DatabaseError.
    """
    lengths = {}
    for segment in segments(chosen, datetime.now(UTC), count=1):
        # What is scheduled and what is retried stand in one set.
        state = "scheduled" if segment.state == "retrying" else segment.state
        lengths[state, segment.store] = segment.length()
    return sum(lengths.values()), any(length == COUNTED for (_, store), length in lengths.items() if store != "redis")


def _from(left: Sequence[Segment], name: str) -> Iterator[Segment]:
    """The segment that the page before ended in, and those after it. Raises BadCursor when there is none."""
    names = [segment.name for segment in left]
    if name not in names:
        raise BadCursor("cursor is of another list")
    yield from left[names.index(name) :]
