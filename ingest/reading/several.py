"""Several jobs by their ids: as `jobs.read` tells each, in a few round trips for all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import redis
from django.conf import settings

from ingest.models import Event, SpooledEvent
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.reading import spooled
from ingest.reading.fields import FIELDS, failed_at, fields, pipelined, text
from ingest.reading.jobs import POSITION_CAP, of_row, placed, shape
from ingest.reading.shapes import Job


def read(ids: Sequence[str], client: redis.Redis | None = None, *, located: bool = True) -> dict[str, Job]:
    """By id, those that Redis, the spool or a row knows; without results, and without positions unless `located`.

    Raises redis.RedisError when Redis is away and may know one of them.
    """
    away: redis.RedisError | None = None
    found: dict[str, Job] = {}
    try:
        found = _in_redis(ids, client or connection(), located)
    except redis.RedisError as error:
        away = error
    missing = [job_id for job_id in ids if job_id not in found and "\0" not in job_id]
    if missing:
        found |= {row.id: spooled.of_row(row) for row in SpooledEvent.objects.filter(id__in=missing).defer("data")}
        if away is not None and settings.REDIS and any(job_id not in found for job_id in missing):
            raise away
        rows = Event.objects.filter(id__in=missing, processed_at__isnull=False).order_by("received_at").defer("body")
        found = {row.id: of_row(row) for row in rows} | found
    return found


def _in_redis(ids: Sequence[str], client: redis.Redis, located: bool) -> dict[str, Job]:
    hashes = pipelined(client, "hmget", [keys.job(job_id) for job_id in ids], FIELDS)
    known = {job_id: found for job_id, values in zip(ids, hashes, strict=True) if (found := fields(values))["status"]}
    jobs = {job_id: shape(job_id, found) for job_id, found in known.items()}
    timed = [job for job in jobs.values() if job.state in ("scheduled", "retrying", "failed") and job.queue]
    pipe = client.pipeline(transaction=False)
    for job in timed:
        of_queue = keys.failed if job.state == "failed" else keys.scheduled
        pipe.zscore(of_queue(str(job.queue)), job.id)
    for job, score in zip(timed, pipe.execute(), strict=True):
        jobs[job.id] = _dated(job, score, known[job.id]["ended_at"])
    if located:
        waiting = [job for job in jobs.values() if job.state == "queued" and job.queue in settings.PRIORITIES]
        jobs |= {job.id: job for job in _placed(client, waiting)}
    return jobs


def _dated(job: Job, score: Any, ended_at: str) -> Job:
    """The time that its set knows."""
    if score is None:
        return job
    if job.state != "failed":
        return replace(job, next_attempt_at=datetime.fromtimestamp(float(score), UTC))
    return replace(job, error=replace(job.error, at=failed_at(float(score), ended_at))) if job.error else job


def _placed(client: redis.Redis, jobs: Sequence[Job]) -> Iterable[Job]:
    """The jobs with their positions: both ends of each of their queues are looked through once."""
    if not jobs:
        return
    wanted = {job.queue for job in jobs}
    names = settings.PRIORITIES[: max(settings.PRIORITIES.index(name) for name in wanted if name) + 1]
    pipe = client.pipeline(transaction=True)
    for name in names:
        pipe.llen(keys.queue(name))
        pipe.scard(keys.tombstones(name))
        if name in wanted:
            pipe.lrange(keys.queue(name), 0, POSITION_CAP - 1)
            pipe.lrange(keys.queue(name), -POSITION_CAP, -1)
            for job in jobs:
                if job.queue == name:
                    pipe.zrank(keys.behind(name), job.id)
    answers = iter(pipe.execute())
    before: dict[str, int] = {}
    for name in names:
        length, gone = next(answers), next(answers)
        if name in wanted:
            here = _places(client, name, next(answers), next(answers), length, gone)
            for job in jobs:
                if job.queue != name:
                    continue
                behind = next(answers)
                if behind is not None:
                    yield placed(job, max(0, length - gone) + behind, before)
                elif job.id in here:
                    yield placed(job, here[job.id], before)
                elif length > POSITION_CAP:
                    yield replace(job, position=f">{POSITION_CAP}")
        before = {**before, name: max(0, length - gone)}


def _places(
    client: redis.Redis, name: str, head: Sequence[bytes], end: Sequence[bytes], length: int, gone: int
) -> Mapping[str, int]:
    """How many jobs of the queue come before each of these; ids of jobs that are elsewhere do not count."""
    here: dict[str, int] = {}
    if length > len(head):
        absent = list(accumulate(_gone(client, name, end, gone), initial=0))
        first = length - len(end) - (gone - absent[-1])
        here |= {text(job_id): first + i - absent[i] for i, job_id in enumerate(end)}
    absent = list(accumulate(_gone(client, name, head, gone), initial=0))
    return here | {text(job_id): i - absent[i] for i, job_id in enumerate(head)}


def _gone(client: redis.Redis, name: str, ids: Sequence[bytes], gone: int) -> Sequence[int]:
    return client.smismember(keys.tombstones(name), list(ids)) if gone and ids else [0] * len(ids)
