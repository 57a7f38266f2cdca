"""What a body of points is, and what is read from it."""

import io
import uuid
from contextlib import suppress
from typing import Any

import pytest

from ingest.api import limits
from ingest.api.problems import Problem, ProblemError
from ingest.api.tracking.formats import Body, points_in

HEADER = "device_id,time,lat,lon,alt"
CSV = f"{HEADER}\na,1795348798,46.5,7.25,1200\n\nb,2026-11-22T12:00:00Z,1,2,\n"
GPX = b"""<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1" xmlns:g="http://www.garmin.com/x">
 <trk><trkseg>
  <trkpt lat="46.5" lon="7.25"><ele>1200.5</ele><time>2026-11-22T12:00:00Z</time>
   <extensions><g:speed>12.5</g:speed><g:course>90</g:course></extensions></trkpt>
  <trkpt lat="46.6" lon="7.26"></trkpt>
 </trkseg></trk>
</gpx>"""
IGC = """AXXX123 logger
HFDTE221126
B1200004630000N00715000EA0119001200
B1200014630100N00715100EA0119101201
Bbroken
"""


def read(content: bytes | str, content_type: str = "", device_id: str = "") -> list[Any]:
    content = content.encode() if isinstance(content, str) else content
    return [
        each if isinstance(each, Problem) else each.point for each in points_in(Body(content, content_type, device_id))
    ]


def form(name: str, content: bytes, field: str = "file", **fields: str) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    body = io.BytesIO()
    for key, value in fields.items():
        body.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode())
    body.write(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n".encode()
    )
    body.write(content + f"\r\n--{boundary}--\r\n".encode())
    return body.getvalue(), f"multipart/form-data; boundary={boundary}"


POINT = '{"device_id":"a","time":1,"lat":2,"lon":3}'


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (POINT, "application/json"),
        (f"[{POINT},{POINT}]", "application/json"),
        (f'{{"points":[{POINT}]}}', "application/json"),
        (f"{POINT}\n{POINT}\n", "application/x-ndjson"),
        (f"{POINT}\n{POINT}\n", ""),
        (f"\ufeff[{POINT}]", ""),
        ("{\n" + POINT[1:], ""),
    ],
)
def test_json_and_ndjson(body: str, media: str) -> None:
    points = read(body, media)
    assert len(points) == body.count("device_id")
    assert all(point == {"device_id": "a", "time": 1, "lat": 2, "lon": 3} for point in points)


def test_one_device_for_all_of_a_body() -> None:
    assert read('{"device_id":7,"points":[{"time":1},{"device_id":"b"}]}') == [
        {"device_id": "7", "time": 1},
        {"device_id": "b"},
    ]
    big = points_in(Body(b'{"time":1,"n":123456789012345678901234567890}', "application/json", "x"))[0]
    assert not isinstance(big, Problem)
    assert big.raw == b'{"device_id":"x","time":1,"n":123456789012345678901234567890}'


def test_a_bad_item_of_json_is_refused_alone() -> None:
    broken = ['{"a":NaN}', '{"a":1,"a":2}', '{"a":"\\u0000"}', "7", '{"a":']
    for body, media in ((f"[{POINT},{','.join(broken[:4])}]", "application/json"), ("\n".join([POINT, *broken]), "")):
        first, *others = read(body, media or "application/x-ndjson")
        assert first["device_id"] == "a"
        assert all(isinstance(other, Problem) for other in others)


@pytest.mark.parametrize("text", [CSV, "\ufeff" + CSV, CSV.replace("\n", "\r\n"), CSV.replace(",", ";")])
@pytest.mark.parametrize("media", ["text/csv", "", "application/octet-stream"])
def test_csv_with_a_header_of_the_points_names(text: str, media: str) -> None:
    assert read(text, media) == [
        {"device_id": "a", "time": "1795348798", "lat": "46.5", "lon": "7.25", "alt": "1200"},
        {"device_id": "b", "time": "2026-11-22T12:00:00Z", "lat": "1", "lon": "2"},
    ]


def test_csv_keeps_other_columns_and_refuses_a_line_with_too_many_values_alone() -> None:
    good, bad = read('time,lat,lon,note\n1,2,3,"a, b"\n1,2,3,4,5\n', "text/csv")
    assert good == {"time": "1", "lat": "2", "lon": "3", "note": "a, b"}
    assert bad.code == "wrong_columns"


