"""Reads for tables and job pages: `ingest.reading`, and what the console alone knows beside it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import redis
from django.conf import settings
from django.db.models import Q
from django.urls import NoReverseMatch, reverse

from ingest.credentials import COVER, is_secret, masked, masked_text
from ingest.kinds import KINDS
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.reading import jobs, runs
from ingest.reading import several as reading_several
from ingest.reading.cursors import as_cursor, moment_of, newest, read_cursor
from ingest.reading.fields import FIELDS, failed_at, fields, number, pipelined, text
from ingest.reading.shapes import Job
from ingest.spool import reading
from queueadmin.console.figures.snapshot import Snapshot
from queueadmin.console.masking import masked_traceback
from queueadmin.console.titles import TITLE_FROM, title_in

__all__ = ["DeadLetter", "Page", "attempts", "dead_letters", "job", "log", "several"]

#: A page of dead letters at most.
MAX_LIMIT: Final = 500
#: States in which a job's event can be replaced.
EDITABLE: Final = ("queued", "scheduled", "retrying", "failed")
#: Characters shown of one field of a job's hash.
RAW_LENGTH: Final = 2_000
#: What operators can do with a job, by its state; the words are the ends of the API's paths.
ACTIONS: Final = {
    "queued": ("move", "cancel", "discard"),
    "scheduled": ("run-now", "cancel", "discard"),
    "retrying": ("run-now", "cancel", "discard"),
    "failed": ("retry", "discard"),
    "trash": ("restore",),
}
#: With one that runs for an effect handler; a batch shares its transaction with others.
WHILE_IT_RUNS: Final = ("cancel",)


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
    #: Somebody said that it will never succeed.
    permanent: bool = False


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
    if not settings.REDIS:
        return _spooled_dead_letters(names, cursor, limit)
    stood = {name: place for name, place in read_cursor(cursor).items() if name in names}
    client = connection()
    total = sum(pipelined(client, "zcard", [keys.failed(name) for name in names]))
    # One more than the page, of each queue: the newest of all must be among them.
    found = [
        (-score, order, name, job_id, score)
        for order, name in enumerate(names)
        for job_id, score in newest(client, keys.failed(name), stood.get(name), limit + 1)
    ]
    found.sort(key=lambda entry: entry[:2])  # stable: within a queue Redis' own order stays
    page = found[:limit]
    for _, _, name, job_id, score in page:
        stood[name] = (score, job_id)
    items = tuple(_rows(client, [(name, job_id, score) for _, _, name, job_id, score in page]))
    return Page(items, as_cursor(stood) if len(found) > limit else None, total)


def _spooled_dead_letters(names: Sequence[str], cursor: str | None, limit: int) -> Page:
    dead = reading.dead_letters(names)
    stood = read_cursor(cursor).get("spool")
    after = dead
    if stood is not None:
        at = moment_of(stood)
        after = dead.filter(Q(failed_at__lte=at) & (Q(failed_at__lt=at) | Q(id__lt=stood[1])))
    rows = list(after[: limit + 1])
    page = rows[:limit]
    items = tuple(
        DeadLetter(
            id=row.id,
            kind=row.kind,
            source=row.source,
            tenant=row.tenant,
            title=title_in(bytes(row.data)) if len(row.data) <= TITLE_FROM else "",
            queue=settings.PRIORITIES[row.rank],
            event_id=row.event_id,
            error_type=row.error_type,
            error_message=row.error_message,
            reason=row.reason or "error",
            failed_at=row.failed_at,
            attempts=row.attempts,
        )
        for row in page
    )
    more = len(rows) > limit
    last = page[-1] if page else None
    place = as_cursor({"spool": (last.failed_at.timestamp(), last.id)}) if more and last and last.failed_at else None
    return Page(items, place, dead.count())


def job(job_id: str) -> dict[str, Any] | None:
    """One job in the contract's shape; a finished one from its event's row; None when neither is known.

    Times are aware datetimes. Raises redis.RedisError when Redis is away.
    """
    found = jobs.read(job_id)
    return None if found is None else _shown(found, _Rates())


def shown(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Jobs that were read elsewhere, in the contract's shape. Raises redis.RedisError when one is queued there."""
    rates = _Rates()
    return [_shown(found, rates) for found in jobs]


def several(ids: Sequence[str], *, located: bool = True) -> dict[str, dict[str, Any]]:
    """The same for many, by id, without results, and without positions unless `located`.

    Those that nobody knows are left out.
    """
    rates = _Rates()
    return {job_id: _shown(found, rates) for job_id, found in reading_several.read(ids, located=located).items()}


def _shown(found: Job, rates: "_Rates") -> dict[str, Any]:
    eta = None
    if found.queue and found.ahead is not None and found.state == "queued":
        eta = rates.eta(found.queue, found.ahead)
    return dataclasses.asdict(found) | {
        "eta_seconds": eta[0] if eta else None,
        "eta_basis": eta[1] if eta else None,
        "progress": masked(found.progress),
        "result": masked(found.result),
        "links": _links(found),
    }


