"""The problems that alerts are about, and what was said of each."""

from typing import ClassVar

from django.db import models


class Alert(models.Model):
    """One problem: what all alerts with the same identity are about. Written through `ingest.problems` alone."""

    class State(models.TextChoices):
        TRIGGERED = "triggered"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"

    #: 128 bits of SHA-256 over (tenant, source, and what tells its problems apart), in hex.
    identity = models.CharField(max_length=32, primary_key=True)
    tenant = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=255, blank=True)
    #: These three as the newest trigger says.
    title = models.TextField(blank=True)
    #: One label a line, `name=value`, with a line's end before the first and after each; empty without labels.
    labels = models.TextField(blank=True)
    priority = models.CharField(max_length=8)
    #: How often it was triggered.
    occurrences = models.PositiveBigIntegerField(default=0)
    #: The first and the newest report of any kind.
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    #: The newest report of each kind. Null: there was none.
    triggered_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    #: The first trigger after the newest resolve. Null: it is not open.
    opened_at = models.DateTimeField(null=True)
    #: The event that title and labels are of, and what orders events in this: see `ingest.problems.Said.rank`.
    described_rank = models.PositiveSmallIntegerField(default=0)
    described_at = models.DateTimeField()
    described_by = models.CharField(max_length=64)
    #: What the four moments come to, by the database itself: no row can say one thing and hold another.
    state = models.GeneratedField(
        expression=models.Case(
            models.When(opened_at=None, resolved_at=None, then=models.Value(State.ACKNOWLEDGED.value)),
            models.When(opened_at=None, then=models.Value(State.RESOLVED.value)),
            models.When(acknowledged_at__gte=models.F("opened_at"), then=models.Value(State.ACKNOWLEDGED.value)),
            default=models.Value(State.TRIGGERED.value),
        ),
        output_field=models.CharField(max_length=12, choices=State.choices),
        db_persist=True,
    )
    #: Since when it is in this state; lists are in this order, so that a problem which goes on does not move.
    changed_at = models.GeneratedField(
        expression=models.Case(
            models.When(opened_at=None, resolved_at=None, then=models.F("acknowledged_at")),
            models.When(opened_at=None, then=models.F("resolved_at")),
            models.When(acknowledged_at__gte=models.F("opened_at"), then=models.F("acknowledged_at")),
            default=models.F("opened_at"),
        ),
        output_field=models.DateTimeField(),
        db_persist=True,
    )

    class Meta:
        # None has a column that changes with every occurrence: PostgreSQL then writes no index at all for it.
        indexes: ClassVar = [
            models.Index(fields=["-changed_at", "-identity"], name="alert_changed"),
            models.Index(fields=["state", "-changed_at", "-identity"], name="alert_state_changed"),
            models.Index(fields=["priority", "-changed_at", "-identity"], name="alert_priority_changed"),
            models.Index(fields=["source", "-changed_at", "-identity"], name="alert_source_changed"),
            models.Index(fields=["tenant", "-changed_at", "-identity"], name="alert_tenant_changed"),
        ]

    def __str__(self) -> str:
        return self.title or self.identity


class Report(models.Model):
    """What one alert, or one person, said about a problem; its key makes a second copy meet the first.

    Written through `ingest.problems` alone.
    """

    class Action(models.IntegerChoices):
        TRIGGER = 0
        ACKNOWLEDGE = 1
        RESOLVE = 2

    pk = models.CompositePrimaryKey("problem", "action", "at", "event")
    problem = models.CharField(max_length=32)
    action = models.PositiveSmallIntegerField(choices=Action.choices)
    at = models.DateTimeField()
    #: The event's id; of a person's word an id of its own.
    event = models.CharField(max_length=64)
    #: Who said it; empty: the event.
    by = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.problem} {self.Action(self.action).label}"
