"""What a job carries and how it last failed. One round trip."""

import zlib
from dataclasses import dataclass

import redis
from django.conf import settings

from ingest.models import Event, SpooledEvent
from ingest.queue import keys, payload
from ingest.queue.connections import connection
from ingest.reading import spooled


@dataclass(frozen=True, slots=True)
class Carried:
    """`body` is the event as it was sent, None when it cannot be read; `traceback` is of the last failure."""

    body: bytes | None
    traceback: str


def carried(job_id: str, client: redis.Redis | None = None) -> Carried:
    """Raises redis.RedisError when Redis is away and may know the job."""
    try:
        data, error = (client or connection()).hmget(keys.job(job_id), "data", "exc_info")
    except redis.RedisError:
        if (found := _spooled(job_id)) is None and settings.REDIS:
            raise
        return found or _of_row(job_id)
    if data is not None:
        try:
            return Carried(payload.body_of(_bytes(data)), _text(error))
        except payload.Unreadable:
            return Carried(None, _text(error))
    return _spooled(job_id) or _of_row(job_id)


def _spooled(job_id: str) -> Carried | None:
    row = SpooledEvent.objects.filter(id=job_id).first() if "\0" not in job_id else None
    return Carried(spooled.body(row), row.traceback) if row else None


def _of_row(job_id: str) -> Carried:
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
