"""Taking points in."""

from typing import Any, Final

from ingest.api import limits
from ingest.api.intake import TRACKING
from ingest.api.tracking.formats import FORM, OFFERED
from ingest.kinds.points import DEVICE_LENGTH, RANGES
from queueadmin.console.openapi.lists import items
from queueadmin.console.openapi.parts import COUNT, Operations, Schema, example, json_answer, operation, parameter, ref

_POINT: Final = {"device_id": "glider-7", "time": "2026-11-27T12:00:00Z", "lat": 46.5, "lon": 7.25, "alt": 1850}
_TRACK: Final = (
    '<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
    '<trkpt lat="46.5" lon="7.25"><ele>1850</ele><time>2026-11-27T12:00:00Z</time></trkpt></trkseg></trk></gpx>'
)
_SAMPLES: Final = {
    "application/json": [_POINT],
    "application/x-ndjson": '{"device_id":"glider-7","time":1795780800,"lat":46.5,"lon":7.25}\n',
    "text/csv": "device_id,time,lat,lon,alt\nglider-7,1795780800,46.5,7.25,1850\n",
    "application/gpx+xml": _TRACK,
    "application/octet-stream": "AXXX123\nHFDTE271126\nB1200004630000N00715000EA0185001850\n",
}
_WHAT: Final = {
    "live": ("sendLivePoints", "Points as they come", "They wait in high."),
    "upload": ("uploadPoints", "A track of points", "They wait in medium."),
    "flymaster": ("uploadFlymasterFile", "Flymaster's file", "Its points wait in low."),
    "scoring": ("sendScoringPoints", "Points for scoring", "They wait in medium."),
}
_FORMATS: Final = (
    'JSON (one point, an array, or `{"device_id": …, "points": […]}`), NDJSON, CSV with a header of the fields\' '
    "names, lines of `device_id,unix_time,lat,lon,alt,speed,heading`, GPX or IGC, told apart by name and content; or a "
    "form with the file in its field `file`."
)


def tracking() -> Operations:
    return {path: {"post": _takes(endpoint.stream)} for path, endpoint in TRACKING.items()}


def _takes(stream: str) -> dict[str, Any]:
    name, summary, where = _WHAT[stream]
    content: dict[str, Any] = {media: {"schema": _schema(media)} for media in OFFERED}
    for media, sample in _SAMPLES.items():
        content[media]["examples"] = {"one": example(sample)}
    return operation(
        name,
        "Sending",
        summary,
        f"{where} {_FORMATS} Up to {limits.POINTS:,} points. A bad point is refused alone; one that is there already, "
        "by device and time, adds nothing.",
        scope="ingest",
        parameters=[
            parameter("device_id", "query", "Whose points these are, where they do not say so.", {"type": "string"}),
            parameter("Prefer", "header", "As for `/api/v1/events`.", {"type": "string"}),
            parameter("Idempotency-Key", "header", "As for `/api/v1/events`.", {"type": "string"}),
        ],
        request={"required": True, "content": content},
        answers={
            202: json_answer("All points are stored, in the jobs named.", ref("PointsReceipt")),
            207: json_answer("Some are stored; `items` says what is wrong with the others.", ref("PointsReceipt")),
        },
        errors=(400, 408, 409, 413, 415, 422, 431),
    )


def _schema(media: str) -> Schema:
    if media == "application/json":
        points: Schema = {"type": "array", "minItems": 1, "maxItems": limits.POINTS, "items": ref("Point")}
        return {"oneOf": [points, ref("Point")]}
    if media == FORM:
        file = {"type": "string", "format": "binary"}
        return {
            "type": "object",
            "required": ["file"],
            "properties": {"file": file, "device_id": {"type": "string", "maxLength": DEVICE_LENGTH}},
        }
    return {"type": "string"}


def components() -> dict[str, Schema]:
    numbers = {
        name: {"type": ["number", "null"], "minimum": least, "maximum": most} for name, (least, most) in RANGES.items()
    }
    for name in ("lat", "lon"):
        numbers[name]["type"] = "number"
    job_id = {"type": "string"}
    job: Schema = {"type": "object", "required": ["id", "points"], "properties": {"id": job_id, "points": COUNT}}
    receipt: dict[str, Schema] = {
        "status": {"const": "queued"},
        "received": {**COUNT, "description": "Points in the body."},
        "queued": {**COUNT, "description": "Of these, stored."},
        "rejected": COUNT,
        "durability": {"enum": ["redis", "database"]},
        "batch_id": job_id,
        "jobs": {"type": "array", "items": job, "description": "Each carries up to 1,000 points."},
    }
    return {
        "Point": {
            "type": "object",
            "description": "Where a device was, and when. Unknown fields are kept.",
            "required": ["device_id", "time", "lat", "lon"],
            "properties": {
                "device_id": {"type": ["string", "integer"], "maxLength": DEVICE_LENGTH},
                "time": {
                    "type": ["string", "number"],
                    "description": "RFC 3339, or Unix seconds or milliseconds; at most 24 hours ahead.",
                },
                **numbers,
            },
        },
        "PointsReceipt": {
            "type": "object",
            "required": list(receipt),
            "properties": {**receipt, "items": items("PointItem")},
        },
        "PointItem": {
            "type": "object",
            "description": "A point that was refused, by its place in the body; or a job that was, with its points.",
            "required": ["index", "status", "error", "retryable"],
            "properties": {
                "index": COUNT,
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "error": ref("ItemError"),
                "retryable": {"type": "boolean"},
                "points": COUNT,
            },
        },
    }
