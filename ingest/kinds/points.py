"""Points: where a device was, and when. A job carries a chunk of them.

A body is one point (`device_id`, `time`, `lat`, `lon`, …), or `{"stream": …, "points": […]}` with up to CHUNK of them.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from ingest.kinds.errors import Invalid, PermanentError
from ingest.points import Chunk, Row, save_points
from ingest.queue.payload import Payload

#: How points come in, and the word that their jobs carry; the first is that of a single event.
STREAMS: Final = ("live", "upload", "flymaster", "scoring")
#: Points in one job: the sources use 500 to 1,000.
CHUNK: Final = 1_000

#: The least and the most of each number. A balloon has been at 53 km, and no device is a satellite.
RANGES: Final = {
    "lat": (-90.0, 90.0),
    "lon": (-180.0, 180.0),
    "alt": (-1_000.0, 100_000.0),
    "speed": (0.0, 100_000.0),
    "heading": (0.0, 360.0),
    "accuracy": (0.0, 1_000_000.0),
}
_REQUIRED: Final = ("device_id", "time", "lat", "lon")
_KNOWN: Final = frozenset({"device_id", "time", *RANGES})
#: What an event says for us, and so no device for itself.
_OURS: Final = frozenset({"kind", "id", "source", "tenant", "stream", "priority", "severity", "callback_url",
                          "delay_seconds", "run_at", "fault"})  # fmt: skip

DEVICE_LENGTH: Final = 255
#: GPS began in 1980; a clock that says less was never set.
EARLIEST: Final = datetime(1980, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(hours=24)
#: From here on a number of `time` is in milliseconds: as seconds it would be the year 5138.
_MILLISECONDS_FROM: Final = 1e11
_EARLIEST: Final = EARLIEST.timestamp()
_AHEAD: Final = AHEAD.total_seconds()


def _range(name: str) -> msgspec.Meta:
    least, most = RANGES[name]
    return msgspec.Meta(ge=least, le=most)


class _Given(msgspec.Struct, gc=False):
    """A point as it was given, in its ranges; numbers in quotes are taken too, as CSV brings them."""

    #: Not `str | int`: that would make 7 of "007".
    device_id: Any
    time: Any
    lat: Annotated[float, _range("lat")]
    lon: Annotated[float, _range("lon")]
    alt: Annotated[float, _range("alt")] | None = None
    speed: Annotated[float, _range("speed")] | None = None
    heading: Annotated[float, _range("heading")] | None = None
    accuracy: Annotated[float, _range("accuracy")] | None = None


def read_point(point: Any, now: float | None = None) -> Row:
    """One point, checked; `now` is in seconds since 1970. Raises Invalid with the field and the limit."""
    if not isinstance(point, dict):
        raise Invalid("", "wrong_type", "A point must be a JSON object.")
    try:
        given = msgspec.convert(point, _Given, strict=False)
    except msgspec.ValidationError:
        raise _why(point) from None
    device, at = given.device_id, given.time
    if type(device) is not str:
        if not isinstance(device, str | int) or isinstance(device, bool):
            raise _missing("device_id") if device is None else _wrong_device()
        device = str(device)
    seconds = float(at) if type(at) is int and 0 <= at < _MILLISECONDS_FROM else _seconds(at)
    if not 0 < len(device) <= DEVICE_LENGTH or not device.isprintable():
        raise _wrong_device()
    if not _EARLIEST <= seconds <= (datetime.now(UTC).timestamp() if now is None else now) + _AHEAD:
        raise _wrong_time(seconds)
    more = "" if _KNOWN.issuperset(point) else _more(point)
    return Row(
        device,
        round(seconds * 1_000_000),
        given.lat,
        given.lon,
        given.alt,
        given.speed,
        given.heading,
        given.accuracy,
        more,
    )


def _more(point: Mapping[str, Any]) -> str:
    more = {name: value for name, value in point.items() if name not in _KNOWN and name not in _OURS}
    return json.dumps(more, ensure_ascii=False, separators=(",", ":")) if more else ""


def validate(event: Mapping[str, Any]) -> None:
    """Check an event of this kind: every point of it must be right. Raises Invalid."""
    stream = event.get("stream")
    if stream is not None and stream not in STREAMS:
        raise Invalid("stream", "invalid_value", f"stream must be one of {', '.join(STREAMS)}.")
    points = event.get("points")
    if points is None:
        read_point(event)
        return
    if not isinstance(points, list) or not points:
        raise Invalid("points", "wrong_type", "points must be an array of points.")
    if len(points) > CHUNK:
        detail = f"points may hold {CHUNK:,} points, not {len(points):,}; POST /tracking/upload takes more."
        raise Invalid("points", "too_many_items", detail, limit=CHUNK)
    now = datetime.now(UTC).timestamp()
    for place, point in enumerate(points):
        try:
            read_point(point, now)
        except Invalid as invalid:
            field = f"points[{place}]" + (f".{invalid.field}" if invalid.field else "")
            raise Invalid(field, invalid.code, f"{field}: {invalid.detail}", limit=invalid.limit) from None


def handle(payloads: Sequence[Payload]) -> dict[str, dict[str, int]]:
    """Keep each chunk's points once; by job id what became of them. Raises PermanentError for what is no chunk."""
    return save_points([chunk_of(payload) for payload in payloads])


