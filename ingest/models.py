"""The rows: events, the problems that alerts are about, the senders' keys, schedules, the spool, and what is known of
Redis.
"""

from typing import ClassVar, Final

import msgspec
from django.core.exceptions import ValidationError
from django.db import models

from ingest.priorities import PRIORITIES
from ingest.timetable import Cron, Interval, Wrong, zone

#: Seconds; no interval is longer, and so no computed time leaves the calendar.
LONGEST_INTERVAL: Final = 366 * 86_400


class Event(models.Model):
    """One event that a worker took up, saved once.

    The key is (id, received_at): `received_at` is fixed at acceptance and travels in the job, so a
    second run meets the same key, while the table can be partitioned by time.
    """

    pk = models.CompositePrimaryKey("id", "received_at")
    id = models.CharField(max_length=64)
    received_at = models.DateTimeField()
    kind = models.CharField(max_length=16)
    priority = models.CharField(max_length=8)
    source = models.CharField(max_length=255, blank=True)
    tenant = models.CharField(max_length=255, blank=True)
    event_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - null: the client gave none
    #: The event as it was sent, one JSON object; integers and unknown fields are exact.
    body = models.TextField()
    #: When its handler was done; null until then: an effect handler runs again until this is set.
    processed_at = models.DateTimeField(null=True)
    #: What a batch handler returned, as JSON. Null: nothing, or its kind keeps no results.
    result = models.TextField(null=True)  # noqa: DJ001 - null: none

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["kind", "-received_at"], name="event_kind_received"),
        ]

    def __str__(self) -> str:
        return self.id


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


class Point(models.Model):
    """One place of one device at one time, kept once: whoever brings it again adds nothing.

    On PostgreSQL the table is partitioned by month; see `ingest.partitions`.
    """

    pk = models.CompositePrimaryKey("tenant", "device_id", "time")
    tenant = models.CharField(max_length=255, blank=True)
    device_id = models.CharField(max_length=255)
    time = models.DateTimeField()
    #: Degrees of WGS 84.
    lat = models.FloatField()
    lon = models.FloatField()
    #: In the sender's units; null where it said nothing.
    alt = models.FloatField(null=True)
    speed = models.FloatField(null=True)
    heading = models.FloatField(null=True)
    accuracy = models.FloatField(null=True)
    #: live, upload, flymaster or scoring.
    stream = models.CharField(max_length=16)
    #: The job that brought it, which is its event's id.
    job_id = models.CharField(max_length=64)
    #: What else the sender said of it, a JSON object; empty for nothing.
    more = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.device_id} at {self.time}"


class Device(models.Model):
    """What is known of one device: its newest point, and when it was heard."""

    pk = models.CompositePrimaryKey("tenant", "device_id")
    tenant = models.CharField(max_length=255, blank=True)
    device_id = models.CharField(max_length=255)
    #: Of the newest point by its own time.
    last_time = models.DateTimeField()
    lat = models.FloatField()
    lon = models.FloatField()
    alt = models.FloatField(null=True)
    speed = models.FloatField(null=True)
    stream = models.CharField(max_length=16)
    #: How many of its points were kept, ever.
    points = models.PositiveBigIntegerField(default=0)
    first_received_at = models.DateTimeField()
    last_received_at = models.DateTimeField()

    # No index beside the key: each batch writes the row again, and PostgreSQL then writes no index at all for it.

    def __str__(self) -> str:
        return self.device_id


class PointCount(models.Model):
    """What became of all points of one stream. Counted with the points themselves, so it is exact."""

    pk = models.CompositePrimaryKey("tenant", "stream")
    tenant = models.CharField(max_length=255, blank=True)
    stream = models.CharField(max_length=16)
    inserted = models.PositiveBigIntegerField(default=0)
    duplicates = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.stream


class PointMonth(models.Model):
    """A month that points are of. It goes as a whole, when it is past its time and nothing came for it lately."""

    #: Its first day, UTC.
    month = models.DateField(primary_key=True)
    #: When the newest of them came, to the hour.
    last_received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ApiKey(models.Model):
    """A sender's key; only its hash is kept. Written through `ingest.api.keyring`."""

    name = models.CharField(max_length=100, unique=True)
    #: The key's first characters, to tell keys apart in lists; not secret.
    prefix = models.CharField(max_length=12)
    #: SHA-256 of the whole key, in hex: the key has 256 random bits, so a slow hash adds nothing.
    digest = models.CharField(max_length=64, unique=True)
    #: The one before the last rotation, good until then. Null: there is none.
    previous_digest = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001 - unique where there is one
    previous_until = models.DateTimeField(null=True)
    #: Comma-separated: ingest, read, admin.
    scopes = models.CharField(max_length=40)
    #: When not empty, these win over what an event says; with a tenant others' jobs do not exist for it.
    source = models.CharField(max_length=255, blank=True)
    tenant = models.CharField(max_length=255, blank=True)
    #: Events are at most as urgent; empty: as urgent as they say.
    max_priority = models.CharField(max_length=8, blank=True)
    #: Events a second, and events at once. Null: as many as come.
    rate = models.FloatField(null=True)
    burst = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    rotated_at = models.DateTimeField(null=True)
    #: Written at most once a minute.
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class SeverityMapping(models.Model):
    """What an operator said of a severity's word. Written through `ingest.api.mappings`."""

    #: In small letters, as is the word. Empty: of events that name no source.
    source = models.CharField(max_length=255, blank=True)
    word = models.CharField(max_length=100)
    #: Null: whatever key it came with.
    key = models.ForeignKey(ApiKey, null=True, on_delete=models.CASCADE)
    priority = models.CharField(max_length=8)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "word"], condition=models.Q(key=None), name="severity_word_of_every_key"
            ),
            models.UniqueConstraint(fields=["source", "word", "key"], name="severity_word_of_a_key"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.word}"


