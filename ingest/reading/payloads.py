"""What a job carries and how it last failed. One round trip."""

import zlib
from dataclasses import dataclass

import redis

from ingest.models import Event
from ingest.queue import keys, payload
from ingest.queue.connections import connection


@dataclass(frozen=True, slots=True)
class Carried:
    """`body` is the event as it was sent, None when it cannot be read; `traceback` is of the last failure."""

    body: bytes | None
    traceback: str


def carried(job_id: str, client: redis.Redis | None = None) -> Carried:
    """Raises redis.RedisError when Redis is away."""
    data, error = (client or connection()).hmget(keys.job(job_id), "data", "exc_info")
    if data is not None:
        try:
            return Carried(payload.decode(_bytes(data)).body, _text(error))
        except payload.Unreadable:
            return Carried(None, _text(error))
    if "\0" in job_id:
        return Carried(None, "")  # PostgreSQL refuses the question
    event = Event.objects.filter(id=job_id).order_by("-received_at").first()
    return Carried(event.body.encode() if event else None, "")


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _text(error: bytes | str | None) -> str:
    """RQ keeps a traceback plain or compressed."""
    if error is None:
        return ""
    if isinstance(error, str):
        return error
    try:
        return zlib.decompress(error).decode(errors="replace")
    except zlib.error:
        return error.decode(errors="replace")
