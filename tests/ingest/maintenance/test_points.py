"""Points go by whole months, when a month is past its time and nothing came for it since: issue 6 (1), retention."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ingest import jobs, partitions
from ingest.kinds import KINDS
from ingest.maintenance import points
from ingest.maintenance.retention import Retention
from ingest.models import Device, Point, PointMonth
from ingest.queue.payload import Payload
from queueadmin.console.models import AuditEntry

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

NOW = datetime.now(UTC)
OLD, NEWER = date(2025, 1, 1), date(2025, 2, 1)


def track(number: int, *times: str, device_id: str = "a", tenant: str = "") -> None:
    body = json.dumps(
        {"stream": "upload", "points": [{"device_id": device_id, "time": each, "lat": 1, "lon": 2} for each in times]}
    )
    jobs.process(KINDS["point"], [(Payload(f"{number:032x}", "point", NOW, "low", "", tenant, None, body.encode()), 0)])


def heard(month: date, days_ago: int) -> None:
    PointMonth.objects.filter(month=month).update(last_received_at=NOW - timedelta(days=days_ago))


def left() -> list[datetime]:
    return sorted(Point.objects.values_list("time", flat=True))


def test_a_month_goes_when_it_is_over_and_nothing_came_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "BATCH", 2)
    monkeypatch.setattr(points, "DEVICES", 2)
    for number in range(5):
        times = (f"2025-01-0{number + 1}T00:00:00Z", "2025-01-31T23:59:59.999Z", "2025-02-01T00:00:00Z")
        track(number, *times, device_id=f"d{number}", tenant="acme" if number % 2 else "")
    track(9, "2025-01-09T00:00:00Z", NOW.isoformat())
    assert set(PointMonth.objects.values_list("month", flat=True)) == {OLD, NEWER, NOW.date().replace(day=1)}
    Retention(None).step()
    assert len(left()) == 17, "they came just now"
    heard(OLD, 31)
    Retention(None).step()
    assert len(left()) == 6
    assert left()[0] == datetime(2025, 2, 1, tzinfo=UTC)
    assert not PointMonth.objects.filter(month=OLD).exists()
    outcome = AuditEntry.objects.get(step="outcome")
    assert (outcome.action, outcome.count, outcome.outcome) == ("retention", 11, "11 points are gone.")
    assert outcome.target == "points of kind point of before 2025-02-01 00:00:00 UTC"
    assert Device.objects.count() == 6, "where a device was last is known all the same"
    assert not partitions.is_partition(OLD)


def test_a_month_that_is_not_over_stays_however_long_nothing_came(settings: Any) -> None:
    settings.RETENTION_DAYS = {"point": 1}
    track(1, NOW.isoformat())
    heard(NOW.date().replace(day=1), 300)
    Retention(None).step()
    assert len(left()) == 1


def test_a_point_that_comes_meanwhile_keeps_its_month() -> None:
    track(1, "2025-01-09T00:00:00Z")
    heard(OLD, 31)
    [(month, end)] = points.months(NOW - timedelta(days=30))
    assert end == datetime(2025, 2, 1, tzinfo=UTC)
    track(2, "2025-01-10T00:00:00Z")
    assert month.remove(end) == (0, False)
    assert len(left()) == 2
    assert PointMonth.objects.get().month == OLD, "what came is still to be removed, later"


def test_a_month_that_was_dropped_comes_back_with_its_next_point() -> None:
    track(1, "2025-01-09T00:00:00Z")
    heard(OLD, 31)
    Retention(None).step()
    track(2, "2025-01-09T00:00:00Z")
    assert len(left()) == 1
    assert PointMonth.objects.get().month == OLD
