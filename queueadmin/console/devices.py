"""Devices as the page and the API show them: where each was last, and how much comes of it. Only reads."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from ingest.models import Device, Point
from ingest.reading.cursors import BadCursor

#: Of the rate.
MINUTES: Final = 15
#: Points of that time that are counted at most, of one device: 11 a second.
COUNTED: Final = 10_000
#: Devices that are counted at most.
MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """A device, and what its row does not say."""

    device: Device
    #: Points a minute, by their own time, of the last MINUTES.
    per_minute: float
    #: The job that brought the newest point. "": the point is not kept any more.
    job: str


@dataclass(frozen=True, slots=True)
class Page:
    """By tenant and name: what is live must not jump."""

    items: Sequence[Row]
    #: The cursor of the page that follows. None: there is none.
    next: str | None


def page(*, text: str = "", cursor: str = "", limit: int, tenant: str = "") -> Page:
    """Devices whose name, or tenant, holds the text. Raises BadCursor."""
    listed = _chosen(text, tenant)
    if cursor:
        after_tenant, after = _place(cursor)
        # The second part is what the key's index can begin at.
        listed = listed.filter(Q(tenant__gt=after_tenant) | Q(device_id__gt=after), tenant__gte=after_tenant)
    found = list(listed.order_by("tenant", "device_id")[: limit + 1])
    following = _cursor(found[limit - 1]) if len(found) > limit else None
    return Page(_rows(found[:limit]), following)


def count(*, text: str = "", tenant: str = "") -> int:
    """How many there are; MOST stands for that many or more."""
    return _chosen(text, tenant)[:MOST].count()


def shown(row: Row) -> dict[str, Any]:
    """One device in the API's shape."""
    device = row.device
    return {
        "device_id": device.device_id,
        "tenant": device.tenant or None,
        "last_time": device.last_time,
        "lat": device.lat,
        "lon": device.lon,
        "alt": device.alt,
        "speed": device.speed,
        "stream": device.stream,
        "points": device.points,
        "per_minute": row.per_minute,
        "last_job": row.job or None,
        "first_received_at": device.first_received_at,
        "last_received_at": device.last_received_at,
    }


def _chosen(text: str, tenant: str) -> QuerySet[Device]:
    if "\0" in text:
        return Device.objects.none()  # PostgreSQL refuses the question
    listed = Device.objects.filter(tenant=tenant) if tenant else Device.objects.all()
    return listed.filter(Q(device_id__icontains=text) | Q(tenant__icontains=text)) if text else listed


def _rows(devices: Sequence[Device]) -> list[Row]:
    newest = [(device.tenant, device.device_id, device.last_time) for device in devices]
    points = Point.objects.filter(pk__in=newest) if newest else ()
    jobs = {(point.tenant, point.device_id): point.job_id for point in points}
    return [Row(each, _per_minute(each), jobs.get((each.tenant, each.device_id), "")) for each in devices]


def _per_minute(device: Device) -> float:
    """Counted along the key's index, of those that sent lately alone."""
    now = timezone.now()
    since = now - timedelta(minutes=MINUTES)
    if device.last_time <= since:
        return 0.0
    lately = Point.objects.filter(tenant=device.tenant, device_id=device.device_id, time__gt=since, time__lte=now)
    return round(lately[:COUNTED].count() / MINUTES, 2)


def _cursor(device: Device) -> str:
    return base64.urlsafe_b64encode(json.dumps([device.tenant, device.device_id]).encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[str, str]:
    try:
        tenant, device_id = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=="))
        tenant.encode(), device_id.encode()  # no half of a surrogate pair
    except (ValueError, TypeError, AttributeError):
        raise BadCursor from None
    if "\0" in tenant + device_id:
        raise BadCursor
    return tenant, device_id
