"""The parts that a list of jobs is put together from, one after the other: a state in one of the three stores.

An entry is where a job stands, for the cursor, and the job.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from django.conf import settings
from django.db.models import Q

from ingest.kinds import KINDS
from ingest.models import Event, SpooledEvent
from ingest.queue import keys, payload
from ingest.queue.connections import connection
from ingest.reading import lists, spooled
from ingest.reading.cursors import BadCursor, Place, moment_of
from ingest.reading.fields import pipelined
from ingest.reading.lists import Entry, Reader
from ingest.reading.shapes import Job
from ingest.spool import reading
from ingest.spool.rows import State
from queueadmin.console.dead_letters.reading import event_in, event_of
from queueadmin.console.filters import Filter

Store = Literal["redis", "spool", "rows"]

#: What runs, what will run, what needs a person, and last what is over: by state the stores that may hold it.
_STORES: Final[dict[str, tuple[Store, ...]]] = {
    "started": ("redis", "spool"),
    "queued": ("redis",),
    "spooled": ("spool",),
    "scheduled": ("redis",),
    "retrying": ("redis", "spool"),
    "failed": ("redis", "spool"),
    "canceled": ("redis",),
    "trash": ("redis", "spool"),
    "finished": ("rows",),
}

#: Where jobs may be that somebody marked permanent.
_MARKED: Final = (("failed", "redis"), ("trash", "redis"))
#: Rows of the database are counted up to here: each is looked at.
COUNTED: Final = 1_000
#: What cursors call the place in the spool's table.
_SPOOL: Final = "spool"
#: Digits of a time in nanoseconds, until the year 2286.
_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Segment:
    state: str
    store: Store
    #: Those that the filter allows.
    queues: tuple[str, ...]
    kinds: tuple[str, ...]
    #: What the filter says of times, as Unix seconds.
    since: float | None
    until: float | None
    #: Entries read in one question.
    count: int

    @property
    def name(self) -> str:
        return f"{self.state}@{self.store}"

    def entries(self, stood: Mapping[str, Place], reader: Reader = lists.read) -> Iterator[Entry]:
        """All behind the places where the page before ended; `reader` reads those in Redis.

        Raises redis.RedisError, DatabaseError and BadCursor.
        """
        match self.store:
            case "redis":
                return self._timed(stood, reader) if self.state == "failed" else self._listed(stood, reader)
            case "rows":
                return self._timed(stood, reader)
            case "spool":
                return _spooled(self.state, self.queues, stood.get(_SPOOL), self.count)

    def stand(self, stood: dict[str, Place], entry: Entry) -> None:
        """Note that the page has come to this entry."""
        lists.stand(stood, self.state, entry)

    def is_complete(self) -> bool:
        """False: it has more than is listed of it. Raises redis.RedisError."""
        return self.state != "queued" or lists.is_complete(connection(), self.queues)

    def texts(self, jobs: Sequence[Job]) -> dict[str, bytes]:
        """By id, the JSON that holds the event of each of these jobs, with its credentials; "" cannot be read."""
        ids = [job.id for job in jobs]
        match self.store:
            case "redis":
                data = pipelined(connection(), "hget", [keys.job(job_id) for job_id in ids], "data")
                return {job_id: _inflated(each) for job_id, each in zip(ids, data, strict=True)}
            case "spool":
                rows = SpooledEvent.objects.filter(id__in=ids).values_list("id", "data")
                return {job_id: _inflated(bytes(each)) for job_id, each in rows}
            case "rows":
                moments = [job.received_at for job in jobs if job.received_at]
                done = Event.objects.filter(id__in=ids, received_at__range=(min(moments), max(moments)))
                return {job_id: body.encode() for job_id, body in done.values_list("id", "body")}

    def event(self, text: bytes) -> Any:
        """The event in such a text, without its credentials."""
        return event_in(text) if self.store == "rows" else event_of(text)

    def length(self) -> int:
        """How many it has; of stored ones and of spooled ones no more than are counted. Raises like `entries`."""
        match self.store:
            case "redis":
                return lists.length(connection(), self.state, self.queues)
            case "spool":
                ranks = [settings.PRIORITIES.index(name) for name in self.queues]
                return len(SpooledEvent.objects.filter(state=self.state, rank__in=ranks)[:COUNTED].values_list("id"))
            case "rows":
                done = Event.objects.filter(kind__in=self.kinds, processed_at__isnull=False)
                return len(done.values_list("id")[:COUNTED])

    def _listed(self, stood: Mapping[str, Place], reader: Reader) -> Iterator[Entry]:
        if self.store == "rows":
            return lists.processed(self.kinds, stood, self.count)
        return lists.entries(connection(), self.state, queues=self.queues, stood=stood, count=self.count, reader=reader)

    def _timed(self, stood: Mapping[str, Place], reader: Reader) -> Iterator[Entry]:
        """The newest first and in the order of what the filter's times are about, so only those between are read."""
        offset = keys.SCORE_OFFSET if self.store == "redis" else 0
        names = self.queues if self.store == "redis" else self.kinds
        stood = dict(stood)
        if self.until is not None:
            for name in names:
                stood.setdefault(name, (self.until + offset, ""))
        for entry in self._listed(stood, reader):
            if self.since is not None and offset <= entry[1] < self.since + offset:
                break
            yield entry
        else:
            return
        # A stock worker's dead letters have no time for a score and come last.
        if offset:
            untimed = {name: min(stood.get(name, (float(offset), "")), (float(offset), "")) for name in names}
            yield from self._listed(untimed, reader)


