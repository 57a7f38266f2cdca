"""Dead letters as a file, credentials masked."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from queueadmin.console import exporting
from queueadmin.console.dead_letters.reading import Record
from queueadmin.console.exporting import Format

COLUMNS: Final = (
    *("id", "event_id", "kind", "source", "tenant", "queue", "title", "failed_at", "reason", "error_type"),
    *("error_message", "group", "attempts", "received_at", "payload"),
)


def lines(records: Iterable[Record], form: Format) -> Iterator[str]:
    """The file, a line at a time, their ends included; of CSV the head first."""
    return exporting.lines(map(row, records), COLUMNS, form)


def row(record: Record) -> dict[str, Any]:
    """One dead letter by COLUMNS, ready for JSON."""
    shown: Mapping[str, Any] = record.shown
    error = shown["error"]
    known = {
        **shown,
        "failed_at": error["at"],
        "reason": error["reason"],
        "error_type": error["type"],
        "error_message": error["message"],
    }
    return {name: value.isoformat() if isinstance(value := known[name], datetime) else value for name in COLUMNS}
