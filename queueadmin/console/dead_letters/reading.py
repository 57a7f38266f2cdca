"""Those that match, the newest first, as a stream."""

import heapq
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final, NamedTuple

import redis
from django.conf import settings

from ingest.credentials import masked, masked_text
from ingest.frames import ours
from ingest.queue import keys, payload
from ingest.reading.cursors import newest
from ingest.reading.fields import FIELDS, failed_at, fields, moment, number, pipelined, text
from ingest.reading.runs import unpacked
from queueadmin.console.dead_letters.ahead import ahead
from queueadmin.console.filters import Filter
from queueadmin.console.filters.sieve import Sieve
from queueadmin.console.fingerprint import group_of

#: Why a job that killed its worker three times is dead.
POISON: Final = "poison"
#: Entries of a registry in one question.
_PAGE: Final = 250
#: Jobs whose events are read in one question: an event may have a MiB.
_EVENTS: Final = 20
#: What a title may be called, the first that is there.
_TITLES: Final = ("title", "name", "message")
#: Characters of a title.
_TITLE: Final = 300
#: A traceback's last line: the exception's whole name, and what it says.
_RAISED: Final = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?", re.DOTALL)


class Raised(NamedTuple):
    """What a job failed with."""

    type: str
    message: str
    #: As `ingest.frames` writes them; "": nobody looked.
    frames: str

    def or_by(self, traceback: "Raised | None") -> "Raised":
        """The same, and what is missing by the traceback."""
        if traceback is None:
            return self
        return Raised(self.type, self.message, traceback.frames) if self.type else traceback


@dataclass(frozen=True, slots=True)
class Record:
    """One dead letter: where it stands, and what filters and tables know of it."""

    id: str
    queue: str
    #: Its place in the registry; it has another one once it has failed again.
    score: float
    #: The contract's shape of a job, as far as the registries tell it, with `title`, `group`, `frames` and `payload`
    #: (the event as it was sent; None: not asked for, or not to be read). Credentials are masked.
    shown: Mapping[str, Any]
    #: When it was moved last: also out of the trash, back to this place.
    moved_at: datetime | None = None


@dataclass(slots=True)
class Bound:
    """How many dead letters are looked at, those of `most` and of so many seconds from now on; 250 in any case."""

    most: int | None = None
    seconds: float = math.inf
    looked_at: int = 0
    #: Those that may match; None: nobody knows, as the registries are read.
    candidates: int | None = None
    #: Whether there were more than were looked at.
    stopped: bool = False
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    @property
    def is_reached(self) -> bool:
        is_late = self.looked_at >= _PAGE and time.monotonic() >= self._until
        return is_late or (self.most is not None and self.looked_at >= self.most)


def matching(
    client: redis.Redis,
    chosen: Filter,
    *,
    now: datetime,
    events: bool = False,
    trash: bool = False,
    bound: Bound | None = None,
) -> Iterator[Record]:
    """The dead letters that match, of those that failed before `now` (Redis' time) or lie ahead of it; with `trash`
    those in the trash, of those that were discarded before it. All of them, or as far as the bound allows.

    `events` reads titles and payloads even if the filter does not ask for them. Raises redis.RedisError when
    Redis is away.
    """
    events = events or chosen.reads_payload
    names = [name for name in settings.PRIORITIES if chosen.allows("queue", name)]
    if not chosen.allows("state", "trash" if trash else "failed"):
        return
    latest = now.timestamp() + (0 if trash else keys.SCORE_OFFSET)
    place = keys.trash if trash else keys.failed
    entries = chain(
        ahead(client, names, now=now, trash=trash),
        heapq.merge(*(_entries(client, name, place(name), latest) for name in names), key=lambda e: -e[2]),
    )
    sieve = Sieve(chosen.terms)
    while page := list(islice(entries, _EVENTS if events else _PAGE)):
        for record in records(client, page, events=events, trash=trash, sieve=sieve):
            if bound is not None:
                if bound.is_reached:
                    bound.stopped = True
                    return
                bound.looked_at += 1
            if chosen.matches(record.shown, now=now):
                yield record


def _entries(client: redis.Redis, name: str, key: str, latest: float) -> Iterator[tuple[str, str, float]]:
    """(queue, id, score) of one queue, the newest first, from `latest` on; what fails meanwhile is not met."""
    stood = math.nextafter(latest, math.inf), ""
    while page := newest(client, key, stood, _PAGE):
        for job_id, score in page:
            yield name, job_id, score
        stood = (page[-1][1], page[-1][0])


