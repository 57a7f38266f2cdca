"""Reads for tables and job pages: O(page), and they change nothing.

Not through RQ's registries: reading their count deletes entries, and their id lists are whole lists.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import redis
from django.conf import settings
from django.urls import NoReverseMatch, reverse

from ingest.models import Event
from ingest.queue import keys, payload
from ingest.queue.connections import connection
from queueadmin.console.snapshot import Snapshot

#: A page of dead letters at most.
MAX_LIMIT: Final = 500
#: The position is looked for in so many ids from the head; beyond, only "more than" is told.
POSITION_CAP: Final = 10_000
#: Titles are read from bodies up to this size: a page of 50 then stays under a MiB.
TITLE_FROM: Final = 16 * 1024
#: Ties of one score that a cursor steps over, when the very entry it stood on has gone.
_MAX_TIES: Final = 1000

_FIELDS: Final = (
    "status",
    "origin",
    "enqueued_at",
    "started_at",
    "ended_at",
    "retries_left",
    keys.KIND,
    keys.SOURCE,
    keys.TENANT,
    keys.EVENT_ID,
    keys.RECEIVED_AT,
    keys.ATTEMPTS,
    keys.CRASHES,
    keys.REASON,
    keys.ERROR_TYPE,
    keys.ERROR_MESSAGE,
)
#: A cursor's content: for each queue the score and the id it stood on. It comes back from the client, so it
#: is read strictly: NaN and half a surrogate pair are refused, which Redis would stumble over.
_STOOD: Final = msgspec.json.Decoder(dict[str, tuple[float, str]])
#: RQ's words → ours. `scheduled` after a failed execution is `retrying`.
_STATES: Final = {
    "created": "queued",
    "queued": "queued",
    "deferred": "scheduled",
    "scheduled": "scheduled",
    "started": "started",
    "finished": "finished",
    "failed": "failed",
    "stopped": "failed",
    "canceled": "canceled",
}


class BadCursor(ValueError):
    """The cursor is not one that a page of this list gave."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One row of the dead-letter list."""

    id: str
    kind: str
    source: str
    tenant: str
    #: The event's title, "" when it has none or is over TITLE_FROM bytes.
    title: str
    queue: str
    event_id: str | None
    error_type: str
    error_message: str
    #: error, timeout, poison, permanent, unreadable or not_allowed.
    reason: str
    failed_at: datetime | None
    #: Executions in the job's whole life.
    attempts: int


@dataclass(frozen=True, slots=True)
class Page:
    items: tuple[DeadLetter, ...]
    #: Give it back as `cursor` for the next page; None: this was the last.
    next: str | None
    #: All dead letters of these queues, now.
    total: int


def dead_letters(*, queue: str | None = None, cursor: str | None = None, limit: int = 50) -> Page:
    """Dead letters, the newest first.

    Raises BadCursor, ValueError for an unknown queue or a limit outside 1 to MAX_LIMIT, and
    redis.RedisError when Redis is away.
    """
    if queue is not None and queue not in settings.PRIORITIES:
        raise ValueError(f"queue must be one of {', '.join(settings.PRIORITIES)}, not {queue!r}")
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be between 1 and {MAX_LIMIT}, not {limit}")
    names = [queue] if queue else list(settings.PRIORITIES)
    stood = _cursor(cursor, names)
    client = connection()
    total = sum(_pipelined(client, "zcard", [keys.failed(name) for name in names]))
    # One more than the page, of each queue: the newest of all must be among them.
    found = [
        (-score, order, name, job_id, score)
        for order, name in enumerate(names)
        for job_id, score in _after(client, name, stood.get(name), limit + 1)
    ]
    found.sort(key=lambda entry: entry[:2])  # stable: within a queue Redis' own order stays
    page = found[:limit]
    for _, _, name, job_id, score in page:
        stood[name] = (score, job_id)
    items = tuple(_rows(client, [(name, job_id, score) for _, _, name, job_id, score in page]))
    return Page(items, _as_cursor(stood) if len(found) > limit else None, total)


