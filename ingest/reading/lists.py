"""Jobs by their state, page by page. A page's cost is bounded, whatever the number of jobs.

Queued jobs come in the order in which they will be claimed, scheduled ones the soonest first, started ones by the
end of their lease, all others the newest first. Jobs that move meanwhile may be shown twice or not at all; one that
stays where it is is on exactly one page, with one exception that `_ids_behind` tells.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

import redis
from django.conf import settings
from django.db.models import Q

from ingest.kinds import KINDS
from ingest.models import Event
from ingest.queue import keys
from ingest.reading.cursors import Place, as_cursor, moment_of, newest, oldest, read_cursor
from ingest.reading.fields import FIELDS, failed_at, fields, pipelined, text
from ingest.reading.jobs import of_row, shape
from ingest.reading.jobs import placed as at_place
from ingest.reading.shapes import Job

#: Jobs of one page at most.
MAX_LIMIT: Final = 500
#: Jobs looked at for one page: few may match.
LOOKED_AT: Final = 5_000
#: A queue is listed so far from its head: a list has no index, and to search one of a million for a place keeps Redis
#: for 30 ms.
DEPTH: Final = 1_000_000
#: Jobs that may have come in front of the place where the page before ended.
_CAME_IN_FRONT: Final = 1_000
#: So far around it that place is looked for before the whole list is searched.
_NEAR: Final = 1_000
#: Ids at the head of a list among which those of jobs that are elsewhere are counted; further on a position is told
#: as "more than" anyway.
_COUNTED: Final = 20_000

#: States that sorted sets hold: by state the key and whether its highest score comes first.
_SETS: Final[dict[str, tuple[Callable[[str], str], bool]]] = {
    "scheduled": (keys.scheduled, False),
    "retrying": (keys.scheduled, False),
    "started": (keys.started, False),
    "failed": (keys.failed, True),
    "trash": (keys.trash, True),
    "canceled": (keys.canceled, True),
}
#: What can be listed.
STATES: Final = ("queued", *_SETS, "finished")

#: Where an entry stands, for the cursor (its set or list, its score or index, its member), and its job; None: gone.
Entry = tuple[str, float, str, Job | None]
#: Reads the jobs of these ids; None: its hash has gone, or whoever reads does not want it.
Reader = Callable[[redis.Redis, Sequence[str]], Sequence[Job | None]]


@dataclass(frozen=True, slots=True)
class Page:
    items: tuple[Job, ...]
    #: Give it back as `cursor` for the next page; None: this was the last.
    next: str | None
    #: Jobs that were looked at for this page.
    scanned: int
    #: False: the queue is longer than DEPTH, and its rest is not listed.
    complete: bool = True


def jobs(
    client: redis.Redis,
    state: str,
    *,
    queues: Sequence[str],
    kind: str | None,
    cursor: str | None,
    limit: int,
    tenant: str | None = None,
) -> Page:
    """One page; with `tenant` of that one's jobs alone. Raises cursors.BadCursor."""
    stood = read_cursor(cursor)
    if state == "finished":
        found = processed(list(KINDS) if kind is None else [kind], stood, limit + 1)
    else:
        found = entries(client, state, queues=queues, stood=stood, count=limit + 1)
    items: list[Job] = []
    scanned = 0
    complete = state != "queued" or is_complete(client, queues)
    for name, score, member, job in found:
        if len(items) == limit or scanned == LOOKED_AT:
            return Page(tuple(items), as_cursor(stood), scanned, complete)
        stand(stood, state, (name, score, member, job))
        scanned += 1
        if job is None or job.state != state or job.queue not in queues:
            continue
        if kind in (None, job.kind) and tenant in (None, job.tenant or ""):
            items.append(job)
    return Page(tuple(items), None, scanned, complete)


def read(client: redis.Redis, ids: Sequence[str]) -> list[Job | None]:
    """Jobs by their hashes alone; None for one whose hash has gone. Raises redis.RedisError."""
    hashes = [fields(values) for values in pipelined(client, "hmget", [keys.job(job_id) for job_id in ids], FIELDS)]
    return [shape(job_id, found) if found["status"] else None for job_id, found in zip(ids, hashes, strict=True)]


def entries(
    client: redis.Redis,
    state: str,
    *,
    queues: Sequence[str],
    stood: Mapping[str, Place],
    count: int,
    reader: Reader = read,
) -> Iterator[Entry]:
    """All that Redis has of a state behind the places where the page before ended, read `count` at a time.

    A job of them may have moved on. Finished ones are `processed`. Raises redis.RedisError.
    """
    if state == "queued":
        return _listed(client, queues, stood, count, reader)
    return _merged(client, state, queues, stood, count, reader)