def has_runs(job: Mapping[str, Any] | None) -> bool:
    """Whether Redis can tell of its executions: it holds nothing of a job that the spool holds."""
    return job is not None and job["state"] != "spooled" and settings.REDIS


def attempts(job_id: str) -> list[runs.Attempt]:
    """The last 20 executions that failed, newest first, without credentials. Raises redis.RedisError."""
    return [
        dataclasses.replace(each, message=masked_text(each.message), traceback=masked_traceback(each.traceback))
        for each in reversed(runs.attempts(connection(), job_id))
    ]


def log(job_id: str) -> list[str]:
    """The last 100 lines that the job's handler logged, without credentials. Raises redis.RedisError."""
    return [masked_text(line) for line in runs.log(connection(), job_id)]


def raw(job_id: str) -> dict[str, str] | None:
    """The job's hash in Redis as it is, by field, without credentials; None: there is none. Raises redis.RedisError.

    What cannot be read as text is told by its size.
    """
    if not settings.REDIS:
        return None
    found = connection().hgetall(keys.job(job_id))
    return {text(name): _plain(text(name), value) for name, value in sorted(found.items())} or None


def _plain(name: str, value: bytes | str) -> str:
    if name in ("data", "exc_info"):
        return f"{len(value):,} bytes, shown on the job's page"
    return COVER if is_secret(name) else masked_text(text(value)[:RAW_LENGTH])


def stored_results() -> int:
    """How many finished jobs' results are stored, a day at most. Raises redis.RedisError."""
    if not settings.REDIS:
        return 0
    return sum(pipelined(connection(), "zcard", [keys.finished(name) for name in settings.PRIORITIES]))


class _Rates:
    """How fast jobs leave their queues, by the published snapshot; read once, when it is asked for."""

    def __init__(self) -> None:
        self._read = False
        self._snapshot: Snapshot | None = None

    def eta(self, queue: str, ahead: int) -> tuple[float, str] | None:
        """When its turn comes at today's rate, and that rate; None: nothing left its queues lately."""
        names = settings.PRIORITIES[: settings.PRIORITIES.index(queue) + 1]
        last = self._last()
        rate = sum(q.out_rate for q in last.queues if q.name in names) if last else 0
        if rate <= 0:
            return None
        return round((ahead + 1) / rate, 1), f"{rate:.1f} jobs/s left {', '.join(names)} over the last 10 s"

    def _last(self) -> Snapshot | None:
        if not self._read:
            self._read = True
            published = connection().get(keys.SNAPSHOT)
            with suppress(msgspec.MsgspecError):
                self._snapshot = Snapshot.from_json(published) if isinstance(published, bytes) else None
        return self._snapshot


def actions(state: str, kind: str | None = None, *, stopping: bool = False) -> tuple[str, ...]:
    """What operators can do with a job of this kind in this state."""
    if not settings.REDIS:
        return ("retry",) if state == "failed" else ()
    if state == "started":
        known = KINDS.get(kind or "")
        return WHILE_IT_RUNS if known is not None and not known.batch and not stopping else ()
    return ACTIONS.get(state, ())


def _links(job: Job) -> dict[str, str]:
    job_id = job.id
    links = {"self": reverse("console-api:job", args=[job_id])}
    links |= {
        verb: reverse(f"console-api:job-{verb}", args=[job_id])
        for verb in actions(job.state, job.kind, stopping=job.stopping)
    }
    with suppress(NoReverseMatch):  # an API without the console's pages
        links["page"] = reverse("console:job", args=[job_id])
    return links


def _rows(client: redis.Redis, entries: Sequence[tuple[str, str, float]]) -> Iterator[DeadLetter]:
    """The rows of these (queue, id, score); a job whose hash has gone is left out."""
    pipe = client.pipeline(transaction=False)
    for _, job_id, _ in entries:
        pipe.hmget(keys.job(job_id), FIELDS)
        pipe.hstrlen(keys.job(job_id), "data")
    answers = pipe.execute()
    sizes = answers[1::2]
    small = [job_id for (_, job_id, _), size in zip(entries, sizes, strict=True) if 0 < size <= TITLE_FROM]
    titles = dict(
        zip(small, map(title_in, pipelined(client, "hget", [keys.job(i) for i in small], "data")), strict=True)
    )
    for (name, job_id, score), values in zip(entries, answers[::2], strict=True):
        found = fields(values)
        if not found["status"]:
            continue
        yield DeadLetter(
            id=job_id,
            kind=found[keys.KIND],
            source=found[keys.SOURCE],
            tenant=found[keys.TENANT],
            title=titles.get(job_id, ""),
            queue=name,
            event_id=found[keys.EVENT_ID] or None,
            error_type=found[keys.ERROR_TYPE],
            error_message=found[keys.ERROR_MESSAGE],
            reason=found[keys.REASON] or "error",
            failed_at=failed_at(score, found["ended_at"]),
            attempts=number(found[keys.ATTEMPTS]),
            permanent=bool(found[keys.PERMANENT]),
        )
