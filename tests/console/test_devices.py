"""Devices as they are shown: issue 6 (1)."""

import pytest

from ingest.models import Device, Point
from ingest.reading.cursors import BadCursor
from queueadmin.console import devices
from tests.console.conftest import track

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def names(**asked: str) -> list[str]:
    return [row.device.device_id for row in devices.page(limit=10, **asked).items]


def test_each_has_its_newest_point_its_count_its_rate_and_the_job() -> None:
    track("glider", 3000, 100, 10, 10, lat=1)
    job = track("glider", 10, 5, lat=2, alt=900)
    [row] = devices.page(limit=10).items
    assert (row.device.lat, row.device.alt, row.device.points) == (2, 900, 5), "one was there already"
    assert (row.per_minute, row.job) == (0.27, job)
    shown = devices.shown(row)
    assert (shown["device_id"], shown["tenant"], shown["stream"], shown["last_job"]) == ("glider", None, "live", job)


def test_a_rate_is_counted_of_those_that_sent_lately_and_no_longer_than_need_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "COUNTED", 3)
    track("busy", *range(10, 20))
    track("quiet", 3000)
    assert {row.device.device_id: row.per_minute for row in devices.page(limit=10).items} == {"busy": 0.2, "quiet": 0}


def test_one_whose_newest_point_is_not_kept_any_more_has_no_job() -> None:
    track("glider")
    Point.objects.all().delete()
    [row] = devices.page(limit=10).items
    assert (row.job, row.device.points) == ("", 1)


def test_pages_go_by_tenant_and_name() -> None:
    for tenant, name in (("b", "a"), ("", "c"), ("", "a"), ("b", "c"), ("", "b")):
        track(name, tenant=tenant)
    found, cursor = [], ""
    while cursor is not None:
        page = devices.page(limit=2, cursor=cursor)
        found += [(row.device.tenant, row.device.device_id) for row in page.items]
        cursor = page.next  # type: ignore[assignment]
    assert found == [("", "a"), ("", "b"), ("", "c"), ("b", "a"), ("b", "c")]
    for wrong in ("x", "e30", "W10", "WzEsMl0", "WyIiLCAiXHVkODAwIl0", "WyIiLCAiXHUwMDAwIl0", "ü"):
        with pytest.raises(BadCursor):
            devices.page(limit=2, cursor=wrong)


def test_a_text_is_looked_for_in_name_and_tenant() -> None:
    track("Glider-7")
    track("car", tenant="acme")
    assert names(text="glider") == ["Glider-7"]
    assert names(text="ACM") == ["car"]
    assert names(text="100%") == names(text="\0") == []
    assert names(tenant="acme") == ["car"]
    assert (devices.count(), devices.count(text="gl"), devices.count(tenant="x")) == (2, 1, 0)


def test_what_is_counted_of_many_devices_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        track(f"d{number}")
    monkeypatch.setattr(devices, "MOST", 2)
    assert devices.count() == 2
    assert Device.objects.count() == 3