def length(client: redis.Redis, state: str, queues: Sequence[str]) -> int:
    """How many jobs Redis has of a state in these queues, scheduled and retrying ones together.

    Raises redis.RedisError.
    """
    if state == "queued":
        return sum(pipelined(client, "llen", [keys.queue(name) for name in queues]))
    of_queue, _ = _SETS[state]
    return sum(pipelined(client, "zcard", [of_queue(name) for name in queues]))


def stand(stood: dict[str, Place], state: str, entry: Entry) -> None:
    """Note that the page has come to this entry."""
    if state == "queued":
        stood.clear()  # the lists follow one another, so the last place says it all
    name, score, member, _ = entry
    stood[name] = (score, member)


def is_complete(client: redis.Redis, queues: Sequence[str]) -> bool:
    """Whether none of the queues is longer than is listed of it."""
    return max(pipelined(client, "llen", [keys.queue(name) for name in queues]), default=0) <= DEPTH


def placed(client: redis.Redis, found: Sequence[Entry]) -> list[Job]:
    """The jobs of these entries, the queued ones with their positions: where each was met tells it without a search.

    Raises redis.RedisError.
    """
    last: dict[str, int] = {}
    ranks = _ranks_behind(client, found)
    for source, index, job_id, job in found:
        name = source.partition(" ")[0]
        if job is not None and job.state == "queued" and (source in settings.PRIORITIES or job_id in ranks):
            last[name] = max(last.get(name, 0), int(index) if source == name else 0)
    names = settings.PRIORITIES[: max(map(settings.PRIORITIES.index, last), default=-1) + 1]
    lengths = pipelined(client, "llen", [keys.queue(name) for name in names])
    gone = pipelined(client, "scard", [keys.tombstones(name) for name in names])
    before: dict[str, dict[str, int]] = {}
    absent: dict[str, Sequence[int]] = {}
    higher: dict[str, int] = {}
    for name, length, tombs in zip(names, lengths, gone, strict=True):
        before[name], higher = higher, {**higher, name: max(0, length - tombs)}
        if tombs and name in last:
            ids = client.lrange(keys.queue(name), 0, min(last[name], _COUNTED))
            absent[name] = list(accumulate(client.smismember(keys.tombstones(name), ids), initial=0)) if ids else [0]
    jobs = []
    for source, index, job_id, job in found:
        name = source.partition(" ")[0]
        if job is None:
            continue
        if job_id in ranks:
            job = at_place(job, higher[name] + ranks[job_id], before[name])
        elif job.state == "queued" and source in last:
            job = _placed(job, int(index), absent.get(name, ()), before[name])
        jobs.append(job)
    return jobs


def _ranks_behind(client: redis.Redis, found: Sequence[Entry]) -> dict[str, int]:
    """Of the jobs that wait for their turn, how many of their queue wait so before each."""
    waiting = [
        (source.partition(" ")[0], job_id)
        for source, _, job_id, job in found
        if source.endswith(f" {keys.BEHIND}") and job is not None and job.state == "queued"
    ]
    pipe = client.pipeline(transaction=False)
    for name, job_id in waiting:
        pipe.zrank(keys.behind(name), job_id)
    ranks = pipe.execute() if waiting else []
    return {job_id: rank for (_, job_id), rank in zip(waiting, ranks, strict=True) if rank is not None}


def _placed(job: Job, index: int, absent: Sequence[int], before: Mapping[str, int]) -> Job:
    """`absent`: at each place of the list, how many before it are of jobs that are elsewhere."""
    return at_place(job, index - (absent[min(index, len(absent) - 1)] if absent else 0), before)


def _merged(
    client: redis.Redis, state: str, queues: Sequence[str], stood: Mapping[str, Place], count: int, reader: Reader
) -> Iterator[Entry]:
    """The entries of one sorted set a queue, in the order of their scores."""
    of_queue, descending = _SETS[state]
    following = newest if descending else oldest

    def of(name: str) -> Iterator[tuple[float, Entry]]:
        place = stood.get(name)
        while found := following(client, of_queue(name), place, count):
            ids = [member.rpartition(":")[0] if state == "started" else member for member, _ in found]
            for (member, score), job in zip(found, reader(client, ids), strict=True):
                yield -score if descending else score, (name, score, member, _dated(job, score))
                place = (score, member)

    for _, entry in heapq.merge(*map(of, queues), key=lambda scored: scored[0]):
        yield entry


