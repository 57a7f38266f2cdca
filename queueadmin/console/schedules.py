"""Schedules as the pages and the API show them: in words, with what comes next. Only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec
from django.db.models import Count, Min, Q
from django.utils import timezone

from ingest.credentials import masked
from ingest.models import Schedule
from ingest.timetable import Cron, Interval, Wrong

#: Times to come that are told.
UPCOMING: Final = 5
#: A due time that passed so long ago, and was not fired: nobody fires. A takeover by the standby is within it.
LATE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Page:
    """In the order of their names."""

    items: Sequence[Schedule]
    #: The cursor of the page that follows. None: there is none.
    next: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How all of them stand."""

    total: int
    paused: int
    #: Did not fire at their last due time, and say why.
    stuck: int
    #: Should have fired by now.
    overdue: int
    #: When the next one is due.
    next_due: datetime | None


def page(*, cursor: str = "", limit: int) -> Page:
    """A page of schedules; a cursor is the name that the page before ended with."""
    if "\0" in cursor:
        return Page((), None)  # PostgreSQL refuses the question
    found = list(Schedule.objects.filter(name__gt=cursor).order_by("name")[: limit + 1])
    return Page(found[:limit], found[limit - 1].name if len(found) > limit else None)


def standing() -> Standing:
    enabled = Q(enabled=True)
    return Standing(
        **Schedule.objects.aggregate(
            total=Count("pk"),
            paused=Count("pk", filter=~enabled),
            stuck=Count("pk", filter=enabled & ~Q(problem="")),
            overdue=Count("pk", filter=enabled & Q(next_due__lt=timezone.now() - LATE)),
            next_due=Min("next_due", filter=enabled),
        )
    )


def times(cron: str, interval_seconds: int | None, timezone: str, anchor: datetime) -> Cron | Interval:
    """When something by this would be due. Raises Wrong."""
    return Interval(interval_seconds, anchor) if interval_seconds else Cron(cron, timezone)


def words(schedule: Schedule) -> str:
    """When it is due, in plain English."""
    try:
        return schedule.times.words
    except Wrong as wrong:  # its time zone is not on this machine (any more)
        return str(wrong)


def upcoming(schedule: Schedule) -> list[datetime]:
    """The times at which it fires next; none while it is paused."""
    if not schedule.enabled or schedule.next_due is None:
        return []
    try:
        return [schedule.next_due, *islice(schedule.times.following(schedule.next_due), UPCOMING - 1)]
    except Wrong:
        return [schedule.next_due]


def body(schedule: Schedule) -> tuple[dict[str, Any], bool]:
    """The event that it sends, its credentials masked, and whether there are any."""
    whole: dict[str, Any] = msgspec.json.decode(schedule.body)
    shown = masked(whole)
    return shown, shown != whole


def shown(schedule: Schedule) -> dict[str, Any]:
    """One schedule in the API's shape."""
    return {
        "name": schedule.name,
        "enabled": schedule.enabled,
        "cron": schedule.cron or None,
        "interval_seconds": schedule.interval_seconds,
        "timezone": schedule.timezone,
        "anchor": schedule.anchor,
        "words": words(schedule),
        "kind": schedule.kind,
        "source": schedule.source or None,
        "tenant": schedule.tenant or None,
        "priority": schedule.priority,
        "body": body(schedule)[0],
        "catch_up": schedule.catch_up,
        "upcoming": upcoming(schedule),
        "last_due": schedule.last_due,
        "last_job": schedule.last_job or None,
        "problem": schedule.problem or None,
        "created_at": schedule.created_at,
    }
