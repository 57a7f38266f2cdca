"""Schedules for code in the same project, and for the console: made, changed, paused, fired at once.

Maintenance fires them when they are due. What comes in is checked here as an event that a client sends would be.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import redis
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from ingest.accept import Receipt, Unavailable, accept
from ingest.api.decode import Refused, parse
from ingest.api.keys import Sender
from ingest.api.schema import Rejected, read_event
from ingest.kinds import KINDS, Kind
from ingest.kinds.errors import Invalid
from ingest.maintenance.schedules import event_of
from ingest.models import Schedule
from ingest.queue.connections import acceptance_connection, server_time
from ingest.timetable import first

#: What `update` may change.
CHANGEABLE: Final = frozenset(
    {
        "name",
        "enabled",
        "cron",
        "interval_seconds",
        "timezone",
        "kind",
        "source",
        "tenant",
        "priority",
        "body",
        "catch_up",
        "anchor",
    }
)
#: A change of these moves the next due time.
_TIMING: Final = frozenset({"enabled", "cron", "interval_seconds", "timezone", "anchor"})
#: Fields of an event that a schedule decides itself.
_ITS_OWN: Final = ("id", "kind", "source", "tenant", "priority", "delay_seconds", "run_at")


def create(
    name: str,
    *,
    kind: str,
    body: str | Mapping[str, Any],
    cron: str = "",
    interval_seconds: int | None = None,
    timezone: str = "UTC",
    source: str = "",
    tenant: str = "",
    priority: str = "medium",
    catch_up: str = "skip",
    anchor: datetime | None = None,
    enabled: bool = True,
) -> Schedule:
    """A new schedule, by a cron expression or an interval in seconds that counts from `anchor` (None: now).

    Raises django.core.exceptions.ValidationError, also for a name that exists.
    """
    now = _now()
    schedule = Schedule(
        name=name,
        enabled=enabled,
        cron=cron,
        interval_seconds=interval_seconds,
        timezone=timezone,
        kind=kind,
        source=source,
        tenant=tenant,
        priority=priority,
        body=_text(body),
        catch_up=catch_up,
        anchor=_whole(anchor or now),
    )
    _check(schedule)
    schedule.next_due = first(schedule.times, now)
    _save(schedule, force_insert=True)
    return schedule


def update(name: str, /, **changes: Any) -> Schedule:
    """Change some fields of a schedule (CHANGEABLE), by the names that `create` has.

    Raises ValidationError, Schedule.DoesNotExist, TypeError for a field that cannot be changed.
    """
    if unknown := sorted(changes.keys() - CHANGEABLE):
        raise TypeError(f"A schedule's {', '.join(unknown)} cannot be changed.")
    if "body" in changes:
        changes["body"] = _text(changes["body"])
    if "anchor" in changes:
        changes["anchor"] = _whole(changes["anchor"])
    now = _now()
    with transaction.atomic():
        schedule = Schedule.objects.select_for_update().get(name=name)
        before = {field: getattr(schedule, field) for field in _TIMING}
        for field, value in changes.items():
            setattr(schedule, field, value)
        _check(schedule)
        if before != {field: getattr(schedule, field) for field in _TIMING}:
            # From now on: what was due while it was paused, or under its old expression, is not made up for.
            schedule.next_due = first(schedule.times, now)
        schedule.revision += 1
        schedule.problem = ""
        _save(schedule, update_fields=[*changes, "callback", "user", "next_due", "revision", "problem"])
    return schedule


def pause(name: str) -> Schedule:
    """It fires no more until `resume`. Raises Schedule.DoesNotExist."""
    return update(name, enabled=False)


def resume(name: str) -> Schedule:
    """It fires again from its next due time on; those that passed are not made up for."""
    return update(name, enabled=True)


def delete(name: str) -> bool:
    """Whether there was one; what it sent stays."""
    deleted, _ = Schedule.objects.filter(name=name).delete()
    return bool(deleted)


def run_now(name: str) -> Receipt:
    """Send its event at once, beside its due times, whether it is paused or not.

    Raises Schedule.DoesNotExist, ingest.accept.Unavailable when nothing was stored.
    """
    receipt = accept([event_of(Schedule.objects.get(name=name))])[0]
    if receipt.outcome == "full":
        raise Unavailable("Its queue is full; nothing was stored.")
    if not receipt.stored:
        raise Unavailable("Redis went away meanwhile.", unknown=receipt.outcome == "unknown")
    return receipt


def _check(schedule: Schedule) -> None:
    """Every rule: of the fields, and of the event that it sends."""
    schedule.clean_fields()  # first, so that `clean` meets values of the right types only
    schedule.full_clean()
    try:
        event = parse(schedule.body.encode())
    except Refused as refused:
        raise ValidationError({"body": refused.problem.detail}) from None
    if own := [field for field in _ITS_OWN if field in event]:
        raise ValidationError({"body": f"The body must not have {', '.join(own)}: the schedule says that."})
    event |= {"kind": schedule.kind, "priority": schedule.priority}
    event |= {field: value for field in ("source", "tenant") if (value := getattr(schedule, field))}
    kind = KINDS.get(schedule.kind)
    if kind is not None and kind.internal:
        _check_internal(kind, event)
        return
    read = read_event(msgspec.json.encode(event), Sender("schedule", frozenset({"ingest"}), None))
    if isinstance(read, Rejected):
        field = read.problem.extra.get("field")
        raise ValidationError({field if field in {"kind", "source", "tenant"} else "body": read.problem.detail})
    schedule.callback, schedule.user = read.callback, read.user


def _check_internal(kind: Kind, event: Mapping[str, Any]) -> None:
    """Senders do not know such a kind, but code in the same project does."""
    try:
        kind.validate(event)
    except Invalid as invalid:
        raise ValidationError({"body": invalid.detail}) from None


def _save(schedule: Schedule, **how: Any) -> None:
    """Two that take one name at the same time both find it free."""
    try:
        with transaction.atomic():
            schedule.save(**how)
    except IntegrityError:
        raise ValidationError({"name": schedule.unique_error_message(Schedule, ("name",))}) from None


def _text(body: str | Mapping[str, Any]) -> str:
    if isinstance(body, str):
        return body
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValidationError({"body": f"The body must be one JSON object: {error}."}) from None


def _whole(moment: datetime) -> datetime:
    """Due times are whole seconds."""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValidationError({"anchor": "The anchor must be a time with a zone."})
    return moment.astimezone(UTC).replace(microsecond=0)


def _now() -> datetime:
    """Redis' time, by which maintenance fires; this machine's while Redis is away."""
    try:
        return server_time(acceptance_connection())
    except redis.RedisError:
        return datetime.now(UTC)
