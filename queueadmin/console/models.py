"""The audit log, replays, the index of dead letters, how long they are kept, and what permissions are of."""

from typing import ClassVar

from django.db import models


class AuditEntry(models.Model):
    """One line of the log. Never changed: an operation is an intent, then an outcome in a second entry."""

    #: What the outcome of an operation that raised says, after what it had done until then.
    FAILED: ClassVar = "failed: "

    class Step(models.TextChoices):
        INTENT = "intent"
        OUTCOME = "outcome"

    at = models.DateTimeField()
    #: Shared by an intent and its outcome. An intent alone: the process died in between.
    operation = models.CharField(max_length=32)
    step = models.CharField(max_length=7, choices=Step.choices)
    #: A user's name, or `key:` and the name of an API key.
    actor = models.CharField(max_length=200)
    #: The operation's name: retry, retry_all, recover_stalled, send_test_event.
    action = models.CharField(max_length=40)
    #: What it is about: job ids (the first few), a queue, or "all".
    target = models.CharField(max_length=500)
    #: Intent: how many were asked for, where that is known. Outcome: how many were really touched.
    count = models.PositiveBigIntegerField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    #: One sentence: what it really did, or why it failed. Empty in an intent.
    outcome = models.CharField(max_length=500, blank=True)
    #: `digest` of the entry before, and SHA-256 over that and this entry's fields, in hex.
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["target", "-id"], name="audit_target"),
            # The log's order, alone and with what it is asked for most.
            models.Index(fields=["-at", "-id"], name="audit_at"),
            models.Index(fields=["actor", "-at", "-id"], name="audit_actor"),
            models.Index(fields=["action", "-at", "-id"], name="audit_action"),
        ]
        constraints: ClassVar = [
            # An entry that waited in Redis is written once, whoever moves it.
            models.UniqueConstraint(fields=["operation", "step"], name="audit_once"),
        ]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"


class Replay(models.Model):
    """Many jobs moved as one watched operation, in small steps, by maintenance (`queueadmin.console.replays`).

    Each change of a row says which `version` it is of, so that two who do the same step at once count nothing twice.
    """

    class Kind(models.TextChoices):
        #: Dead letters back into their queues, or into another one.
        RETRY = "retry"
        #: Dead letters into the trash.
        DISCARD = "discard"
        #: Out of the trash, back to where they were.
        RESTORE = "restore"

    class State(models.TextChoices):
        RUNNING = "running"
        PAUSED = "paused"
        #: By one of its own rules: `why` says which.
        STOPPED = "stopped"
        CANCELED = "canceled"
        DONE = "done"

    kind = models.CharField(max_length=7, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    #: Who pressed, as in the audit log, and why.
    actor = models.CharField(max_length=200)
    reason = models.CharField(max_length=500, blank=True)
    #: As it was given: `2h` in it is before `created_at`.
    filter = models.TextField(blank=True)
    #: Whose key began it, if that is bound to a tenant: the filter says so too, and others do not see it.
    tenant = models.CharField(max_length=255, blank=True)
    #: Restores what this operation of the audit log put into the trash, in the place of a filter.
    undoes = models.CharField(max_length=32, blank=True)
    #: Retry into this queue; empty: each into its own.
    to = models.CharField(max_length=8, blank=True)
    include_poison = models.BooleanField(default=False)
    include_permanent = models.BooleanField(default=False)
    #: The moment it was pressed, by Redis' clock: what failed later is not in it.
    created_at = models.DateTimeField()
    #: When the whole set was written down; null: it still is.
    frozen_at = models.DateTimeField(null=True)
    #: How far the writing is, as `replays.freezing` says it; empty: it has not begun, or is done.
    written = models.TextField(blank=True)
    #: Names what no time tells of the set (`replays.apart`); empty: nothing was set apart.
    apart = models.CharField(max_length=32, blank=True)
    #: When it stopped, was canceled or was done.
    ended_at = models.DateTimeField(null=True)

    #: Jobs that go first, all at once; the rest waits until they have ended.
    canary = models.PositiveIntegerField(default=0)
    #: Rates one after the other, in jobs a second; 0: as fast as it goes.
    ramp = models.JSONField(default=list)
    #: Seconds that each rate but the last holds.
    step_seconds = models.PositiveIntegerField(default=30)
    #: It stops when more than this share of the last 200 fail again, in percent; null: never.
    stop_percent = models.PositiveSmallIntegerField(null=True)
    #: It stops when so many fail with errors that the set did not have; 0: never.
    stop_new_errors = models.PositiveIntegerField(default=0)
    #: It stops when a queue that it puts jobs into waits longer than its target.
    stop_wait = models.BooleanField(default=False)

    version = models.PositiveBigIntegerField(default=0)
    size = models.PositiveIntegerField(default=0)
    #: Jobs that matched and are not in the set: poison, and marked permanent (`dead_letters.left_out`).
    poison_left = models.PositiveIntegerField(default=0)
    permanent_left = models.PositiveIntegerField(default=0)
    #: Queues that the set is of, and the groups of its errors.
    queues = models.JSONField(default=list)
    groups = models.JSONField(default=list)
    #: Where it is: the chunk and the member of it that go next; the highest number goes first. Nothing that waits
    #: stands before it: it comes back for those that were taken back.
    chunk = models.IntegerField(default=-1)
    position = models.PositiveIntegerField(default=0)
    #: Those that wait of so many from there are being moved, since then: what a crash leaves open.
    going = models.PositiveIntegerField(default=0)
    going_at = models.DateTimeField(null=True)
    #: What became of the members so far. `given_back`: released once, taken back before they began, and waiting again;
    #: `already`: had moved, or failed anew, before their turn came; `taken`: moved by somebody else meanwhile; `lost`:
    #: nothing is left of them.
    released = models.PositiveIntegerField(default=0)
    given_back = models.PositiveIntegerField(default=0)
    already = models.PositiveIntegerField(default=0)
    in_flight = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    taken = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    #: How the last 200 ended, the newest last: s or f.
    recent = models.CharField(max_length=200, blank=True)
    #: Group → type, message, count, new: what failed again.
    errors = models.JSONField(default=dict)
    #: Place in the ramp, -1: the canary; since when; and what each step did so far.
    step = models.SmallIntegerField(default=-1)
    step_began_at = models.DateTimeField(null=True)
    steps = models.JSONField(default=list)
    #: How it went over time: `queueadmin.console.replays.pace`.
    pace = models.JSONField(default=dict)
    #: Why it stopped itself, a sentence.
    why = models.CharField(max_length=500, blank=True)
    #: The audit log has its outcome: nothing is left to do.
    settled = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["settled"], name="replay_settled")]

    def __str__(self) -> str:
        return f"replay {self.pk}"