def chunk_of(payload: Payload) -> Chunk:
    """The points that a job carries; those that break a rule are counted and left out. Raises PermanentError."""
    try:
        event = msgspec.json.decode(payload.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermanentError(f"the event's body cannot be read: {error}") from None
    points = event.get("points", [event])
    stream = event.get("stream", STREAMS[0])
    if not isinstance(points, list) or stream not in STREAMS:
        raise PermanentError("the event holds no points")
    # What was in time when it was taken in stays so, however long it waited.
    now = max(payload.received_at.timestamp(), datetime.now(UTC).timestamp())
    rows, rejected = [], 0
    for point in points:
        try:
            rows.append(read_point(point, now))
        except Invalid:
            rejected += 1
    return Chunk(payload.id, payload.tenant, stream, payload.received_at, rows, rejected)


def _seconds(time: Any) -> float:
    """Since 1970, of RFC 3339, or of Unix seconds or milliseconds. Raises Invalid."""
    if isinstance(time, bool) or not isinstance(time, str | int | float):
        raise _no_time()
    try:
        number = float(time)
    except ValueError:
        return _of_text(str(time))
    except OverflowError:
        raise _no_time() from None
    return number / 1_000 if abs(number) >= _MILLISECONDS_FROM else number


def _of_text(time: str) -> float:
    try:
        at = msgspec.convert(time, datetime)
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None:
        raise _no_time()
    return at.timestamp()


def _why(point: Mapping[str, Any]) -> Invalid:
    """What is wrong with a point that has a field missing, or a number that is none or out of its range."""
    for name in _REQUIRED:
        if point.get(name) is None:
            return _missing(name)
    for name, (least, most) in RANGES.items():
        try:
            number = msgspec.convert(point.get(name), float | None, strict=False)
        except msgspec.ValidationError:
            break
        if number is not None and not least <= number <= most:  # NaN is in no range
            return _out_of_range(name)
    return Invalid(name, "wrong_type", f"{name} must be a number.")


def _missing(name: str) -> Invalid:
    return Invalid(name, "missing_field", f"A point must have {name}.")


def _out_of_range(name: str) -> Invalid:
    least, most = RANGES[name]
    return Invalid(name, "out_of_range", f"{name} must be from {least:,.0f} to {most:,.0f}.", limit=int(most))


def _wrong_device() -> Invalid:
    detail = f"device_id must be a text of 1 to {DEVICE_LENGTH} printable characters, or a whole number."
    return Invalid("device_id", "invalid_value", detail, limit=DEVICE_LENGTH)


def _no_time() -> Invalid:
    return Invalid("time", "invalid_time", "time must be RFC 3339 with a zone, or Unix seconds or milliseconds.")


def _wrong_time(at: float) -> Invalid:
    if at < _EARLIEST:
        return Invalid("time", "out_of_range", f"time must be {EARLIEST:%Y-%m-%d} or later.")
    hours = int(_AHEAD) // 3_600
    return Invalid("time", "in_the_future", f"time may be at most {hours} hours ahead.", limit=hours)
