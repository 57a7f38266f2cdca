"""What stands in a job's hash, as values. What a stock client wrote may be anything, so nothing here raises."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import redis

from ingest.queue import keys

#: Read of every job, in one HMGET; the payload is not among them.
FIELDS: Final = (
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
    keys.FRAMES,
    keys.MOVED_BY,
    keys.MOVED_AT,
    keys.TRASHED_AT,
    keys.TRASHED_FROM,
    keys.PROGRESS,
    keys.ORDERING_KEY,
    keys.LANE,
    keys.STOPPING,
    keys.REPLAY,
    keys.PERMANENT,
)
#: Beside FIELDS: what the hash says in its kind.
TASK_TYPE: Final = "task_type"


def fields(values: Sequence[Any]) -> dict[str, str]:
    """HMGET's answer for FIELDS, by name, and TASK_TYPE; what is missing is empty."""
    found = dict(zip(FIELDS, map(text, values), strict=True))
    found[keys.KIND], _, found[TASK_TYPE] = found[keys.KIND].partition(":")
    return found


def kind(value: Any) -> str:
    """The kind of a job, by that field of its hash alone."""
    return text(value).partition(":")[0]


def pipelined(client: redis.Redis, command: str, names: Sequence[str], *arguments: Any) -> list[Any]:
    """One command for each key, in one round trip."""
    pipe = client.pipeline(transaction=False)
    for name in names:
        getattr(pipe, command)(name, *arguments)
    return pipe.execute() if names else []


def text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        return 0


def moment(value: str) -> datetime | None:
    """RQ's date, aware."""
    try:
        found = datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def failed_at(score: float, ended_at: str) -> datetime | None:
    """When a dead letter failed: by its score, or for a stock worker's, whose score says -1, by its hash."""
    if score >= keys.SCORE_OFFSET:
        return datetime.fromtimestamp(score - keys.SCORE_OFFSET, UTC)
    return moment(ended_at)
