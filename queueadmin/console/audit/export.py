"""Operations as a file."""

from collections.abc import Iterator
from typing import Final

from queueadmin.console import exporting
from queueadmin.console.audit import reading
from queueadmin.console.exporting import Format
from queueadmin.console.filters import Filter

COLUMNS: Final = (
    *("at", "actor", "action", "target", "asked", "count", "reason", "state", "outcome", "ended_at", "id"),
)


def lines(asked: Filter, form: Format) -> Iterator[str]:
    """The file, a line at a time: every operation that matches, the newest first."""
    return exporting.lines(map(reading.shown, reading.every(asked)), COLUMNS, form)
