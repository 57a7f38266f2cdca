"""One row for each event that was taken up."""

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
    #: What a batch handler returned, as JSON. Null: nothing, or its kind keeps no results.
    result = models.TextField(null=True)  # noqa: DJ001 - null: none

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["kind", "-received_at"], name="event_kind_received"),
        ]

    def __str__(self) -> str:
        return self.id
