"""Accepted events that Redis does not hold."""

from typing import ClassVar

from django.db import models


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
