"""Files of one flight or walk: GPX (1.0 and 1.1) and IGC (FAI's technical specification of flight recorders).

GPX is read by defusedxml, which refuses what XML can be made to do to its reader; gpxpy keeps the namespaces of every
file it has read for as long as the process lives. IGC is read by aerofiles.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from aerofiles.igc import Reader
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ingest.api import limits
from ingest.api.problems import Problem
from ingest.api.tracking.given import Given, given, unreadable

#: A point of a track, a route or by itself.
_GPX_POINTS: Final = frozenset({"trkpt", "rtept", "wpt"})
#: Its members → ours.
_GPX_FIELDS: Final = {"time": "time", "ele": "alt", "speed": "speed", "course": "heading"}


def read_gpx(body: bytes, device_id: str) -> list[Given | Problem]:
    """Its points with a time; those without one are refused one by one. Raises ProblemError."""
    found: list[Given | Problem] = []
    try:
        for element in _elements(body):
            if _name(element) in _GPX_POINTS:
                if len(found) == limits.POINTS:
                    raise limits.too_many_points()
                found.append(given(_gpx_point(element, device_id)))
                element.clear()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        why = "It may have no DTD and no entities." if isinstance(error, DefusedXmlException) else "It is no XML."
        raise unreadable(f"The GPX cannot be read. {why}") from None
    return found


def _elements(body: bytes) -> Iterator[Element]:
    for _, element in iterparse(BytesIO(body), events=("end",), forbid_dtd=True):
        yield element


def _gpx_point(element: Element, device_id: str) -> dict[str, Any]:
    point: dict[str, Any] = {"device_id": device_id, **element.attrib}
    for member in element.iter():
        field = _GPX_FIELDS.get(_name(member))
        if field is not None and member.text and member.text.strip():
            point.setdefault(field, member.text.strip())
    return point


def _name(element: Element) -> str:
    """Without its namespace: GPX 1.0 and 1.1 have their own, and so have extensions."""
    return str(element.tag).rpartition("}")[2]


def read_igc(text: str, device_id: str) -> list[Given | Problem]:
    """Its fixes; a line that is none is refused alone. Raises ProblemError for a file without a date."""
    lines = text.splitlines(keepends=True)
    fixes = sum(line.startswith("B") for line in lines)
    if fixes > limits.POINTS:
        raise limits.too_many_points()
    try:
        read = Reader().read(lines)
    except (KeyError, ValueError, IndexError, TypeError, AttributeError, OverflowError):
        raise unreadable("The IGC file cannot be read: its date (HFDTE) must stand before its fixes.") from None
    recorder = read["logger_id"][1] or {}
    device = device_id or f"{recorder.get('manufacturer', '')}{recorder.get('id', '')}".strip()
    found: list[Given | Problem] = [given(_igc_point(fix, device)) for fix in read["fix_records"][1]]
    broken = Problem(422, "malformed_line", "Not a fix", "A line that begins with B is no fix of IGC.")
    return found + [broken] * (fixes - len(found))


def _igc_point(fix: dict[str, Any], device: str) -> dict[str, Any]:
    alt = fix.get("gps_alt") or fix.get("pressure_alt")
    point = {"device_id": device, "time": fix["datetime"].isoformat(), "lat": fix["lat"], "lon": fix["lon"]}
    return {**point, **({"alt": alt} if alt is not None else {}), "validity": fix.get("validity", "")}
