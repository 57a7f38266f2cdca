"""Dead letters as a file: CSV that no spreadsheet runs, or a JSON object a line. Streamed, credentials masked."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from queueadmin.console.dead_letters.reading import Record

Format = Literal["csv", "jsonl"]

COLUMNS: Final = (
    *("id", "event_id", "kind", "source", "tenant", "queue", "title", "failed_at", "reason", "error_type"),
    *("error_message", "group", "attempts", "received_at", "payload"),
)
#: A cell that begins with one of these is a formula to a spreadsheet, or becomes one when it is pasted.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def lines(records: Iterable[Record], form: Format) -> Iterator[str]:
    """The file, a line at a time, their ends included; of CSV the head first."""
    if form == "jsonl":
        for record in records:
            yield json.dumps(row(record), ensure_ascii=False) + "\n"
        return
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    yield line.text
    for record in records:
        writer.writerow(map(_cell, row(record).values()))
        yield line.text


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


class _Line:
    """What csv.writer wrote last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _cell(value: Any) -> str:
    """OWASP's rule against formulas: a quote in front."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
