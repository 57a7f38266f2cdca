"""What a body is, told by its media type, its file's name and its content."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ingest.api import decode
from ingest.api.problems import Problem, ProblemError
from ingest.api.tracking import files, tables, tracks
from ingest.api.tracking.given import Given, unreadable

FORM: Final = "multipart/form-data"
#: What an answer offers.
OFFERED: Final = (
    "application/json", "application/x-ndjson", "text/csv", "application/gpx+xml", "application/octet-stream", FORM
)  # fmt: skip
#: Media types that say what they are; of others the content decides.
_FORMATS: Final = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/gpx+xml": "gpx",
}
_ENDINGS: Final = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".gpx": "gpx", ".igc": "igc"}
#: The first line of Flymaster's file: a device, then a time in Unix seconds.
_FLYMASTER: Final = re.compile(r"\s*[^,\n]+,\s*\d{9,13}(\.\d+)?\s*,")


@dataclass(frozen=True, slots=True)
class Body:
    content: bytes
    content_type: str
    #: Whose points these are, where they do not say so themselves; "" for nobody.
    device_id: str = ""


def points_in(body: Body) -> list[Given | Problem]:
    """The points of a body, unchecked, in their order. Raises ProblemError."""
    media = body.content_type.partition(";")[0].strip().lower()
    name = ""
    if media == FORM:
        file = files.read_form(body.content_type, body.content)
        body, name, media = Body(file.content, "", file.device_id or body.device_id), file.name, ""
    content = body.content.removeprefix(b"\xef\xbb\xbf").lstrip()
    match _FORMATS.get(media) or _ENDINGS.get(name[-7:].lower()[name[-7:].rfind(".") :]) or _guess(content):
        case "json":
            found = _json(content, body.device_id)
        case "ndjson":
            found = _items(decode.split_lines(content, decode.POINTS), body.device_id)
        case "gpx":
            found = tracks.read_gpx(content, body.device_id)
        case "igc":
            found = tracks.read_igc(_text(content), body.device_id)
        case "flymaster":
            found = tables.read_flymaster(_text(content))
        case _:
            found = tables.read_csv(_text(content))
    if not found:
        raise ProblemError(Problem(422, "no_events", "No points", "The body holds no point."))
    return found


def _guess(content: bytes) -> str:
    start = content[:512]
    if start[:1] == b"[":
        return "json"
    if start[:1] == b"{":
        # One object on several lines is JSON; an object a line is NDJSON.
        return "ndjson" if b"\n" in content.strip() and _is_whole(content.partition(b"\n")[0]) else "json"
    if start[:1] == b"<":
        return "gpx"
    if re.match(rb"A[A-Z0-9]{3,}", start) and re.search(rb"^H[FOP]DTE", content, re.MULTILINE):
        return "igc"
    return "flymaster" if _FLYMASTER.match(start.decode("latin-1")) else "csv"


def _is_whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _json(content: bytes, device_id: str) -> list[Given | Problem]:
    """An array of points, one point, or `{"device_id": …, "points": […]}`."""
    if content[:1] == b"{" and (points := decode.array_of(content, "points")) is not None:
        device_id = _device(content.replace(points, b"[]", 1)) or device_id
        content = points
    items, _ = decode.split_json(content, decode.POINTS)
    return _items(items, device_id)


def _device(rest: bytes) -> str:
    """What an object says of all its points."""
    try:
        found = decode.parse(rest).get("device_id")
    except decode.Refused:
        return ""
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def _items(items: Sequence[decode.Item], device_id: str) -> list[Given | Problem]:
    found: list[Given | Problem] = []
    for item in items:
        try:
            point = decode.parse(item.raw)
        except decode.Refused as refused:
            if item.line is not None:
                refused.problem.extra["line"] = item.line
            found.append(refused.problem)
            continue
        if device_id and "device_id" not in point:
            # Not by msgspec: its integers end at 64 bits, the sender's need not.
            named = {"device_id": device_id, **point}
            found.append(Given(json.dumps(named, separators=(",", ":")).encode(), named))
        else:
            found.append(Given(item.raw, point))
    return found


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise unreadable("It is not UTF-8.") from None
