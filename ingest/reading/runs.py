"""What a job's executions left: each failed attempt with its traceback, the log's lines, the result."""

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import redis

from ingest.queue import keys
from ingest.reading.fields import number, text

#: RQ's types of a result: 1 is a success; our failures say whether another try followed.
_SUCCESS: Final = "1"
_RETRIED: Final = "4"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution that failed."""

    #: From 1, in the job's whole life; 0: a stock worker's, which does not say.
    number: int
    #: error, timeout, poison, permanent, unreadable, not_allowed, crash or recovered.
    reason: str
    error_type: str
    message: str
    traceback: str
    worker: str
    started_at: datetime | None
    ended_at: datetime
    #: Whether another try followed.
    retried: bool


def attempts(client: redis.Redis, job_id: str) -> list[Attempt]:
    """The last 20 failed executions, oldest first."""
    entries = [_entry(*found) for found in client.xrange(keys.results(job_id), count=20) or []]
    return [_attempt(at, fields) for at, fields in entries if fields.get("type") != _SUCCESS]


def log(client: redis.Redis, job_id: str) -> list[str]:
    """The last 100 lines that the handler logged, oldest first."""
    return [text(line) for line in client.lrange(keys.log(job_id), 0, -1)]


def result(client: redis.Redis, job_id: str) -> Any:
    """What the handler returned, while it is kept; None: nothing, or it is gone."""
    for found in client.xrevrange(keys.results(job_id), count=1) or []:
        _, fields = _entry(*found)
        if fields.get("type") == _SUCCESS:
            try:
                return json.loads(base64.b64decode(fields.get("return_value", "")))
            except ValueError:
                return None  # a stock worker's, in another serializer
    return None


def _entry(entry_id: Any, fields: Any) -> tuple[datetime, dict[str, str]]:
    """An entry's fields, and when it was written: its id begins with that, in milliseconds."""
    at = datetime.fromtimestamp(int(text(entry_id).partition("-")[0]) / 1000, UTC)
    return at, {text(name): text(value) for name, value in fields.items()}


def _attempt(written_at: datetime, fields: dict[str, str]) -> Attempt:
    return Attempt(
        number=number(fields.get("attempt", "")),
        reason=fields.get("reason") or "error",
        error_type=fields.get("error_type", ""),
        message=fields.get("error_message", ""),
        traceback=unpacked(fields.get("exc_string", "")),
        worker=fields.get("worker_name", ""),
        started_at=_at(fields.get("execution_started_at", "")),
        ended_at=_at(fields.get("execution_ended_at", "")) or written_at,
        retried=fields.get("type") == _RETRIED,
    )


def _at(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError):
        return None


def unpacked(packed: str) -> str:
    """A traceback as RQ keeps it: base64 of zlib."""
    try:
        return zlib.decompress(base64.b64decode(packed)).decode(errors="replace")
    except (ValueError, zlib.error):
        return packed