@pytest.mark.parametrize("body", ["a,b\n1,2\n", "time,lat,lon,lat\n", 'time,lat,lon\n1,2,"3', "time,lat\n1,2"])
def test_csv_that_cannot_be_used_is_refused_whole(body: str) -> None:
    with pytest.raises(ProblemError):
        read(body, "text/csv")


def test_flymasters_file_has_no_header() -> None:
    body = "FM1,1795348798,46.5,7.25,1200,33.5,270\nFM1,1795348799,46.6,7.26,1201,33,271\n"
    first, _ = read(body)
    assert first == {
        "device_id": "FM1", "time": "1795348798", "lat": "46.5", "lon": "7.25", "alt": "1200", "speed": "33.5",
        "heading": "270",
    }  # fmt: skip


@pytest.mark.parametrize("media", ["", "application/gpx+xml", "application/octet-stream", "text/xml"])
def test_gpx(media: str) -> None:
    full, without_time = read(GPX, media, "dev")
    assert full == {
        "device_id": "dev", "lat": "46.5", "lon": "7.25", "alt": "1200.5", "time": "2026-11-22T12:00:00Z",
        "speed": "12.5", "heading": "90",
    }  # fmt: skip
    assert without_time == {"device_id": "dev", "lat": "46.6", "lon": "7.26"}


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><gpx>&a;</gpx>',
        b'<!DOCTYPE gpx SYSTEM "http://192.0.2.1/x.dtd"><gpx/>',
        b"<gpx><trk>",
        b"<\xff\xfe",
        b'<?xml version="1.0" encoding="nonsense"?><gpx/>',
        b"<gpx xmlns='a' xmlns:b='b'",
    ],
)
def test_xml_can_do_nothing_to_its_reader(body: bytes) -> None:
    with pytest.raises(ProblemError, match="GPX cannot be read") as caught:
        read(body)
    assert caught.value.problem.status == 400


def test_igc() -> None:
    first, _, broken = read(IGC)
    assert first["device_id"] == "XXX123"
    assert first["time"] == "2026-11-22T12:00:00+00:00"
    assert (round(first["lat"], 6), round(first["lon"], 6), first["alt"]) == (46.5, 7.25, 1200)
    assert broken.code == "malformed_line"
    assert read(IGC, device_id="mine")[0]["device_id"] == "mine"


@pytest.mark.parametrize("content", ["AXXX123\nB1200004630000N00715000EA0119001200\nHFDTE221126\n", "AXXX\nHFDTE\nB\n"])
def test_igc_without_its_date_is_refused_whole_or_line_by_line(content: str) -> None:
    with suppress(ProblemError):
        assert all(isinstance(each, Problem) for each in read(content))


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", CSV.encode()), ("a.igc", IGC.encode()), ("A.GPX", GPX), ("", GPX)]
)
def test_a_file_in_a_form(name: str, content: bytes) -> None:
    body, media = form(name or "blob", content, device_id="formed")
    assert len(read(body, media)) >= 2
    assert read(body, media)[0]["device_id"] in {"a", "formed"}


def test_a_form_without_its_file_is_refused() -> None:
    for body, media in (form("a.csv", CSV.encode(), field="other"), (b"--x", "multipart/form-data; boundary=x"),
                        (b"", "multipart/form-data")):  # fmt: skip
        with pytest.raises(ProblemError):
            read(body, media)


@pytest.mark.parametrize("body", ["", " ", "[]", '{"points":[]}', "time,lat,lon\n", "<gpx></gpx>"])
def test_a_body_without_points_says_so(body: str) -> None:
    with pytest.raises(ProblemError):
        read(body)


def test_more_points_than_one_request_may_bring() -> None:
    line = "a,1795348798,1,2,3\n"
    for body in (
        HEADER + "\n" + line * (limits.POINTS + 1),
        "[" + ",".join([POINT] * (limits.POINTS + 1)) + "]",
        b"<gpx>" + b'<trkpt lat="1" lon="2"/>' * (limits.POINTS + 1) + b"</gpx>",
        "AXXX123\nHFDTE221126\n" + "B1200004630000N00715000EA0119001200\n" * (limits.POINTS + 1),
    ):
        with pytest.raises(ProblemError, match="10,000") as caught:
            read(body)
        assert caught.value.problem.status == 413
