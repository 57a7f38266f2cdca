"""Contract section 3, points: the four endpoints, on both faces (C1, C2, C8)."""

import json
from typing import Any

import pytest
import redis

from ingest.queue.payload import body_of
from tests.ingest.api.conftest import NDJSON, Post, stored_ids
from tests.ingest.api.tracking.test_formats import CSV, GPX, IGC, form

PATHS = {
    "/tracking/live": ("live", "high"),
    "/tracking/upload": ("upload", "medium"),
    "/tracking/flymaster/upload/file": ("flymaster", "low"),
    "/scoring/batch": ("scoring", "medium"),
}
UPLOAD = "/tracking/upload"


def point(**fields: Any) -> dict[str, Any]:
    return {"device_id": "a", "time": 1795348798, "lat": 46.5, "lon": 7.25, **fields}


@pytest.mark.parametrize("path", PATHS)
def test_each_endpoint_has_its_stream_and_its_queue(post: Post, empty_redis: redis.Redis, path: str) -> None:
    stream, queue = PATHS[path]
    answer = post(path, [point(), point(time=1795348799, note="kept")])
    assert answer.status == 202
    assert {name: answer.json[name] for name in ("status", "queued", "rejected", "received", "durability")} == {
        "status": "queued", "queued": 2, "rejected": 0, "received": 2, "durability": "redis",
    }  # fmt: skip
    [job] = answer.json["jobs"]
    assert job == {"id": job["id"], "points": 2}
    assert empty_redis.lrange(f"rq:queue:{queue}", 0, -1) == [job["id"].encode()]
    fields = empty_redis.hgetall(f"rq:job:{job['id']}")
    assert (fields[b"kind"], fields[b"source"]) == (f"point:{stream}".encode(), stream.encode())
    body = json.loads(body_of(fields[b"data"]))
    assert body == {"stream": stream, "points": [point(), point(time=1795348799, note="kept")]}


def test_many_points_are_jobs_of_a_thousand(post: Post, empty_redis: redis.Redis) -> None:
    """C3."""
    answer = post(UPLOAD, [point(time=1795348798 + n) for n in range(2_500)])
    assert [job["points"] for job in answer.json["jobs"]] == [1_000, 1_000, 500]
    assert answer.json["queued"] == 2_500
    assert len(stored_ids(empty_redis)) == 3


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps(point()).encode(), {}),
        (b"\n".join([json.dumps(point()).encode()] * 2), {"content-type": NDJSON}),
        (CSV.encode(), {"content-type": "text/csv"}),
        (b"FM1,1795348798,46.5,7.25,1200,33.5,270\n", {"content-type": "text/plain"}),
        (GPX.replace(b'<trkpt lat="46.6" lon="7.26"></trkpt>', b""), {"content-type": "application/gpx+xml"}),
        (IGC.replace("Bbroken\n", "").encode(), {"content-type": "application/octet-stream"}),
    ],
    ids=["json", "ndjson", "csv", "flymaster", "gpx", "igc"],
)
def test_every_format_is_told_apart(post: Post, body: bytes, headers: dict[str, str]) -> None:
    answer = post(UPLOAD, body, headers=headers)
    if headers.get("content-type") == "application/gpx+xml":
        assert answer.status == 422, "a GPX file does not say whose track it is"
        assert answer.json["items"][0]["error"]["field"] == "device_id"
    else:
        assert (answer.status, answer.json["rejected"]) == (202, 0)


def test_a_file_in_a_form_says_whose_it_is(post: Post) -> None:
    body, media = form("flight.gpx", GPX, device_id="glider-7")
    answer = post("/tracking/flymaster/upload/file", body, headers={"content-type": media})
    assert (answer.status, answer.json["queued"], answer.json["rejected"]) == (207, 1, 1)


def test_a_bad_point_is_refused_alone_and_by_its_place(post: Post) -> None:
    """Rule 3."""
    answer = post(UPLOAD, [point(), point(lat=91), point(time="never"), 7, point(lon=None)])
    assert (answer.status, answer.json["queued"], answer.json["rejected"]) == (207, 1, 4)
    items = answer.json["items"]
    assert [(item["index"], item["status"], item["error"].get("field")) for item in items] == [
        (1, 422, "lat"), (2, 422, "time"), (3, 422, None), (4, 422, "lon"),
    ]  # fmt: skip
    assert items[0]["error"]["limit_value"] == 90


def test_nothing_good_is_422_and_stores_nothing(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 2."""
    answer = post(UPLOAD, [point(lat=91)])
    assert (answer.status, answer.json["code"], answer.json["queued"]) == (422, "all_rejected", 0)
    for body in (b"", b"[]", b"a,b\n1,2\n", b"<gpx/>", b"[" + b"{}," * 3):
        assert post(UPLOAD, body).status in (400, 422)
    assert not stored_ids(empty_redis)


def test_strict_is_all_or_nothing(post: Post, empty_redis: redis.Redis) -> None:
    answer = post(UPLOAD, [point(), point(lat=91)], headers={"prefer": "handling=strict"})
    assert answer.status == 422
    assert not stored_ids(empty_redis)


def test_more_than_ten_thousand_points_are_413(post: Post) -> None:
    """Rule 6."""
    csv = b"time,lat,lon,device_id\n" + b"1795348798,1,2,a\n" * 10_001
    answer = post(UPLOAD, csv, headers={"content-type": "text/csv"})
    assert (answer.status, answer.json["limit"], answer.json["limit_value"]) == (413, "points", 10_000)


def test_a_request_sent_again_under_its_key_doubles_nothing(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 5."""
    first = post(UPLOAD, [point()], headers={"idempotency-key": "k1"})
    again = post(UPLOAD, [point()], headers={"idempotency-key": "k1"})
    assert (again.status, again.json) == (202, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(stored_ids(empty_redis)) == 1


def test_a_batch_of_points_is_looked_up_by_its_id(post: Post) -> None:
    answer = post(UPLOAD, [point(), point(lat=91)])
    assert answer.headers["location"] == f"/api/v1/batches/{answer.json['batch_id']}"


def test_one_point_is_an_event_too(post: Post, empty_redis: redis.Redis) -> None:
    answer = post("/api/v1/events", {"kind": "point", **point()})
    assert (answer.status, answer.json["kind"]) == (202, "point")
    refused = post("/api/v1/events", {"kind": "point", **point(lat=91)})
    assert (refused.status, refused.json["field"]) == (422, "lat")
