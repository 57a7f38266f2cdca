"""What Redis held, and when it came back without it."""

from django.db import models


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