def _listed(
    client: redis.Redis, queues: Sequence[str], stood: Mapping[str, Place], count: int, reader: Reader
) -> Iterator[Entry]:
    """The entries of one list after the other: what a rate limit holds back of a queue comes before its list, what
    waits for its turn behind it.
    """
    lists = []
    buckets = pipelined(client, "hkeys", [keys.parked(name) for name in queues])
    for order, (name, held_back) in enumerate(zip(queues, buckets, strict=True)):
        limited = sorted(text(each) for each in held_back if text(each) != keys.BEHIND)
        lists += [((order, 0, each), keys.parked_jobs(name, each)) for each in limited]
        lists += [((order, 1, ""), keys.queue(name)), ((order, 2, keys.BEHIND), keys.behind(name))]
    reached, place = _reached(queues, stood)
    for rank, key in lists:
        if reached is not None and rank < reached:
            continue
        here = place if rank == reached else None
        following = _next_in_set if rank[1] == 2 else _ids_behind
        while ids := following(client, key, here, count):
            for (index, job_id), job in zip(ids, reader(client, [job_id for _, job_id in ids]), strict=True):
                yield f"{queues[rank[0]]} {rank[2]}".strip(), index, job_id, job
                here = (index, job_id)


def _reached(queues: Sequence[str], stood: Mapping[str, Place]) -> tuple[tuple[int, int, str] | None, Place | None]:
    """The rank of the list that the page before ended in, which may be gone by now, and the place in it."""
    for source, place in stood.items():
        name, _, bucket = source.partition(" ")
        if name in queues and (0 <= place[0] < DEPTH or bucket == keys.BEHIND):
            return (queues.index(name), 2 if bucket == keys.BEHIND else 0 if bucket else 1, bucket), place
    return None, None


def _next_in_set(client: redis.Redis, key: str, place: Place | None, count: int) -> list[tuple[float, str]]:
    """The next `count` ids of those that wait for their turn, with their numbers."""
    return [(number, job_id) for job_id, number in oldest(client, key, place, count)]


def _ids_behind(client: redis.Redis, key: str, place: Place | None, count: int) -> list[tuple[float, str]]:
    """The next `count` ids of a list with their indexes; none beyond DEPTH.

    A list has no keys to go on from, so the id of the place is looked for. When it was claimed, all before it was,
    and the head is next; when it was taken out, the list begins anew, which shows some jobs twice and leaves none out.
    """
    start = 0 if place is None else _index_of(client, key, place) + 1
    if start >= DEPTH:
        return []
    ids = client.lrange(key, start, min(start + count, DEPTH) - 1)
    return [(start + offset, text(job_id)) for offset, job_id in enumerate(ids)]


def _index_of(client: redis.Redis, key: str, place: Place) -> int:
    """Where the id of a place stands now; -1: it does not."""
    index, job_id = int(place[0]), place[1].encode()
    for first, last in ((index, index), (max(0, index - _NEAR), index + _NEAR)):
        near = client.lrange(key, first, last)
        if job_id in near:
            return first + near.index(job_id)
    found = client.lpos(key, place[1], maxlen=index + 1 + _CAME_IN_FRONT)
    return found if isinstance(found, int) else -1


def processed(kinds: Sequence[str], stood: Mapping[str, Place], count: int) -> Iterator[Entry]:
    """Finished jobs, by their events' rows, the newest first; an index gives those of each kind in their order.

    Raises cursors.BadCursor and DatabaseError.
    """

    def of(kind: str) -> Iterator[tuple[float, Entry]]:
        place = stood.get(kind)
        done = Event.objects.filter(kind=kind, processed_at__isnull=False).order_by("-received_at", "-id").defer("body")
        while True:
            rows = list((done if place is None else done.filter(_before(place)))[:count])
            for event in rows:
                at = event.received_at.timestamp()
                yield -at, (kind, at, event.id, of_row(event))
                place = (at, event.id)
            if not rows:
                return

    for _, entry in heapq.merge(*map(of, kinds), key=lambda scored: scored[0]):
        yield entry


def _before(place: Place) -> Q:
    at = moment_of(place)
    # The first condition is what an index can begin at; OR alone is asked of every row before the place.
    return Q(received_at__lte=at) & (Q(received_at__lt=at) | Q(id__lt=place[1]))


def _dated(job: Job | None, score: float) -> Job | None:
    """The time that the set knows and the hash does not."""
    if job is None:
        return None
    if job.state in ("scheduled", "retrying"):
        return replace(job, next_attempt_at=datetime.fromtimestamp(score, UTC))
    if job.state == "failed" and job.error is not None and score >= keys.SCORE_OFFSET:
        return replace(job, error=replace(job.error, at=failed_at(score, "")))
    return job