def job(job_id: str) -> dict[str, Any] | None:
    """One job in the contract's shape; a finished one from its event's row; None when neither is known.

    Times are aware datetimes. Raises redis.RedisError when Redis is away.
    """
    client = connection()
    pipe = client.pipeline(transaction=True)
    pipe.hmget(keys.job(job_id), _FIELDS)
    pipe.get(keys.SNAPSHOT)
    for name in settings.PRIORITIES:
        pipe.llen(keys.queue(name))
        pipe.lpos(keys.queue(name), job_id, maxlen=POSITION_CAP)
        pipe.zscore(keys.scheduled(name), job_id)
        pipe.zscore(keys.failed(name), job_id)
    values, published, *rest = pipe.execute()
    fields = dict(zip(_FIELDS, map(_text, values), strict=True))
    if not fields["status"]:
        return _finished(job_id)
    name = fields["origin"]
    if name not in settings.PRIORITIES:
        return _shape(job_id, fields)
    order = settings.PRIORITIES.index(name)
    _, index, due, failed_at = rest[order * 4 : order * 4 + 4]
    found = _shape(job_id, fields)
    state = found["state"]
    if state in ("scheduled", "retrying") and due is not None:
        found["next_attempt_at"] = datetime.fromtimestamp(float(due), UTC)
    if state == "failed" and found["error"] and failed_at is not None:
        found["error"]["at"] = _failed_at(float(failed_at), fields["ended_at"])
    if state == "queued":
        before = sum(rest[i * 4] for i in range(order))
        found |= _place(index, before, settings.PRIORITIES[: order + 1], published)
    return found


def _place(index: int | None, before: int, names: Sequence[str], published: bytes | None) -> dict[str, Any]:
    """Position in its queue, jobs ahead under strict priority, and when its turn comes at today's rate."""
    if index is None:
        return {"position": f">{POSITION_CAP}"}
    place: dict[str, Any] = {"position": index + 1, "ahead": before + index}
    try:
        last = Snapshot.from_json(published) if published else None
    except msgspec.MsgspecError:
        last = None
    rate = sum(q.out_rate for q in last.queues if q.name in names) if last else 0
    if rate > 0:
        place["eta_seconds"] = round((before + index + 1) / rate, 1)
        place["eta_basis"] = f"{rate:.1f} jobs/s left {', '.join(names)} over the last 10 s"
    return place


