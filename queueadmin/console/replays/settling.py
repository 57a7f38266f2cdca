"""What became of members that were released: each job itself says, so nothing that dies in between is a question left.

A job that failed again stands among the dead letters with the replay's number; one that succeeded is gone from Redis,
and its event's row says when it was done.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import redis

from ingest.credentials import masked_text
from ingest.models import Event
from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.reading.fields import moment, pipelined, text
from queueadmin.console.dead_letters.reading import Raised, raised_by
from queueadmin.console.fingerprint import group_of
from queueadmin.console.models import Replay, ReplayChunk
from queueadmin.console.replays import marks, pace, rules

#: Groups of what failed again that are kept.
MOST_ERRORS: Final = 200
#: Characters of a message that are kept.
_MESSAGE: Final = 300
#: Characters of an exception's name that are kept: what stops a replay says it.
_TYPE: Final = 255
#: Jobs in one question to Redis or the database.
_ASKED: Final = 500
_FIELDS: Final = ("status", keys.REPLAY, keys.GIVEN_BACK, keys.TRASHED_AT, keys.ERROR_TYPE, keys.ERROR_MESSAGE,
                  keys.FRAMES, keys.MOVED_BY, keys.MOVED_AT)  # fmt: skip
_NOTHING: Final = Raised("", "", "")
_COUNTERS: Final = {
    marks.SUCCEEDED: "succeeded",
    marks.FAILED: "failed",
    marks.TAKEN: "taken",
    marks.LOST: "lost",
}


@dataclass(slots=True)
class Seen:
    """One job as Redis has it; without a status nothing of it is there."""

    status: str = ""
    replay: str = ""
    #: The replay that took it back before it ran.
    given_back: str = ""
    trashed: bool = False
    error: Raised = _NOTHING
    moved_by: str = ""
    moved_at: datetime | None = None


def settle(client: redis.Redis, replay: Replay, now: datetime) -> list[ReplayChunk]:
    """Count what has ended; the chunks that changed are to be saved with the row. Raises RedisError, DatabaseError."""
    changed: list[ReplayChunk] = []
    for chunk in flying(replay):
        ids = in_flight(chunk)
        ended = _ended(client, replay, [job_id for _, job_id in ids])
        for place, job_id in ids:
            mark, error = ended.get(job_id, (marks.IN_FLIGHT, _NOTHING))
            if mark == marks.IN_FLIGHT:
                continue
            chunk.marks = marks.marked(chunk.marks, place, mark)
            chunk.in_flight -= 1
            _count(replay, mark, error, now)
            if mark == marks.GIVEN_BACK and (chunk.number, -place) > (replay.chunk, -replay.position):
                replay.chunk, replay.position = chunk.number, place
        if ended:
            changed.append(chunk)
    return changed


def flying(replay: Replay) -> Iterable[ReplayChunk]:
    """Its chunks of which something is in flight, those that went first first. Raises DatabaseError."""
    return ReplayChunk.objects.filter(replay=replay, in_flight__gt=0).order_by("-number")


def look(client: redis.Redis, ids: Sequence[str]) -> dict[str, Seen]:
    """Each job as Redis has it now. Raises RedisError."""
    found = {}
    for some in chunks(ids, _ASKED):
        hashes = pipelined(client, "hmget", [keys.job(job_id) for job_id in some], _FIELDS)
        for job_id, values in zip(some, hashes, strict=True):
            status, replay, given_back, trashed, error, message, frames, moved_by, moved_at = map(text, values)
            raised = Raised(error, message, frames)
            found[job_id] = Seen(status, replay, given_back, bool(trashed), raised, moved_by, moment(moved_at))
    return found


def done_since(ids: Iterable[str], at: datetime | None) -> set[str]:
    """Those whose event was processed (after `at`). Raises DatabaseError."""
    done: set[str] = set()
    known = [job_id for job_id in ids if "\0" not in job_id]
    for some in chunks(known, _ASKED):
        rows = Event.objects.filter(id__in=some, processed_at__isnull=False)
        if at is not None:
            rows = rows.filter(processed_at__gte=at)
        done.update(rows.values_list("id", flat=True))
    return done


def in_flight(chunk: ReplayChunk) -> list[tuple[int, str]]:
    """(place, id) of its members that were released and have not ended."""
    places = json.loads(chunk.places)
    return [(place, str(places[place][0])) for place, mark in enumerate(chunk.marks) if mark == marks.IN_FLIGHT]


def _ended(client: redis.Redis, replay: Replay, ids: Sequence[str]) -> dict[str, tuple[str, Raised]]:
    """By id the mark of each that has ended, and how it failed."""
    seen = look(client, ids)
    gone = [job_id for job_id in ids if not seen[job_id].status]
    done = done_since(gone, None) if gone else set()
    ended = {job_id: (marks.SUCCEEDED if job_id in done else marks.LOST, _NOTHING) for job_id in gone}
    for job_id, job in seen.items():
        if not job.status:
            continue
        if job.given_back == str(replay.pk):
            ended[job_id] = (marks.GIVEN_BACK, _NOTHING)
        elif job.replay != str(replay.pk) or job.trashed or job.status == "canceled":
            ended[job_id] = (marks.TAKEN, _NOTHING)
        elif job.status == "failed":
            ended[job_id] = (marks.FAILED, job.error)
        elif job.status == "finished":
            ended[job_id] = (marks.SUCCEEDED, _NOTHING)
    untold = [job_id for job_id, (mark, error) in ended.items() if mark == marks.FAILED and not error.type]
    for job_id, raised in zip(untold, raised_by(client, untold), strict=True):
        ended[job_id] = (marks.FAILED, raised)
    return ended


def _count(replay: Replay, mark: str, error: Raised, now: datetime) -> None:
    if mark == marks.GIVEN_BACK:
        replay.given_back += 1
        replay.released -= 1
        replay.in_flight -= 1
        return
    counter = _COUNTERS[mark]
    setattr(replay, counter, getattr(replay, counter) + 1)
    replay.in_flight -= 1
    if mark not in (marks.SUCCEEDED, marks.FAILED):
        return
    replay.recent = (replay.recent + mark)[-rules.RECENT :]
    note_step(replay, counter, 1)
    pace.note(replay, pace.FAILED if mark == marks.FAILED else pace.SUCCEEDED, 1, now)
    if mark == marks.FAILED:
        _note_error(replay, error)


def note_step(replay: Replay, what: str, count: int) -> None:
    """Add to what the present step of the ramp did."""
    if not replay.steps:
        return  # nothing but a retry has a ramp
    step: dict[str, Any] = replay.steps[-1]
    step[what] = step.get(what, 0) + count


def _note_error(replay: Replay, error: Raised) -> None:
    group = group_of(*error)
    known: Mapping[str, Any] | None = replay.errors.get(group)
    if known is not None:
        replay.errors[group] = {**known, "count": known["count"] + 1}
    elif len(replay.errors) < MOST_ERRORS:
        replay.errors[group] = {
            "type": _storable(error.type)[:_TYPE],
            "message": _storable(masked_text(error.message))[:_MESSAGE],
            "count": 1,
            "new": bool(replay.groups) and group not in replay.groups,
            "accepted": False,
        }


def _storable(text: str) -> str:
    """Without what PostgreSQL refuses: a handler may raise any text."""
    return text.replace("\0", "\ufffd")