def records(
    client: redis.Redis,
    entries: Sequence[tuple[str, str, float]],
    *,
    events: bool,
    trash: bool = False,
    sieve: Sieve | None = None,
) -> Iterator[Record]:
    """The records of these (queue, id, score), in their order.

    One whose job has gone, or that the trash has from elsewhere, is left out. An event that `sieve` rules out is not
    read.
    """
    hashes = pipelined(client, "hmget", [keys.job(job_id) for _, job_id, _ in entries], FIELDS)
    data = pipelined(client, "hget", [keys.job(job_id) for _, job_id, _ in entries], "data") if events else []
    known = list(map(fields, hashes))
    untold = [
        job_id
        for (_, job_id, _), found in zip(entries, known, strict=True)
        if found["status"] and not (found[keys.ERROR_TYPE] and found[keys.FRAMES])
    ]
    raised = dict(zip(untold, raised_by(client, untold), strict=True))
    for index, ((name, job_id, score), found) in enumerate(zip(entries, known, strict=True)):
        if found["status"] and (not trash or found[keys.TRASHED_FROM] == "failed"):
            told = Raised(found[keys.ERROR_TYPE], found[keys.ERROR_MESSAGE], found[keys.FRAMES])
            shown = _shown(name, job_id, score, found, told.or_by(raised.get(job_id)))
            if events and (sieve is None or not sieve or sieve.passes(_texts(shown, data[index]))):
                event = event_of(data[index])
                shown |= {"title": title_of(event), "payload": event}
            yield Record(job_id, name, score, shown, moment(found[keys.MOVED_AT]))


def _texts(shown: Mapping[str, Any], data: bytes | None) -> str:
    """All that plain words may be looked for in."""
    try:
        event = payload.inflated(data or b"").decode(errors="replace")
    except payload.Unreadable:
        event = ""
    named = (shown[name] for name in ("id", "event_id", "kind", "source", "tenant"))
    return "\n".join([*(name or "" for name in (*named, *map(shown["error"].get, ("type", "message")))), event])


def _shown(name: str, job_id: str, score: float, found: Mapping[str, str], raised: Raised) -> dict[str, Any]:
    return {
        "id": job_id,
        "event_id": found[keys.EVENT_ID] or None,
        "kind": found[keys.KIND] or None,
        "source": found[keys.SOURCE] or None,
        "tenant": found[keys.TENANT] or None,
        "state": "trash" if found[keys.TRASHED_AT] else "failed",
        "queue": name,
        "title": "",
        "attempts": number(found[keys.ATTEMPTS]),
        "crashes": number(found[keys.CRASHES]),
        "received_at": moment(found[keys.RECEIVED_AT]),
        "enqueued_at": moment(found["enqueued_at"]),
        "error": {
            "type": raised.type or None,
            "message": masked_text(raised.message) or None,
            "reason": found[keys.REASON] or "error",
            "at": moment(found["ended_at"]) if found[keys.TRASHED_AT] else failed_at(score, found["ended_at"]),
        },
        "group": group_of(*raised),
        "frames": raised.frames,
        "replay": number(found[keys.REPLAY]) or None,
        "permanent": bool(found[keys.PERMANENT]),
        "payload": None,
    }


def title_of(event: Any) -> str:
    """What an event calls itself, "" when it does not."""
    names = _TITLES if isinstance(event, dict) else ()
    return next((event[name][:_TITLE] for name in names if isinstance(event.get(name), str)), "")


def event_of(data: bytes | None) -> Any:
    """The event in a job's data, without its credentials; None: not to be read."""
    try:
        return event_in(payload.body_of(data or b""))
    except payload.Unreadable:
        return None


def event_in(body: bytes | str) -> Any:
    """The same of an event as it was sent."""
    try:
        return masked(json.loads(body, parse_float=finite, parse_constant=str))
    except (ValueError, RecursionError):
        return None


def finite(text: str) -> float | str:
    """A number that JSON can be written with again."""
    return found if math.isfinite(found := float(text)) else text


def raised_by(client: redis.Redis, ids: Sequence[str]) -> Iterator[Raised]:
    """The last failures of jobs whose hashes do not tell, as those of a stock worker, by their tracebacks."""
    streams = pipelined(client, "xrevrange", [keys.results(job_id) for job_id in ids], "+", "-", 1)
    for stream in streams:
        entry = {text(name): text(value) for name, value in stream[0][1].items()} if stream else {}
        yield _of_traceback(unpacked(entry.get("exc_string", "")))


def _of_traceback(traceback: str) -> Raised:
    """What was raised stands after the last line that is indented."""
    lines = traceback.rstrip().split("\n")
    last = max((index for index, line in enumerate(lines) if line.startswith("  ")), default=-1)
    found = _RAISED.fullmatch("\n".join(lines[last + 1 :]))
    return Raised(found[1] if found else "", (found[2] or "").strip() if found else "", ours(traceback))
