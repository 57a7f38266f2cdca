"""Points that are no longer kept: whole months, dropped where a month is a table of its own, else in batches.

A month goes when it is past its time and nothing came for it since: who sends an old track today finds it tomorrow.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from ingest import partitions
from ingest.models import Device, Point, PointMonth

#: Rows in one transaction: some 10 ms.
BATCH: Final = 1_000
#: Devices that are looked at in one transaction.
DEVICES: Final = 100


def months(horizon: datetime) -> Iterator[tuple["Month", datetime]]:
    """Those that are past it, each with its end."""
    for each in PointMonth.objects.filter(last_received_at__lt=horizon).order_by("month"):
        month = Month(each.month, horizon)
        if month.end <= horizon:
            yield month, month.end


class Month:
    """Removes the points of one month, part by part."""

    def __init__(self, month: date, horizon: datetime) -> None:
        self._month = month
        self._horizon = horizon
        self._start = _midnight(month)
        self.end = _midnight(partitions.following(month))
        #: The last device whose points are gone: its tenant and its name.
        self._after = ("", "")

    def is_due(self, _: datetime) -> bool:
        return self._rows().exists()

    @transaction.atomic
    def remove(self, _: datetime) -> tuple[int, bool]:
        """How many went, and whether there may be more."""
        if partitions.is_partition(self._month):
            gone = partitions.drop(self._month)
            if not self._rows().delete()[0]:
                transaction.set_rollback(True)  # something came for it meanwhile
                return 0, False
            return gone, False
        if not self._rows().exists():
            return 0, False
        tenant, name = self._after
        devices = Device.objects.filter(Q(tenant__gt=tenant) | Q(device_id__gt=name), tenant__gte=tenant)
        for device in devices.order_by("tenant", "device_id")[:DEVICES]:
            if gone := self._remove_of(device):
                return gone, True
            self._after = (device.tenant, device.device_id)
        if self._after != (tenant, name):
            return 0, True
        self._rows().delete()
        return 0, False

    def _rows(self) -> QuerySet[PointMonth]:
        return PointMonth.objects.filter(month=self._month, last_received_at__lt=self._horizon)

    def _remove_of(self, device: Device) -> int:
        """Of one device, along the key's index."""
        form = connection.ops.adapt_datetimefield_value
        key = "tenant, device_id, time"
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {_POINTS} WHERE ({key}) IN (SELECT {key} FROM {_POINTS} WHERE tenant = %s"  # noqa: S608 - names of our own
                " AND device_id = %s AND time >= %s AND time < %s LIMIT %s)",
                [device.tenant, device.device_id, form(self._start), form(self.end), BATCH],
            )
            return int(cursor.rowcount)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


_POINTS: Final = connection.ops.quote_name(Point._meta.db_table)
