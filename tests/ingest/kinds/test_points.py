"""Points: what one may be, and what becomes of a chunk (C1, C3)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest import database, jobs
from ingest.kinds import KINDS, points
from ingest.kinds.errors import Invalid, PermanentError
from ingest.models import Device, Event, Point, PointCount
from ingest.queue.payload import Payload

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GIVEN: dict[str, Any] = {"device_id": "tracker-1", "time": "2026-11-22T11:59:58.5Z", "lat": 46.5, "lon": 7.25}


def given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GIVEN, **fields}.items() if value != "-"}


def payload(number: int, *chunk: dict[str, Any], stream: str = "upload", tenant: str = "") -> Payload:
    body = json.dumps({"stream": stream, "points": chunk}).encode()
    return Payload(f"{number:032x}", "point", NOON, "medium", "", tenant, None, body)


# --- one point ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-22T11:59:58.5Z",
        "2026-11-22T12:59:58.500+01:00",
        1795348798.5,
        1795348798500,
        "1795348798.5",
        "1795348798500",
    ],
)
def test_a_time_is_rfc_3339_or_unix_seconds_or_milliseconds(time: object) -> None:
    assert points.read_point(given(time=time)).time == 1_795_348_798_500_000


def test_it_keeps_what_it_does_not_know_and_the_device_as_it_was_named() -> None:
    row = points.read_point(given(device_id="007", alt="1200.5", battery={"volts": 3.7}))
    assert (row.device_id, row.alt, row.speed, row.more) == ("007", 1200.5, None, '{"battery":{"volts":3.7}}')
    assert points.read_point(given(device_id=7)).device_id == "7"
    assert points.read_point(given(alt=None, kind="point", id="x", source="s")).more == ""


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"lat": 90.1}, "lat", "from -90 to 90"),
        ({"lat": "nan"}, "lat", "from -90 to 90"),
        ({"lon": -181}, "lon", "from -180 to 180"),
        ({"lon": "east"}, "lon", "must be a number"),
        ({"lat": [1]}, "lat", "must be a number"),
        ({"lat": True}, "lat", "must be a number"),
        ({"lat": "-"}, "lat", "must have lat"),
        ({"alt": 1e9}, "alt", "from -1,000 to 100,000"),
        ({"alt": "inf"}, "alt", "from -1,000 to 100,000"),
        ({"speed": -1}, "speed", "from 0"),
        ({"heading": 361}, "heading", "from 0 to 360"),
        ({"accuracy": "x"}, "accuracy", "must be a number"),
        ({"device_id": ""}, "device_id", "1 to 255"),
        ({"device_id": "x" * 256}, "device_id", "1 to 255"),
        ({"device_id": "a\nb"}, "device_id", "printable"),
        ({"device_id": True}, "device_id", "whole number"),
        ({"device_id": 1.5}, "device_id", "whole number"),
        ({"device_id": None}, "device_id", "must have device_id"),
        ({"time": "-"}, "time", "must have time"),
        ({"time": "yesterday"}, "time", "RFC 3339"),
        ({"time": "2026-11-22T12:00:00"}, "time", "with a zone"),
        ({"time": False}, "time", "RFC 3339"),
        ({"time": 10**400}, "time", "RFC 3339"),
        ({"time": 0}, "time", "1980-01-01 or later"),
        ({"time": 1e300}, "time", "24 hours ahead"),
        ({"time": "nan"}, "time", "24 hours ahead"),
        ({"time": "9999-12-31T23:59:59Z"}, "time", "24 hours ahead"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        points.read_point(given(**change))
    assert caught.value.field == field


@pytest.mark.parametrize("point", [None, 7, "x", [], [1, 2]])
def test_a_point_is_an_object(point: object) -> None:
    with pytest.raises(Invalid, match="object"):
        points.read_point(point)


def test_an_event_may_be_one_point_or_a_chunk_of_them() -> None:
    points.validate(given())
    points.validate({"stream": "scoring", "points": [given()]})
    for event, field in (
        ({"points": [given(), given(lat=91)]}, "points[1].lat"),
        ({"points": [given(), 7]}, "points[1]"),
        ({"points": []}, "points"),
        ({"points": {}}, "points"),
        ({"points": [given()] * 1_001}, "points"),
        ({"stream": "other", "points": [given()]}, "stream"),
        ({"stream": [], "points": [given()]}, "stream"),
        ({}, "device_id"),
    ):
        with pytest.raises(Invalid) as caught:
            points.validate(event)
        assert caught.value.field == field


# --- chunks ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_each_point_is_kept_once_and_the_counts_say_so() -> None:
    """C3: ON CONFLICT DO NOTHING on (device, time), within a chunk, between chunks, and in a second run."""
    earlier, later = given(time=NOON.isoformat()), given(time=(NOON + timedelta(seconds=1)).isoformat(), alt=900)
    first = payload(1, later, earlier, earlier, given(lat=91))
    second = payload(2, earlier, given(device_id="b\\N", note="tab\tand \\ and\nline ✓"))
    results = jobs.process(KINDS["point"], [(first, 0), (second, 0)])
    assert results == {
        first.id: {"inserted": 2, "duplicates": 1, "rejected": 1},
        second.id: {"inserted": 1, "duplicates": 1, "rejected": 0},
    } or results == {
        first.id: {"inserted": 1, "duplicates": 2, "rejected": 1},
        second.id: {"inserted": 2, "duplicates": 0, "rejected": 0},
    }, "which of two equal points came first is nobody's business"
    assert not jobs.process(KINDS["point"], [(first, 1), (second, 1)]), "a second run does nothing"
    assert Point.objects.count() == 3
    assert set(PointCount.objects.values_list("stream", "inserted", "duplicates", "rejected")) == {("upload", 3, 2, 1)}
    device = Device.objects.get(device_id="tracker-1")
    assert (device.last_time, device.alt) == (NOON + timedelta(seconds=1), 900)


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_a_rows_fields_are_what_was_sent_and_the_event_keeps_no_second_copy() -> None:
    fields = {"alt": 1200.25, "speed": 12.5, "heading": 359.9, "accuracy": 3.0}
    jobs.process(
        KINDS["point"], [(payload(1, given(**fields, note='tab\tand \\ "✓"\n'), stream="live", tenant="acme"), 0)]
    )
    row = Point.objects.get()
    assert {name: getattr(row, name) for name in fields} == fields
    assert (row.tenant, row.device_id, row.stream, row.job_id) == ("acme", "tracker-1", "live", f"{1:032x}")
    assert row.time == datetime(2026, 11, 22, 11, 59, 58, 500_000, tzinfo=UTC)
    assert json.loads(row.more) == {"note": 'tab\tand \\ "✓"\n'}
    assert Event.objects.get().body == "{}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_points_of_any_month_find_a_place_and_tenants_do_not_meet() -> None:
    months = [given(time=f"{year}-{month:02}-01T00:00:00Z") for year in (1980, 2024, 2025) for month in (1, 2, 12)]
    jobs.process(KINDS["point"], [(payload(1, *months), 0), (payload(2, *months, tenant="acme"), 0)])
    assert Point.objects.count() == 18


@pytest.mark.django_db
def test_what_is_no_chunk_is_no_use_to_try_again() -> None:
    for body in (b"[", b"[]", b'{"points":7}', b'{"stream":"x","points":[]}', b"\xff"):
        broken = Payload("1", "point", NOON, "low", "", "", None, body)
        with pytest.raises(PermanentError):
            jobs.process(KINDS["point"], [(broken, 0)])


@pytest.mark.django_db
def test_a_late_point_of_an_event_that_waited_long_is_still_kept() -> None:
    late = Payload("1", "point", datetime.now(UTC), "low", "", "", None, json.dumps(given()).encode())
    assert points.chunk_of(late).rejected == 0
    assert database.in_transaction(lambda: points.handle([late]))["1"]["inserted"] == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_its_counts_stand_beside_the_event_and_its_body_where_its_sender_named_it() -> None:
    body = json.dumps(given()).encode()
    named = Payload("1" * 32, "point", NOON, "high", "", "", "mine", body)
    jobs.process(KINDS["point"], [(payload(2, given()), 0), (named, 0)])
    rows = {event.id: event for event in Event.objects.all()}
    assert rows[named.id].body == body.decode(), "by it a copy is told from another event"
    assert rows[f"{2:032x}"].body == "{}"
    results = [json.loads(event.result or "null") for event in rows.values()]
    assert sum(result["inserted"] for result in results) == sum(result["duplicates"] for result in results) == 1
