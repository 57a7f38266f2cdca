"""A job as a row of the spool, and back. Everything here runs inside the caller's transaction."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from django.conf import settings
from django.db import connection

from ingest.models import Event, SpooledEvent
from ingest.queue.transitions import EnqueueResult, NewJob

State = SpooledEvent.State

#: Rows in one statement: 17 parameters each stay far below SQLite's 32,766 and PostgreSQL's 65,535.
ROWS: Final = 500


class Rest(msgspec.Struct, frozen=True):
    """What a row keeps of its job as JSON: nothing is searched by it."""

    timeout: int
    result_ttl: int
    mode: str
    dead_letters: bool
    retry_delays: tuple[float, ...]
    callback: str
    user: str
    marker_seconds: int
    type: str = ""
    own_workers: bool = False


_REST: Final = msgspec.json.Decoder(Rest)
_TABLE: Final = connection.ops.quote_name(SpooledEvent._meta.db_table)
_COLUMNS: Final = (
    *("id", "state", "rank", "place", "due_at", "kind", "source", "tenant", "event_id", "received_at", "body_hash"),
    *("ordering_key", "data", "job", "retries_left", "attempts", "crashes"),
    *("reason", "error_type", "error_message", "traceback"),
)


def rest(row: SpooledEvent) -> Rest:
    return _REST.decode(row.job)


def insert(jobs: Sequence[NewJob]) -> list[EnqueueResult]:
    """Store each once: `queued` with the state spooled, or what the row or the event of its id makes of it."""
    earlier = _earlier(jobs)
    every, jobs = jobs, [job for job in jobs if job.id not in earlier]
    stored = _insert(jobs)
    finished = {} if settings.REDIS else _finished([job for job in jobs if job.id in stored and job.body_hash])
    if finished:
        # It ran within its window: what came now is a copy, or another event under its id.
        delete(finished)
        stored.difference_update(finished)
    found = dict(finished)
    while missing := {job.id for job in jobs} - stored - found.keys():
        rows = SpooledEvent.objects.filter(id__in=missing)
        found |= {row_id: (seen, state) for row_id, seen, state in rows.values_list("id", "body_hash", "state")}
        # One that was drained in this moment makes room.
        stored |= _insert([job for job in jobs if job.id in missing - found.keys()])
    results = []
    for job in every:
        if job.id in earlier:
            results.append(EnqueueResult(job.previous, "duplicate", earlier[job.id]))
        elif job.id in stored:
            stored.discard(job.id)
            found[job.id] = (job.body_hash or "", State.SPOOLED)
            results.append(EnqueueResult(job.id, "queued", State.SPOOLED.value))
        else:
            seen, state = found[job.id]
            outcome: Any = "duplicate" if seen == (job.body_hash or "") else "id_reused"
            results.append(EnqueueResult(job.id, outcome, str(state)))
    return results


def new_job(row: SpooledEvent, now: datetime) -> NewJob:
    """The job that the row holds. It was accepted: no limit refuses it any more."""
    kept = rest(row)
    return NewJob(
        id=row.id,
        queue=settings.PRIORITIES[row.rank],
        data=bytes(row.data),
        kind=row.kind,
        type=kept.type,
        own_workers=kept.own_workers,
        source=row.source,
        tenant=row.tenant,
        event_id=row.event_id,
        received_at=row.received_at,
        timeout=kept.timeout,
        result_ttl=kept.result_ttl,
        mode=kept.mode,  # type: ignore[arg-type]
        dead_letters=kept.dead_letters,
        retry_delays=kept.retry_delays,
        # In Redis a retry that waits keeps its ordering key's turn, and a delayed job has none yet.
        delay=0.0 if row.ordering_key and row.attempts else max((row.due_at - now).total_seconds(), 0.0),
        callback=kept.callback,
        user=kept.user,
        body_hash=row.body_hash or None,
        marker_seconds=kept.marker_seconds,
        ordering_key=row.ordering_key,
    )


def delete(ids: Iterable[str]) -> int:
    """Return how many there were."""
    wanted = list(ids)
    return sum(SpooledEvent.objects.filter(id__in=part).delete()[0] for part in _parts(wanted))


def _insert(jobs: Sequence[NewJob]) -> set[str]:
    """The ids of the rows that were written."""
    now, place = datetime.now(UTC), time.time_ns()
    # By id, so that two processes never wait for each other in a circle; the first of an id is the one that counts.
    numbered = sorted(enumerate(jobs), key=lambda entry: (entry[1].id, entry[0]))
    places = f"({','.join(['%s'] * len(_COLUMNS))})"
    stored: set[str] = set()
    with connection.cursor() as cursor:
        for part in _parts(numbered):
            parameters: list[Any] = []
            for number, job in part:
                parameters += _values(job, place + number, now)
            cursor.execute(
                f"INSERT INTO {_TABLE} ({','.join(_COLUMNS)}) VALUES {','.join([places] * len(part))}"  # noqa: S608 - names of our own
                " ON CONFLICT (id) DO NOTHING RETURNING id",
                parameters,
            )
            stored.update(row[0] for row in cursor.fetchall())
    return stored


def _values(job: NewJob, place: int, now: datetime) -> tuple[Any, ...]:
    kept = Rest(
        job.timeout,
        job.result_ttl,
        job.mode,
        job.dead_letters,
        tuple(job.retry_delays),
        job.callback,
        job.user,
        job.marker_seconds,
        job.type,
        job.own_workers,
    )
    return (
        *(job.id, State.SPOOLED.value, settings.PRIORITIES.index(job.queue), place),
        _time(now + timedelta(seconds=job.delay)),
        *(job.kind, job.source, job.tenant, job.event_id, _time(job.received_at or now)),
        *(job.body_hash or "", job.ordering_key, job.data, msgspec.json.encode(kept).decode()),
        *(len(job.retry_delays), 0, 0),
        *("", "", "", ""),
    )


def _earlier(jobs: Sequence[NewJob]) -> dict[str, str]:
    """By id the state of the first copy, of those that have one in the window before their own."""
    asked = {job.previous: job for job in jobs if job.previous}
    found: dict[str, str] = {}
    for part in _parts(list(asked)):
        rows = list(SpooledEvent.objects.filter(id__in=part).values_list("id", "received_at", "state"))
        if not settings.REDIS:
            done = Event.objects.filter(id__in=part, processed_at__isnull=False)
            rows += [(*row, "finished") for row in done.values_list("id", "received_at")]
        for row_id, received_at, state in rows:
            job = asked[row_id]
            since = (job.received_at or datetime.now(UTC)) - timedelta(seconds=job.marker_seconds)
            if received_at > since and state != State.TRASH:
                found[job.id] = str(state)
    return found


def _finished(jobs: Sequence[NewJob]) -> dict[str, tuple[str, str]]:
    """Of these, the ones whose first copy was processed within the window, with its body's hash."""
    if not jobs:
        return {}
    now = datetime.now(UTC)
    windows = {job.id: now - timedelta(seconds=job.marker_seconds) for job in jobs}
    found = {}
    for part in _parts(list(windows)):
        rows = Event.objects.filter(id__in=part, received_at__gt=min(windows.values()), processed_at__isnull=False)
        for row_id, received_at, body in rows.values_list("id", "received_at", "body"):
            if received_at > windows[row_id]:
                found[row_id] = (hashlib.sha256(body.encode()).hexdigest(), "finished")
    return found


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), ROWS):
        yield items[start : start + ROWS]


def _time(at: datetime) -> Any:
    """The form that the database keeps a time in."""
    return connection.ops.adapt_datetimefield_value(at)