class ReplayChunk(models.Model):
    """Up to 500 members of a replay, all of one queue. Gone once nothing is left to do."""

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE)
    number = models.PositiveIntegerField()
    queue = models.CharField(max_length=8)
    #: JSON: [id, score that it had] …, the longest dead first.
    places = models.TextField()
    #: One character a member: `queueadmin.console.replays.marks`.
    marks = models.TextField()
    #: How many of them are released and have not ended.
    in_flight = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["replay", "number"], name="replay_chunk")]
        indexes: ClassVar = [
            models.Index(fields=["replay"], name="replay_chunk_flight", condition=models.Q(in_flight__gt=0)),
        ]

    def __str__(self) -> str:
        return f"replay {self.replay_id}, chunk {self.number}"


class FailureGroup(models.Model):
    """Failures of one cause, and what people say of it. Stays when its last dead letter has gone.

    Written by `queueadmin.console.failures` and by operations.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"
        #: Was resolved, and has failed since.
        REGRESSED = "regressed"

    #: `group:` of filters, see `queueadmin.console.fingerprint`.
    fingerprint = models.CharField(max_length=12, primary_key=True)
    error_type = models.CharField(max_length=255, blank=True)
    #: As Failure's, the same for all of them.
    error_name = models.CharField(max_length=255, blank=True)
    #: Normalised, credentials masked.
    message = models.CharField(max_length=300, blank=True)
    #: Where in the application, as `ingest.frames` writes it; empty: nowhere.
    frames = models.CharField(max_length=300, blank=True)
    #: The first failure ever seen of it, and the last.
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    #: Of its dead letters, counted within seconds of a change: how many, how many payloads of them differ,
    #: how many by queue, and by source for the five with the most.
    count = models.PositiveIntegerField(default=0)
    payloads = models.PositiveIntegerField(default=0)
    queues = models.JSONField(default=dict)
    sources = models.JSONField(default=dict)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.OPEN)
    #: When somebody said that it is resolved: what fails later is a regression.
    resolved_at = models.DateTimeField(null=True)
    #: Who changed the status last, and when.
    status_by = models.CharField(max_length=200, blank=True)
    status_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True)
    #: A user's name.
    assignee = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.error_type.rpartition(".")[2], self.message) if part)


class Failure(models.Model):
    """One dead letter, as its registry and its job tell it; Redis stays the truth about what can be requeued.

    What is missing is empty. Texts are without credentials.
    """

    #: Its id, or the name of one that no column holds (`failures.names`); then `whole_id` is the id, as JSON.
    job_id = models.CharField(max_length=255, unique=True)
    whole_id = models.TextField(blank=True)
    queue = models.CharField(max_length=8)
    #: Its place in the registry; it has another one once it has failed again.
    score = models.FloatField()
    failed_at = models.DateTimeField()
    #: `failed_at` in whole minutes since 1970: what histograms count by.
    minute = models.PositiveIntegerField()
    #: Its first failure that Redis still remembers.
    first_failed_at = models.DateTimeField()
    #: FailureGroup's.
    fingerprint = models.CharField(max_length=12)
    error_type = models.CharField(max_length=255, blank=True)
    #: What follows the last dot of `error_type`, case folded.
    error_name = models.CharField(max_length=255, blank=True)
    error_message = models.CharField(max_length=1000, blank=True)
    reason = models.CharField(max_length=16)
    event_id = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=255, blank=True)
    tenant = models.CharField(max_length=255, blank=True)
    title = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(null=True)
    enqueued_at = models.DateTimeField(null=True)
    #: The replay that it failed in last.
    replay = models.BigIntegerField(null=True)
    #: Equal for events that say the same, whatever their ids and times.
    payload = models.CharField(max_length=16, blank=True)
    #: Somebody said that it will never succeed.
    permanent = models.BooleanField(default=False)
    #: Whether it has more words than are searched.
    is_cut = models.BooleanField(default=False)
    #: How it was indexed, `queueadmin.console.failures.writing.VERSION`; an older one is written anew, 0 at once.
    version = models.PositiveSmallIntegerField(default=1)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-failed_at", "-id"], name="failure_newest"),
            models.Index(fields=["id"], name="failure_cut", condition=models.Q(is_cut=True)),
            models.Index(fields=["id"], name="failure_stale", condition=models.Q(version=0)),
            # With what filters ask for: causes are counted from it alone, 100,000 in less than half the time.
            models.Index(
                fields=[
                    *("fingerprint", "-failed_at", "-id", "minute", "reason", "permanent"),
                    *("queue", "kind", "source", "tenant", "replay"),
                ],
                name="failure_of_group",
            ),
            models.Index(fields=["queue", "-failed_at", "-id"], name="failure_queue"),
            models.Index(fields=["event_id"], name="failure_event"),
        ]

    def __str__(self) -> str:
        return f"failure of {self.job_id}"


class SavedView(models.Model):
    """A view of the dead letters that somebody saved under a name (`queueadmin.console.saved_views`)."""

    #: As in the audit log.
    owner = models.CharField(max_length=200)
    name = models.CharField(max_length=80)
    filter = models.TextField(blank=True)
    #: Of failures.triage; empty: as the page chooses.
    span = models.CharField(max_length=4, blank=True)
    sort = models.CharField(max_length=8, blank=True)
    #: For all, not its owner alone.
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "name"], name="view_once")]

    def __str__(self) -> str:
        return self.name


class RetentionPolicy(models.Model):
    """How long dead letters are kept, once somebody has said so (`queueadmin.console.policies`).

    One for all, and one for each cause that has its own: that speaks of its dead letters alone. Without days and count
    the dead letters of the cause are kept, whatever is said for all.
    """

    #: What is said of a cause, whichever it is.
    SAID: ClassVar = ("keep_days", "keep_count", "set_by", "set_at", "reason", "starts_at")

    #: FailureGroup's; empty: for all causes that have no policy of their own.
    fingerprint = models.CharField(max_length=12, blank=True, unique=True)
    #: Kept for so many days after the failure.
    keep_days = models.PositiveIntegerField(null=True)
    #: Of each cause so many are kept, the newest.
    keep_count = models.PositiveIntegerField(null=True)
    #: Who set it, as in the audit log, when, and why.
    set_by = models.CharField(max_length=200)
    set_at = models.DateTimeField()
    reason = models.CharField(max_length=500)
    #: Nothing goes by it before.
    starts_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "retention policies"

    def __str__(self) -> str:
        return f"group {self.fingerprint}" if self.fingerprint else "all dead letters"


class FailureText(models.Model):
    """All words of a failure, for full-text search: GIN on PostgreSQL, FTS5 on SQLite.

    Apart from Failure, whose rows are read by the hundred thousand.
    """

    failure = models.OneToOneField(Failure, primary_key=True, on_delete=models.CASCADE)
    #: Words in lower case with single spaces between.
    words = models.TextField()

    def __str__(self) -> str:
        return f"words of failure {self.pk}"


class Console(models.Model):
    """No table: Django's permissions are of a model, ours of the console (`queueadmin.console.access.permissions`)."""

    class Meta:
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return "console"
