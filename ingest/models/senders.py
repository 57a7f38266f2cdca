"""The senders' keys, and what operators said of their words."""

from typing import ClassVar

from django.db import models


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