def _inflated(data: bytes | None) -> bytes:
    try:
        return payload.inflated(data or b"")
    except payload.Unreadable:
        return b""


def segments(chosen: Filter, now: datetime, *, count: int) -> list[Segment]:
    """Those that may hold a job of the filter, in their order. With REDIS=false none is in Redis."""
    queues = tuple(name for name in settings.PRIORITIES if chosen.allows("queue", name))
    kinds = tuple(name for name in KINDS if chosen.allows("kind", name))
    since, until = (None if moment is None else moment.timestamp() for moment in chosen.bounds(now))
    stores = ("redis", "spool", "rows") if settings.REDIS else ("spool", "rows")
    return [
        Segment(state, store, queues, kinds, since, until, count)
        for state, among in _STORES.items()
        if queues and chosen.allows("state", state)
        for store in among
        if store in stores and (chosen.allows("permanent", "no") or (state, store) in _MARKED)
    ]


def _spooled(state: str, queues: Sequence[str], place: Place | None, count: int) -> Iterator[Entry]:
    """Dead letters the newest first, all others in the order of their turns."""
    following, where = (_failed_before, _failed_at) if state == State.FAILED else (_turn_after, _turn)
    if state == State.FAILED:
        rows = reading.dead_letters(queues)
    else:
        ranks = [settings.PRIORITIES.index(name) for name in queues]
        rows = SpooledEvent.objects.filter(state=state, rank__in=ranks).order_by("rank", "place")
    while True:
        found = list((rows if place is None else rows.filter(following(place))).defer("data")[:count])
        for row in found:
            place = where(row)
            yield _SPOOL, *place, spooled.of_row(row)
        if len(found) < count:
            return


def _failed_before(place: Place) -> Q:
    at = moment_of(place)
    return Q(failed_at__lte=at) & (Q(failed_at__lt=at) | Q(id__lt=place[1]))


def _failed_at(row: SpooledEvent) -> Place:
    return (row.failed_at or datetime.fromtimestamp(0, UTC)).timestamp(), row.id


def _turn_after(place: Place) -> Q:
    rank, turn = place
    is_turn = turn.isascii() and turn.isdecimal() and len(turn) <= _DIGITS and int(turn) < 2**63
    if not is_turn or not 0 <= rank < len(settings.PRIORITIES):
        raise BadCursor
    return Q(rank__gt=int(rank)) | Q(rank=int(rank), place__gt=int(turn))


def _turn(row: SpooledEvent) -> Place:
    """Its place in text: nanoseconds are more than a float holds."""
    return float(row.rank), str(row.place)
