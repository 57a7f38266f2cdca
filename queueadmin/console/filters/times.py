"""Moments in filters: RFC 3339, or so long ago."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
#: Nothing that can be filtered is kept for longer.
MAX_DAYS: Final = 3650

DURATIONS: Final = "a number with s, m, h, d or w, such as 15m, 2h or 7d"
MOMENTS: Final = f"{DURATIONS}, or a time with its zone, such as 2026-11-22T10:00:00Z"


@dataclass(frozen=True, slots=True)
class Ago:
    """A length of time before now, as it was written: 2h."""

    number: int
    unit: str

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.number * _UNITS[self.unit])

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"


def ago(text: str) -> Ago | None:
    """None: it is no duration of up to MAX_DAYS."""
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) * _UNITS[found[2]] > MAX_DAYS * _UNITS["d"]:
        return None
    return Ago(int(found[1]), found[2])


def moment(text: str) -> datetime | None:
    """RFC 3339 → the moment, in UTC and to the microsecond; None: it is none."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of February; the year 1 east of Greenwich
        return None


def written(moment: datetime) -> str:
    """The shortest RFC 3339 text of it."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