class FieldMapping(models.Model):
    """Where the generic hook finds an event's fields in a body. Written through `ingest.api.mappings`."""

    #: In small letters.
    source = models.CharField(max_length=255, blank=True)
    #: Null: whatever key it came with.
    key = models.ForeignKey(ApiKey, null=True, on_delete=models.CASCADE)
    #: Field → path: names with dots between them.
    fields = models.JSONField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source"], condition=models.Q(key=None), name="fields_of_every_key"),
            models.UniqueConstraint(fields=["source", "key"], name="fields_of_a_key"),
        ]

    def __str__(self) -> str:
        return self.source


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


class RedisMirror(models.Model):
    """What Redis held when maintenance last looked: the one row by which a loss of Redis is noticed."""

    #: The generation id in Redis then.
    generation = models.CharField(max_length=64)
    #: Queue → counter → number. None of them ever falls.
    counters = models.JSONField()
    waiting = models.PositiveBigIntegerField()
    scheduled = models.PositiveBigIntegerField()
    started = models.PositiveBigIntegerField()
    failed = models.PositiveBigIntegerField()
    trash = models.PositiveBigIntegerField()
    mirrored_at = models.DateTimeField()
    #: One more with each writing: a leader that was stopped for a while must not write what it read before.
    version = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.generation


class RedisLoss(models.Model):
    """Redis came back without what it had held."""

    class Kind(models.TextChoices):
        #: Another Redis, or the same one without its data.
        EMPTY = "empty"
        #: It knows less than it did: an older copy of its data, or writes that never reached its disk.
        OLDER = "older"

    detected_at = models.DateTimeField()
    kind = models.CharField(max_length=5, choices=Kind.choices)
    #: The jobs it held, as of `mirrored_at`.
    waiting = models.PositiveBigIntegerField()
    scheduled = models.PositiveBigIntegerField()
    started = models.PositiveBigIntegerField()
    failed = models.PositiveBigIntegerField()
    trash = models.PositiveBigIntegerField()
    mirrored_at = models.DateTimeField()
    #: Accepted events that this Redis does not know, at least. Empty: the jobs it held. Older: those accepted
    #: since its copy was made; of these some may have been processed, and then their rows are here.
    missing = models.PositiveBigIntegerField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "Redis losses"

    def __str__(self) -> str:
        return f"{self.kind} at {self.detected_at:%Y-%m-%d %H:%M:%S}"

    @property
    def held(self) -> int:
        """All jobs it held."""
        return self.waiting + self.scheduled + self.started + self.failed + self.trash


class SpooledEvent(models.Model):
    """One accepted event that Redis does not hold: while it cannot, or with REDIS=false until its end.

    Written through `ingest.spool` alone. Its key is the job's id, so a second copy meets the first.
    """

    class State(models.TextChoices):
        #: The contract's words. Waits for Redis; with REDIS=false for its turn.
        SPOOLED = "spooled"
        #: With REDIS=false alone, as the rest.
        STARTED = "started"
        RETRYING = "retrying"
        FAILED = "failed"
        TRASH = "trash"

    id = models.CharField(max_length=64, primary_key=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.SPOOLED)
    #: 0 is critical; the order of its priority's queue.
    rank = models.PositiveSmallIntegerField()
    #: The order in which they came: Unix time in nanoseconds, a little more for each of one call.
    place = models.BigIntegerField()
    #: Not before this time is it run: it was delayed, or failed. Into Redis it goes at once, as a scheduled job.
    due_at = models.DateTimeField()
    kind = models.CharField(max_length=16)
    source = models.CharField(max_length=255, blank=True)
    tenant = models.CharField(max_length=255, blank=True)
    event_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - null: the client gave none
    received_at = models.DateTimeField()
    #: SHA-256 of the body in hex; empty without a client's id.
    body_hash = models.CharField(max_length=64, blank=True)
    #: A digest; later events of this key wait behind this one. Empty: none.
    ordering_key = models.CharField(max_length=32, blank=True)
    #: The job's data, as Redis would hold it.
    data = models.BinaryField()
    #: The rest of the job, as JSON.
    job = models.TextField()
    #: Executions that failed or crashed, and of these the crashes since a person put it back.
    attempts = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    retries_left = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    #: When it failed last, and how.
    failed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=16, blank=True)
    error_type = models.CharField(max_length=255, blank=True)
    error_message = models.TextField(blank=True)
    traceback = models.TextField(blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["state", "rank", "place"], name="spooled_turn"),
            models.Index(fields=["ordering_key"], name="spooled_ordering", condition=~models.Q(ordering_key="")),
            models.Index(fields=["-failed_at"], name="spooled_failed", condition=models.Q(state="failed")),
        ]

    def __str__(self) -> str:
        return self.id


class SpoolLease(models.Model):
    """With REDIS=false: the one process that runs what is spooled. One row."""

    holder = models.CharField(max_length=200, blank=True)
    until = models.DateTimeField()
    #: Events that were run to their end, and those that became dead letters, since the first start.
    completed = models.PositiveBigIntegerField(default=0)
    dead = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.holder
