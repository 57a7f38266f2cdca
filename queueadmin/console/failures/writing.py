"""Rows of dead letters and of their groups. What is written twice is there once."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import redis
from django.db import connection

from ingest import database
from ingest.credentials import masked_text
from ingest.frames import NONE
from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.reading.fields import pipelined, text
from queueadmin.console.dead_letters.reading import Record
from queueadmin.console.failures.names import name_of, whole_id
from queueadmin.console.filters.words import LONGEST, searched
from queueadmin.console.fingerprint import normalised
from queueadmin.console.models import Failure, FailureGroup, FailureText, RetentionPolicy

#: Of the rows that are written now; 2: fingerprints with frames.
VERSION: Final = 2
#: What differs between two events that say the same.
_IDENTITY: Final = frozenset(
    {"id", "event_id", "task_id", "message_id", "occurred_at", "time", "delay_seconds", "run_at", "response_token"}
)
_KEY: Final = "job_id"
#: Rows that are marked in one statement.
_MARKED: Final = 500
_WRITTEN: Final = tuple(
    field.name for field in Failure._meta.concrete_fields if not field.primary_key and field.name != _KEY
)
_SHORT: Final = {field.name: field.max_length for field in Failure._meta.concrete_fields if field.max_length}
_SEEN: Final = (
    "UPDATE console_failuregroup SET first_at = CASE WHEN first_at > %s THEN %s ELSE first_at END,"
    " last_at = CASE WHEN last_at < %s THEN %s ELSE last_at END WHERE fingerprint = %s"
)
#: What no database can hold.
_NUL: Final = "\0"


def first_failures(client: redis.Redis, records: Sequence[Record]) -> dict[str, datetime]:
    """By id, of jobs tried more than once, the earliest of the 20 results that Redis keeps. Raises RedisError."""
    again = [record.id for record in records if record.shown["attempts"] > 1]
    streams = pipelined(client, "xrange", [keys.results(job_id) for job_id in again], "-", "+", 1)
    return {
        job_id: datetime.fromtimestamp(int(text(stream[0][0]).partition("-")[0]) / 1000, UTC)
        for job_id, stream in zip(again, streams, strict=True)
        if stream
    }


def write(records: Sequence[Record], first: Mapping[str, datetime], *, now: datetime) -> set[str]:
    """Rows of these, new or anew, with the groups that they need; which groups gained or lost some.

    `now`, for those that do not tell when they failed. Raises DatabaseAway and DatabaseError.
    """
    if not records:
        return set()
    words = {name_of(record.id): _storable(searched(record.shown)) for record in records}
    rows = [
        _row(record, first.get(record.id), now, is_cut=len(words[name_of(record.id)]) >= LONGEST) for record in records
    ]
    groups = _groups(records, rows)

    def save() -> set[str]:
        before = list(Failure.objects.filter(job_id__in=words).only("job_id", "score", "fingerprint", "version"))
        _inherit(groups, rows, before)
        FailureGroup.objects.bulk_create(groups, ignore_conflicts=True)
        Failure.objects.bulk_create(rows, update_conflicts=True, unique_fields=[_KEY], update_fields=_WRITTEN)
        # Asked for, since in what order an upsert returns rows neither database promises.
        written = dict(Failure.objects.filter(job_id__in=words).values_list("job_id", "pk"))
        texts = [FailureText(failure_id=written[name], words=each) for name, each in words.items()]
        FailureText.objects.bulk_create(
            texts, update_conflicts=True, unique_fields=["failure"], update_fields=["words"]
        )
        _seen(groups)
        return {row.fingerprint for row in (*before, *rows)}

    return database.in_transaction(save)


def mark_permanent(ids: Iterable[str], *, permanent: bool) -> int:
    """As their hashes say now; how many have a row. Raises DatabaseError."""
    names = map(name_of, ids)
    return sum(Failure.objects.filter(job_id__in=some).update(permanent=permanent) for some in chunks(names, _MARKED))


def mark_stale(job_id: str) -> None:
    """Have the job read anew, since it changed where it stands. Raises DatabaseError."""
    Failure.objects.filter(job_id=name_of(job_id)).update(version=0)


def forget(places: Iterable[tuple[str, float]]) -> int:
    """Remove the rows of these (id, score); one that has failed again since stays. How many went.

    Raises DatabaseAway and DatabaseError.
    """
    wanted = {name_of(job_id): score for job_id, score in places}

    def remove() -> int:
        found = Failure.objects.filter(job_id__in=wanted).values_list("pk", "job_id", "score")
        gone = [pk for pk, name, score in found if wanted[name] == score]
        FailureText.objects.filter(pk__in=gone)._raw_delete(FailureText.objects.db)
        return Failure.objects.filter(pk__in=gone)._raw_delete(Failure.objects.db)

    return database.in_transaction(remove) if wanted else 0


def _seen(groups: Sequence[FailureGroup]) -> None:
    """The groups failed at these times as well; after one was resolved, that is a regression."""
    # One statement made once: as many of the ORM's took a third of what a dead letter costs, at 30 causes a chunk.
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(
            _SEEN, [(*[adapt(group.first_at)] * 2, *[adapt(group.last_at)] * 2, group.pk) for group in groups]
        )
    resolved = FailureGroup.objects.filter(pk__in=[group.pk for group in groups], status=FailureGroup.Status.RESOLVED)
    ended = dict(resolved.values_list("pk", "resolved_at"))
    for group in groups:
        if group.pk in ended and (ended[group.pk] or group.last_at) < group.last_at:
            resolved.filter(pk=group.pk, resolved_at__lt=group.last_at).update(
                status=FailureGroup.Status.REGRESSED, status_by="", status_at=group.last_at
            )


def _inherit(groups: Sequence[FailureGroup], rows: Sequence[Failure], before: Sequence[Failure]) -> None:
    """What people said of failures stays when fingerprints are made in another way: a new group takes it over."""
    made = {(row.job_id, row.score): row.fingerprint for row in rows}
    heirs = {
        heir: row.fingerprint
        for row in before
        if row.version < VERSION and (heir := made.get((row.job_id, row.score), row.fingerprint)) != row.fingerprint
    }
    if not heirs:
        return
    said = FailureGroup.objects.in_bulk({*heirs, *heirs.values()})
    for group in groups:
        earlier = said.get(heirs.get(group.pk, ""))
        if earlier is None or group.pk in said:
            continue
        for name in ("status", "resolved_at", "status_by", "status_at", "note", "assignee"):
            setattr(group, name, getattr(earlier, name))
        group.first_at = min(group.first_at, earlier.first_at)
    policies = {policy.fingerprint: policy for policy in RetentionPolicy.objects.filter(fingerprint__in=heirs.values())}
    inherited = [
        RetentionPolicy(**{name: getattr(policies[earlier], name) for name in RetentionPolicy.SAID}, fingerprint=heir)
        for heir, earlier in heirs.items()
        if earlier in policies
    ]
    RetentionPolicy.objects.bulk_create(inherited, ignore_conflicts=True)


def _groups(records: Sequence[Record], rows: Sequence[Failure]) -> list[FailureGroup]:
    """The groups of these rows, in one order for all who write at once."""
    groups: dict[str, FailureGroup] = {}
    for record, row in zip(records, rows, strict=True):
        group = groups.get(row.fingerprint)
        if group is None:
            message = masked_text(normalised(record.shown["error"]["message"] or ""))
            groups[row.fingerprint] = FailureGroup(
                fingerprint=row.fingerprint,
                error_type=row.error_type,
                error_name=row.error_name,
                message=_storable(message)[:300],
                frames="" if record.shown["frames"] == NONE else _storable(record.shown["frames"])[:300],
                first_at=row.first_failed_at,
                last_at=row.failed_at,
            )
        else:
            group.first_at = min(group.first_at, row.first_failed_at)
            group.last_at = max(group.last_at, row.failed_at)
    return [groups[fingerprint] for fingerprint in sorted(groups)]


def _row(record: Record, first: datetime | None, now: datetime, *, is_cut: bool) -> Failure:
    shown, error = record.shown, record.shown["error"]
    at: datetime = error["at"] or shown["enqueued_at"] or shown["received_at"] or now
    error_type = error["type"] or ""
    values: dict[str, Any] = {
        "job_id": name_of(record.id),
        "whole_id": whole_id(record.id),
        "queue": record.queue,
        "score": record.score,
        "failed_at": at,
        "minute": max(0, int(at.timestamp())) // 60,
        "first_failed_at": min(first or at, at),
        "fingerprint": shown["group"],
        "error_type": error_type,
        "error_name": error_type.rpartition(".")[2].casefold(),
        "error_message": error["message"] or "",
        "reason": error["reason"],
        "event_id": shown["event_id"] or "",
        "kind": shown["kind"] or "",
        "source": shown["source"] or "",
        "tenant": shown["tenant"] or "",
        "title": shown["title"],
        "attempts": max(0, min(shown["attempts"], 2**31 - 1)),
        "crashes": max(0, min(shown["crashes"], 2**31 - 1)),
        "received_at": shown["received_at"],
        "enqueued_at": shown["enqueued_at"],
        "replay": shown["replay"] if 0 < (shown["replay"] or 0) < 2**63 else None,
        "payload": _digest(shown["payload"]),
        "permanent": shown["permanent"],
        "is_cut": is_cut,
        "version": VERSION,
    }
    return Failure(
        **{
            name: _storable(value)[: _SHORT.get(name)] if isinstance(value, str) else value
            for name, value in values.items()
        }
    )


def _digest(event: Any) -> str:
    """ "" for one that cannot be read."""
    if event is None:
        return ""
    if isinstance(event, dict):
        event = {name: value for name, value in event.items() if name not in _IDENTITY}
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()[:16]


def _storable(text: str) -> str:
    return text.replace(_NUL, "\ufffd").encode(errors="replace").decode()
