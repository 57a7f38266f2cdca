"""The rows: events, the problems that alerts are about, points, the senders' keys, schedules, the spool, and what is
known of Redis.
"""

from ingest.models.alerts import Alert, Report
from ingest.models.events import Event
from ingest.models.losses import RedisLoss, RedisMirror
from ingest.models.points import Device, Point, PointCount, PointMonth
from ingest.models.schedules import LONGEST_INTERVAL, Schedule
from ingest.models.senders import ApiKey, FieldMapping, SeverityMapping
from ingest.models.spool import SpooledEvent, SpoolLease

__all__ = [
    "LONGEST_INTERVAL",
    "Alert",
    "ApiKey",
    "Device",
    "Event",
    "FieldMapping",
    "Point",
    "PointCount",
    "PointMonth",
    "RedisLoss",
    "RedisMirror",
    "Report",
    "Schedule",
    "SeverityMapping",
    "SpoolLease",
    "SpooledEvent",
]
