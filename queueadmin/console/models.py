"""The audit log."""

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
