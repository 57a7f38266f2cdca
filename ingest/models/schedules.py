"""Events that are sent again and again."""

from typing import ClassVar, Final

import msgspec
from django.core.exceptions import ValidationError
from django.db import models

from ingest.priorities import PRIORITIES
from ingest.timetable import Cron, Interval, Wrong, zone

#: Seconds; no interval is longer, and so no computed time leaves the calendar.
LONGEST_INTERVAL: Final = 366 * 86_400


class Schedule(models.Model):
    """An event that is sent again and again: by a cron expression or every so many seconds.

    Written through `ingest.schedules`, which also checks what its kind asks for; maintenance fires it.
    """

    class CatchUp(models.TextChoices):
        #: What it does about the due times that passed while nothing fired: wait for the next one.
        SKIP = "skip"
        #: Fire the last of them, once.
        ONCE = "once"

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True)
    #: Five fields, as Debian's cron; empty where an interval is given.
    cron = models.CharField(max_length=200, blank=True)
    interval_seconds = models.PositiveIntegerField(null=True, blank=True)
    #: The IANA name of the zone whose clock a cron expression means.
    timezone = models.CharField(max_length=64, default="UTC")
    kind = models.CharField(max_length=16)
    source = models.CharField(max_length=255, blank=True)
    tenant = models.CharField(max_length=255, blank=True)
    priority = models.CharField(max_length=8)
    #: The event as it is sent each time: one JSON object.
    body = models.TextField()
    #: What the body says of who is told, and of whose event it is.
    callback = models.CharField(max_length=2048, blank=True)
    user = models.CharField(max_length=255, blank=True)
    catch_up = models.CharField(max_length=4, choices=CatchUp.choices, default=CatchUp.SKIP)
    #: An interval counts from here.
    anchor = models.DateTimeField()
    #: The due time that was fired last, and the id of its job.
    last_due = models.DateTimeField(null=True, blank=True)
    last_job = models.CharField(max_length=64, blank=True)
    #: When it fires next. Null: never again.
    next_due = models.DateTimeField(null=True, blank=True)
    #: Why it did not fire at its last due time; empty when it did.
    problem = models.CharField(max_length=500, blank=True)
    #: One more with each change by a person, so that a round that read the row before does not undo it.
    revision = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["enabled", "next_due"], name="schedule_next_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def times(self) -> Cron | Interval:
        """When it is due. Raises Wrong."""
        if self.interval_seconds:
            return Interval(self.interval_seconds, self.anchor)
        return Cron(self.cron, self.timezone)

    def clean(self) -> None:
        """All that can be told without the kind."""
        if not self.name.strip() or not self.name.isprintable():
            raise ValidationError({"name": "The name must be printable and not blank."})
        if "/" in self.name or self.name in {".", ".."}:
            raise ValidationError({"name": "The name stands in addresses: it must have no slash, nor be a dot or two."})
        if self.priority not in PRIORITIES:
            raise ValidationError({"priority": f"The priority must be one of {', '.join(PRIORITIES)}."})
        self._clean_times()
        try:
            msgspec.json.decode(self.body, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            raise ValidationError({"body": "The body must be one JSON object."}) from None

    def _clean_times(self) -> None:
        if bool(self.cron) == (self.interval_seconds is not None):
            raise ValidationError("Give either a cron expression or an interval.")
        if self.interval_seconds is not None and not 1 <= self.interval_seconds <= LONGEST_INTERVAL:
            raise ValidationError({"interval_seconds": f"The interval must be 1 to {LONGEST_INTERVAL:,} seconds."})
        try:
            zone(self.timezone)
        except Wrong as error:
            raise ValidationError({"timezone": str(error)}) from None
        if self.cron:
            try:
                Cron(self.cron, self.timezone)
            except Wrong as error:
                raise ValidationError({"cron": str(error)}) from None
