"""What events call themselves, for rows of lists. Bounded: a page of 50 reads a MiB at most."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from django.conf import settings
from django.db.models.functions import Length

from ingest.models import Event, SpooledEvent
from ingest.queue import keys, payload
from ingest.queue.connections import connection
from ingest.reading.fields import pipelined
from queueadmin.console.dead_letters.reading import title_of

#: Titles are read from bodies up to this size: a page of 50 then stays under a MiB.
TITLE_FROM: Final = 16 * 1024


def title_in(data: bytes | None) -> str:
    """The title in a job's `data`; "" when there is none to read."""
    try:
        return title_of(msgspec.json.decode(payload.body_of(data or b"")))
    except (payload.Unreadable, msgspec.MsgspecError):
        return ""


def titles(jobs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By id, the titles of jobs in the contract's shape; those without one are left out.

    Raises redis.RedisError and DatabaseError.
    """
    over = [job["id"] for job in jobs if job["state"] == "finished"]
    others = [job["id"] for job in jobs if job["state"] != "finished"]
    found = {**_in_rows(over, jobs), **(_in_redis(others) if settings.REDIS else {})}
    if missing := [job_id for job_id in others if job_id not in found and "\0" not in job_id]:
        small = SpooledEvent.objects.annotate(size=Length("data")).filter(id__in=missing, size__lte=TITLE_FROM)
        found |= {job_id: title_in(bytes(data)) for job_id, data in small.values_list("id", "data")}
    return {job_id: title for job_id, title in found.items() if title}


def _in_redis(ids: Sequence[str]) -> dict[str, str]:
    client = connection()
    sizes = pipelined(client, "hstrlen", [keys.job(job_id) for job_id in ids], "data")
    small = [job_id for job_id, size in zip(ids, sizes, strict=True) if 0 < size <= TITLE_FROM]
    data = pipelined(client, "hget", [keys.job(job_id) for job_id in small], "data")
    return dict(zip(small, map(title_in, data), strict=True))


def _in_rows(ids: Sequence[str], jobs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    moments = [job["received_at"] for job in jobs if job["state"] == "finished" and job["received_at"]]
    if not moments:
        return {}
    rows = Event.objects.filter(id__in=ids, received_at__range=(min(moments), max(moments)))
    small = rows.annotate(size=Length("body")).filter(size__lte=TITLE_FROM).values_list("id", "body")
    return {job_id: title_of(_decoded(body)) for job_id, body in small}


def _decoded(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return None
