"""The dead letters of a filter, for whatever lists, counts or moves them: by the index, as far as it goes.

Everybody who asks gets the same: the index narrows down which jobs are read, and each is asked once more as Redis has
it. What failed after the index was told of last, and everything while there is no index, is read from the registries.
"""

from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from ingest.queue import keys
from ingest.queue.connections import server_time
from ingest.reading.cursors import oldest
from queueadmin.console import dead_letters
from queueadmin.console.dead_letters import Bound, Record
from queueadmin.console.dead_letters.ahead import ahead
from queueadmin.console.failures.names import id_of
from queueadmin.console.failures.selecting import asking, candidates
from queueadmin.console.failures.state import State, come_back, state
from queueadmin.console.filters import Filter
from queueadmin.console.filters.sieve import Sieve
from queueadmin.console.models import Failure

#: Rows, and entries of a registry, in one question; jobs whose events are read in one: one may have a MiB.
ROWS: Final = 500
EVENTS: Final = 20

#: Queue, id, and the score that says which failure of the job it is; and what a row has of these, for `entry`.
Entry = tuple[str, str, float]
PLACE: Final = ("queue", "job_id", "whole_id", "score")


def matching(
    client: redis.Redis,
    chosen: Filter,
    *,
    now: datetime,
    events: bool = False,
    trash: bool = False,
    bound: Bound | None = None,
) -> Iterator[Record]:
    """The dead letters that match, the newest first, of those that failed before `now` (Redis' time) or lie ahead.

    With `trash` those in the trash, as `dead_letters.matching`. `events` reads titles and payloads even if the filter
    does not ask for them. Raises redis.RedisError when Redis is away; without the database all is read from Redis.
    """
    bound, events = bound or Bound(), events or chosen.reads_payload
    found = None if trash else _indexed(client, chosen, now)
    if found is None:
        yield from dead_letters.matching(client, chosen, now=now, events=events, trash=trash, bound=bound)
        return
    newest, rows = found
    bound.candidates = len(newest) + len(rows)
    sieve = Sieve(chosen.terms)
    for entries in _pages(client, newest, rows, events=events):
        for record in dead_letters.records(client, entries, events=events, sieve=sieve):
            if bound.is_reached:
                bound.stopped = True
                return
            bound.looked_at += 1
            if chosen.matches(record.shown, now=now):
                yield record


def _indexed(client: redis.Redis, chosen: Filter, now: datetime) -> tuple[list[Entry], "array[int]"] | None:
    """Those that failed after the index was told of, and the keys of its rows; None: it cannot be used."""
    latest = now.timestamp() + keys.SCORE_OFFSET
    beside = beside_index(client)
    if beside is None:
        return None
    newest = ahead(client, settings.PRIORITIES, now=now)
    newest += sorted((entry for entry in beside[1] if entry[2] <= latest), key=lambda entry: -entry[2])
    try:
        rows = candidates(chosen, now=now).filter(score__lte=latest).order_by("-failed_at", "-id")
        with asking():
            found = array("q", rows.values_list("pk", flat=True).iterator())
        return newest, found
    except (DatabaseError, InterfaceError):
        return None


def beside_index(client: redis.Redis) -> tuple[State, list[Entry]] | None:
    """How far the index is, and what stands after the places that it has read; None: it cannot be used.

    Raises RedisError.
    """
    told = state(client)
    if told is None or not told.complete or come_back(client) != told.come_back:
        return None  # whoever has just come back to an old place is not met by the index yet
    latest = server_time(client).timestamp() + keys.SCORE_OFFSET
    if any(place and place[0] > latest for place in told.read.values()):
        return None  # Redis' clock was set back: what fails now stands before those places
    newest = [entry for queue in settings.PRIORITIES for entry in _after(client, queue, told.read.get(queue))]
    if told.behind > len(newest):
        return None  # what is missing is not the newest: from the trash, or of a stock worker
    return told, newest


def _after(client: redis.Redis, queue: str, place: tuple[float, str] | None) -> Iterator[Entry]:
    while page := oldest(client, keys.failed(queue), place, ROWS):
        for job_id, score in page:
            yield queue, job_id, score
        place = page[-1][1], page[-1][0]
        if len(page) < ROWS:
            return


def _pages(client: redis.Redis, newest: Sequence[Entry], rows: "array[int]", *, events: bool) -> Iterator[list[Entry]]:
    """Places of the newest, then of the rows, without those that stand elsewhere by now."""
    size = EVENTS if events else ROWS
    met = {job_id for _, job_id, _ in newest}
    for start in range(0, len(newest), size):
        yield list(newest[start : start + size])
    for start in range(0, len(rows), ROWS):
        wanted = list(rows[start : start + ROWS])
        known = {row[0]: entry(*row[1:]) for row in Failure.objects.filter(pk__in=wanted).values_list("pk", *PLACE)}
        places = [known[pk] for pk in wanted if pk in known and known[pk][1] not in met]
        here = standing(client, places)
        for first in range(0, len(here), size):
            yield here[first : first + size]


def entry(queue: str, name: str, whole: str, score: float) -> Entry:
    return queue, id_of(name, whole), score


def standing(client: redis.Redis, places: Sequence[Entry]) -> list[Entry]:
    """Those of these (queue, id, score) that stand there in Redis now: others have left, or failed again since."""
    found: dict[str, float | None] = {}
    for queue in settings.PRIORITIES:
        ids = [job_id for name, job_id, _ in places if name == queue]
        if ids:
            found |= zip(ids, client.zmscore(keys.failed(queue), ids), strict=True)
    return [place for place in places if found[place[1]] == place[2]]
