"""A vendor's values, of which any may be missing, null or of another type than its documentation says.

What is needed and is not what it must be raises `Invalid`, which names the field; what only adds to the alert is left
out instead: an alert is not refused for a broken link.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ingest.kinds.errors import Invalid

#: Unix times above this are milliseconds: as seconds it is the year 5138.
_MILLISECONDS: Final = 100_000_000_000


def text(value: Any, field: str) -> str:
    """A text, or a number as one; "" where there is none. Raises Invalid for true and false, objects and arrays."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(field, "wrong_type", f"{field} must be a text.")
    return str(value)


def needed(value: Any, field: str) -> str:
    """A text that is there. Raises Invalid."""
    if not (found := text(value, field)):
        raise Invalid(field, "missing", f"{field} is missing.")
    return found


def mapping(value: Any, field: str) -> Mapping[str, Any]:
    """An object; empty where there is none. Raises Invalid."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(field, "wrong_type", f"{field} must be an object.")
    return value


def word(value: Any, field: str, words: Mapping[str, Any]) -> Any:
    """What a word of the vendor's means, in any case. Raises Invalid, which names the words that are known."""
    found = text(value, field)
    if found.casefold() not in words:
        known = ", ".join(words)
        problem = "is missing" if not found else f"must be one of {known}, not {found[:50]!r}"
        raise Invalid(field, "missing" if not found else "invalid_value", f"{field} {problem}.")
    return words[found.casefold()]


def first(*values: Any) -> str:
    """The first that is a text or number and not empty; "" without one."""
    for value in values:
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return ""


def level(*values: Any) -> str | int | float | None:
    """The first that may be a severity: a word or a number, as it is."""
    for value in values:
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def plain(**values: Any) -> dict[str, Any]:
    """Labels of those values that are texts or numbers."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    }


def within(value: Any, *path: str) -> Any:
    """What stands at a path of names, or None."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def objects(value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects in an array; none where it is something else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def time(value: Any) -> datetime | None:
    """RFC 3339 with a zone, or Unix seconds or milliseconds, as a number or a text; None: it is none of these."""
    if isinstance(value, str):
        value = value.strip()
        try:
            at: datetime = msgspec.convert(value.replace(" UTC", "Z"), datetime)
            return at.astimezone(UTC) if at.tzinfo else None
        except (msgspec.ValidationError, OverflowError):
            pass
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS else value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