def _shape(job_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    ended, left = _number(fields[keys.ATTEMPTS]), _number(fields["retries_left"])
    state = _STATES.get(fields["status"], fields["status"])
    if state == "scheduled" and ended:
        state = "retrying"
    error = None
    if fields[keys.ERROR_TYPE] or fields[keys.REASON]:
        error = {
            "type": fields[keys.ERROR_TYPE] or None,
            "message": fields[keys.ERROR_MESSAGE] or None,
            "reason": fields[keys.REASON] or None,
            "at": _moment(fields["ended_at"]),
        }
    return {
        "id": job_id,
        "event_id": fields[keys.EVENT_ID] or None,
        "kind": fields[keys.KIND] or None,
        "source": fields[keys.SOURCE] or None,
        "tenant": fields[keys.TENANT] or None,
        "state": state,
        "queue": fields["origin"] or None,
        "priority": fields["origin"] or None,
        "position": None,
        "ahead": None,
        "eta_seconds": None,
        "eta_basis": None,
        # The hash counts executions that ended in a failure; the one that runs now is one more.
        "attempts": ended + (state in ("started", "finished")),
        "attempts_left": {"failed": 0, "finished": 0, "canceled": 0, "started": left}.get(state, left + 1),
        "crashes": _number(fields[keys.CRASHES]),
        "received_at": _moment(fields[keys.RECEIVED_AT]),
        "enqueued_at": _moment(fields["enqueued_at"]),
        "started_at": _moment(fields["started_at"]),
        "finished_at": _moment(fields["ended_at"]) if state in ("finished", "failed") else None,
        "next_attempt_at": None,
        "error": error,
        "progress": None,
        "result": None,
        "replay": None,
        "links": _links(job_id, state),
    }


def _finished(job_id: str) -> dict[str, Any] | None:
    """The job's hash is gone with its completion; its event's row tells the rest."""
    if "\0" in job_id:
        return None  # PostgreSQL refuses the question
    event = Event.objects.filter(id=job_id).order_by("-received_at").first()
    if event is None:
        return None
    nothing = dict.fromkeys(_FIELDS, "")
    found = _shape(job_id, nothing | {"status": "finished", keys.KIND: event.kind, "origin": event.priority})
    return found | {
        "event_id": event.event_id,
        "source": event.source or None,
        "tenant": event.tenant or None,
        # How often it ran was in the hash; that it ran is certain.
        "attempts": None,
        "received_at": event.received_at,
        "finished_at": event.processed_at,
    }


def _links(job_id: str, state: str) -> dict[str, str]:
    links = {"self": reverse("console-api:job", args=[job_id])}
    if state == "failed":
        links["retry"] = reverse("console-api:job-retry", args=[job_id])
    with suppress(NoReverseMatch):  # an API without the console's pages
        links["page"] = reverse("console:job", args=[job_id])
    return links


def _rows(client: redis.Redis, entries: Sequence[tuple[str, str, float]]) -> Iterator[DeadLetter]:
    """The rows of these (queue, id, score); a job whose hash has gone is left out."""
    pipe = client.pipeline(transaction=False)
    for _, job_id, _ in entries:
        pipe.hmget(keys.job(job_id), _FIELDS)
        pipe.hstrlen(keys.job(job_id), "data")
    answers = pipe.execute()
    sizes = answers[1::2]
    small = [job_id for (_, job_id, _), size in zip(entries, sizes, strict=True) if 0 < size <= TITLE_FROM]
    titles = dict(
        zip(small, map(_title, _pipelined(client, "hget", [keys.job(i) for i in small], "data")), strict=True)
    )
    for (name, job_id, score), values in zip(entries, answers[::2], strict=True):
        fields = dict(zip(_FIELDS, map(_text, values), strict=True))
        if not fields["status"]:
            continue
        yield DeadLetter(
            id=job_id,
            kind=fields[keys.KIND],
            source=fields[keys.SOURCE],
            tenant=fields[keys.TENANT],
            title=titles.get(job_id, ""),
            queue=name,
            event_id=fields[keys.EVENT_ID] or None,
            error_type=fields[keys.ERROR_TYPE],
            error_message=fields[keys.ERROR_MESSAGE],
            reason=fields[keys.REASON] or "error",
            failed_at=_failed_at(score, fields["ended_at"]),
            attempts=_number(fields[keys.ATTEMPTS]),
        )


def _title(data: bytes | None) -> str:
    try:
        body = msgspec.json.decode(payload.decode(data or b"").body)
    except (payload.Unreadable, msgspec.MsgspecError):
        return ""
    for name in ("title", "name", "message"):
        if isinstance(body, dict) and isinstance(body.get(name), str):
            return str(body[name])[:300]
    return ""


def _after(client: redis.Redis, name: str, stood: tuple[float, str] | None, count: int) -> list[tuple[str, float]]:
    """The next `count` entries of one registry, newest first, after the one the cursor stood on."""
    key = keys.failed(name)
    if stood is None:
        return _entries(client.zrange(key, 0, count - 1, desc=True, withscores=True))
    score, member = stood
    if client.zscore(key, member) == score:
        rank = client.zrevrank(key, member)
        if isinstance(rank, int):
            return _entries(client.zrange(key, rank + 1, rank + count, desc=True, withscores=True))
    # It was retried or discarded: step over what ties with it, by Redis' own order within a score.
    ties = _entries(client.zrevrangebyscore(key, repr(score), repr(score), start=0, num=_MAX_TIES, withscores=True))
    rest = [entry for entry in ties if entry[0] < member]
    below = client.zrevrangebyscore(key, f"({score!r}", "-inf", start=0, num=count, withscores=True)
    return (rest + _entries(below))[:count]


def _entries(found: Any) -> list[tuple[str, float]]:
    return [(_text(member), float(score)) for member, score in found]


def _cursor(text: str | None, names: Sequence[str]) -> dict[str, tuple[float, str]]:
    if not text:
        return {}
    try:
        stood = _STOOD.decode(base64.urlsafe_b64decode(text.encode() + b"=="))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadCursor("cursor is not one that this list gave") from error
    return {name: place for name, place in stood.items() if name in names}


def _as_cursor(stood: Mapping[str, tuple[float, str]]) -> str:
    return base64.urlsafe_b64encode(json.dumps(stood, separators=(",", ":")).encode()).decode().rstrip("=")


def _failed_at(score: float, ended_at: str) -> datetime | None:
    if score >= keys.SCORE_OFFSET:
        return datetime.fromtimestamp(score - keys.SCORE_OFFSET, UTC)
    return _moment(ended_at)  # a stock worker's: its score is when it expires, or -1


def _pipelined(client: redis.Redis, command: str, names: Sequence[str], *arguments: Any) -> list[Any]:
    pipe = client.pipeline(transaction=False)
    for name in names:
        getattr(pipe, command)(name, *arguments)
    return pipe.execute() if names else []


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
