"""The rows: events, the problems that alerts are about, and the senders' keys."""

from typing import ClassVar

from django.db import models


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

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["kind", "-received_at"], name="event_kind_received"),
        ]

    def __str__(self) -> str:
        return self.id


class Alert(models.Model):
    """One problem: what all alerts with the same identity are about."""

    #: SHA-256 over (tenant, source, dedup_key or the stable fields), in hex.
    identity = models.CharField(max_length=64, primary_key=True)
    tenant = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=255, blank=True)
    title = models.TextField(blank=True)
    priority = models.CharField(max_length=8)
    #: triggered, acknowledged or resolved.
    state = models.CharField(max_length=12, default="triggered")
    occurrences = models.PositiveBigIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-last_seen"], name="alert_last_seen")]

    def __str__(self) -> str:
        return self.title or self.identity


class ApiKey(models.Model):
    """A sender's key; only its hash is kept."""

    name = models.CharField(max_length=100, unique=True)
    #: The key's first characters, to tell keys apart in lists; not secret.
    prefix = models.CharField(max_length=12)
    #: SHA-256 of the whole key, in hex: the key has 256 random bits, so a slow hash adds nothing.
    digest = models.CharField(max_length=64, unique=True)
    #: Comma-separated: ingest, read, admin.
    scopes = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
