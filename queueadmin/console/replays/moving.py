"""Moves the members whose turn has come: written down before, done by one script, counted after.

A crash in between leaves what was written down. It is done again then, under the same request id: within five minutes
the script answers as it did the first time, and later each job itself tells whether it moved.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import reduce
from itertools import islice
from operator import or_
from typing import Final

import redis
from django.db import transaction
from django.db.models import Q

from ingest.queue.transitions import Transitions
from queueadmin.console import undoing
from queueadmin.console.failures.finding import standing
from queueadmin.console.models import Replay, ReplayChunk
from queueadmin.console.replays import marks, pace, settling, versions
from queueadmin.console.replays.settling import Seen

#: Members that are looked at for some that can go.
AHEAD: Final = 500

_COUNTED: Final = (
    "given_back",
    "chunk",
    "position",
    "going",
    "going_at",
    "released",
    "already",
    "in_flight",
    "succeeded",
    "steps",
    "pace",
)


def move(client: redis.Redis, transitions: Transitions, replay: Replay, most: int, now: datetime) -> int:
    """Move up to `most` members of one chunk; how many really moved. Raises Overtaken, RedisError and DatabaseError."""
    chunk = _chunk_to_go(replay)
    if chunk is None:
        replay.chunk, replay.position = -1, 0
        versions.save(replay, "chunk", "position")
        return 0
    if chunk.number != replay.chunk:
        replay.chunk, replay.position = chunk.number, 0
    places = _next(client, replay, chunk, most)
    replay.going, replay.going_at = places[-1] + 1 - replay.position, now
    versions.save(replay, "chunk", "position", "going", "going_at")
    return finish(client, transitions, replay, now, chunk)


def finish(
    client: redis.Redis, transitions: Transitions, replay: Replay, now: datetime, chunk: ReplayChunk | None = None
) -> int:
    """Do what is written down, with its `chunk` for the first time, else again; how many moved. Raises as `move`."""
    is_again = chunk is None
    chunk = chunk or ReplayChunk.objects.get(replay=replay, number=replay.chunk)
    last = replay.position + replay.going
    places = list(_to_go(chunk, replay.position, last))
    members = [(str(job_id), float(score)) for job_id, score in json.loads(chunk.places)]
    scores = dict(members[place] for place in places)
    moved = set(_script(transitions, replay, chunk, scores))
    if is_again:  # else what the script left somebody else moved, be it another replay of the same person
        moved |= _moved_before(client, replay, [job_id for job_id in scores if job_id not in moved])
    mark = marks.IN_FLIGHT if replay.kind == Replay.Kind.RETRY else marks.SUCCEEDED
    for place in places:
        replay.given_back -= chunk.marks[place] == marks.GIVEN_BACK
        chunk.marks = marks.marked(chunk.marks, place, mark if members[place][0] in moved else marks.ALREADY)
    replay.released += len(moved)
    replay.already += len(scores) - len(moved)
    settling.note_step(replay, "released", len(moved))
    pace.note(replay, pace.RELEASED, len(moved), now)
    if mark == marks.IN_FLIGHT:
        chunk.in_flight += len(moved)
        replay.in_flight += len(moved)
    else:
        replay.succeeded += len(moved)
        pace.note(replay, pace.SUCCEEDED, len(moved), now)
    replay.position, replay.going, replay.going_at = last, 0, None
    if last == len(chunk.marks):
        replay.chunk, replay.position = replay.chunk - 1, 0
    with transaction.atomic():
        versions.save(replay, *_COUNTED)
        chunk.save(update_fields=["marks", "in_flight"])
    return len(moved)


def give_back(transitions: Transitions, replay: Replay) -> None:
    """What it queued and nobody began goes back to the dead letters. What the jobs say then is counted by `settling`,
    so a crash in between leaves nothing open. Raises RedisError and DatabaseError."""
    for chunk in settling.flying(replay):
        ids = [job_id for _, job_id in settling.in_flight(chunk)]
        transitions.give_back(
            replay.to or chunk.queue,
            ids,
            home=chunk.queue,
            replay=str(replay.pk),
            by=replay.actor,
            scores={str(job_id): float(score) for job_id, score in json.loads(chunk.places)},
        )


def _chunk_to_go(replay: Replay) -> ReplayChunk | None:
    """That of the next member that waits; between those that were taken back there may be chunks of which all ended."""
    waits = [Q(marks__contains=mark) for mark in marks.TO_GO]
    found = ReplayChunk.objects.filter(reduce(or_, waits), replay=replay, number__lte=replay.chunk)
    return found.order_by("-number").first()


def _next(client: redis.Redis, replay: Replay, chunk: ReplayChunk, most: int) -> list[int]:
    """The places of the next members, as far as `most` of them are still dead letters of their moment.

    What moved already costs no time of a worker, and goes with them: where somebody had put 100,000 back, the replay
    of them took each by itself, and held up maintenance for half an hour.
    """
    ahead = list(islice(_to_go(chunk, replay.position, len(chunk.marks)), max(most, AHEAD)))
    if replay.kind != Replay.Kind.RETRY or len(ahead) <= most:
        return ahead[:most]
    members = json.loads(chunk.places)
    there = {job_id for _, job_id, _ in standing(client, [(chunk.queue, *members[place]) for place in ahead])}
    for count, place in enumerate(ahead, start=1):
        most -= members[place][0] in there
        if not most:
            return ahead[:count]
    return ahead


def _to_go(chunk: ReplayChunk, first: int, end: int) -> Iterator[int]:
    """The places of those that wait, of these."""
    return (place for place in range(first, end) if chunk.marks[place] in marks.TO_GO)


def _script(
    transitions: Transitions, replay: Replay, chunk: ReplayChunk, scores: Mapping[str, float]
) -> Collection[str]:
    # The moment tells it from an earlier go at the same places, of which some were taken back.
    request = f"replay:{replay.pk}:{chunk.number}:{replay.position}:{replay.going}:{replay.going_at}"
    match replay.kind:
        case Replay.Kind.RETRY:
            return transitions.requeue(
                chunk.queue,
                scores,
                to=replay.to or None,
                by=replay.actor,
                replay=str(replay.pk),
                scores=scores,
                request_id=request,
            )
        case Replay.Kind.DISCARD:
            return transitions.discard(
                chunk.queue,
                scores,
                by=replay.actor,
                operation=undoing.of_replay(replay.pk),
                scores=scores,
                request_id=request,
            )
        case _:
            return transitions.restore(chunk.queue, scores, by=replay.actor, scores=scores, request_id=request)


def _moved_before(client: redis.Redis, replay: Replay, ids: list[str]) -> set[str]:
    """Of these, which the script left, those that this replay moved all the same, before a crash."""
    if not ids:
        return set()
    seen = settling.look(client, ids)
    moved = {job_id for job_id, job in seen.items() if _is_of(replay, job)}
    if replay.kind == Replay.Kind.RETRY and (gone := [job_id for job_id in ids if not seen[job_id].status]):
        moved |= settling.done_since(gone, replay.going_at)
    return moved


def _is_of(replay: Replay, job: Seen) -> bool:
    if replay.kind == Replay.Kind.RETRY:
        return job.replay == str(replay.pk) and _is_since(replay, job)
    is_there = job.trashed if replay.kind == Replay.Kind.DISCARD else bool(job.status) and not job.trashed
    return is_there and job.moved_by == replay.actor and _is_since(replay, job)


def _is_since(replay: Replay, job: Seen) -> bool:
    return job.moved_at is not None and replay.going_at is not None and job.moved_at >= replay.going_at
