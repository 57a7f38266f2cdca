"""The places of devices, and what is counted of them."""

from django.db import models


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
