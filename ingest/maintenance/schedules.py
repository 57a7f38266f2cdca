"""Fires schedules: each due time once, with two leaders as well, and after a crash at any point.

The job's id is made of the schedule and the due time, and the event counts as received at the due time. So a
second firing of one due time meets the job, or its marker, or, long after, its row.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import redis
from django.db import DatabaseError, InterfaceError

from ingest.accept import Incoming, job_of
from ingest.kinds import KINDS
from ingest.kinds.errors import Invalid
from ingest.models import Schedule
from ingest.priorities import Priority, Severity
from ingest.queue.connections import server_time
from ingest.queue.transitions import CHUNK, Transitions
from ingest.timetable import between, first, latest

logger = logging.getLogger(__name__)

#: A due time that is later than this passed while nothing fired, and `catch_up` decides. A takeover by the
#: standby, or a short outage, is within it.
GRACE: Final = timedelta(seconds=60)
#: Schedules that one step fires, the longest overdue first; what is left is fired a second later.
MOST: Final = 1_000


def event_of(schedule: Schedule, event_id: str | None = None) -> Incoming:
    """What it sends, as acceptance takes it.

    Raises KeyError for a kind that is not there (any more), and Invalid for a task type.
    """
    kind = KINDS[schedule.kind]
    return Incoming(
        kind=kind.of_event(json.loads(schedule.body)) if kind.of_event is not None else kind,
        body=schedule.body.encode(),
        source=schedule.source,
        tenant=schedule.tenant,
        event_id=event_id,
        severity=Severity(None, Priority(schedule.priority), "priority"),
        user=schedule.user,
        callback=schedule.callback,
    )


def job_id(schedule: Schedule, due: datetime) -> str:
    """The id of its job for one due time: 128 bits, the same whoever fires it."""
    return hashlib.sha256(f"schedule\0{schedule.pk}\0{due.astimezone(UTC).isoformat()}".encode()).hexdigest()[:32]


class Schedules:
    """The leader's step that fires what is due."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = connection
        self._transitions = Transitions(connection)
        #: The last due time that was sent while the row could not be written, by schedule.
        self._sent: dict[int, datetime] = {}

    def step(self) -> None:
        """Fire every schedule that is due. Raises RedisError and DatabaseError: the next step goes on from there."""
        now = server_time(self._connection)
        for schedule in Schedule.objects.filter(enabled=True, next_due__lte=now).order_by("next_due")[:MOST]:
            try:
                self._fire(schedule, now)
            except (redis.RedisError, DatabaseError, InterfaceError):
                raise
            except Exception:
                logger.exception("schedule %s could not be fired; the others are", schedule.name)

    def _fire(self, schedule: Schedule, now: datetime) -> None:
        """Send first, then move the row on: a crash in between sends the same ids again."""
        dues = _to_fire(schedule, now)
        sent = self._sent.get(schedule.pk)
        problem = self._send(schedule, [due for due in dues if sent is None or due > sent]) if dues else ""
        if problem:
            if problem != schedule.problem:
                logger.error("schedule %s did not fire: %s", schedule.name, problem)
            if problem == _FULL and (schedule.catch_up == Schedule.CatchUp.ONCE or not _is_late(schedule, now)):
                _write(schedule, problem=problem)  # and is tried again
                return
        elif dues:
            self._sent[schedule.pk] = dues[-1]
        changes: dict[str, Any] = {"next_due": first(schedule.times, now), "problem": problem}
        if dues and not problem:
            changes |= {"last_due": dues[-1], "last_job": job_id(schedule, dues[-1])}
        _write(schedule, **changes)
        self._sent.pop(schedule.pk, None)

    def _send(self, schedule: Schedule, dues: Sequence[datetime]) -> str:
        """Enqueue a job for each due time; why that did not go, else ''."""
        if schedule.kind not in KINDS:
            return f"There is no kind {schedule.kind!r}."
        jobs = []
        for due in dues:
            try:
                event = event_of(schedule, f"{schedule.name}@{due:%Y-%m-%dT%H:%M:%SZ}")
            except Invalid as invalid:
                return invalid.detail
            jobs.append(job_of(event, job_id(schedule, due), due))
        outcomes = {result.outcome for result in self._transitions.enqueue(jobs)}
        # A duplicate was sent before, and so was one under whose id there was another body: it was edited since.
        return _FULL if "full" in outcomes else ""


_FULL: Final = "Its queue is full."


def _write(schedule: Schedule, **changes: Any) -> None:
    """Unless somebody changed the row meanwhile, or moved it on."""
    if all(getattr(schedule, field) == value for field, value in changes.items()):
        return
    unchanged = Schedule.objects.filter(pk=schedule.pk, revision=schedule.revision, next_due=schedule.next_due)
    unchanged.update(**changes)


def _is_late(schedule: Schedule, now: datetime) -> bool:
    return schedule.next_due is not None and now - schedule.next_due > GRACE


def _to_fire(schedule: Schedule, now: datetime) -> list[datetime]:
    """The due times to send, at most CHUNK: usually one."""
    next_due = schedule.next_due
    if next_due is None:
        return []
    if not _is_late(schedule, now):
        return [next_due, *between(schedule.times, next_due, now, most=CHUNK - 1)]
    if schedule.catch_up == Schedule.CatchUp.ONCE:
        return [latest(schedule.times, next_due, now)]
    logger.warning("schedule %s: its due times since %s passed while nothing fired", schedule.name, next_due)
    return []
