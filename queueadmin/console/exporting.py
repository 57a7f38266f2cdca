"""Lists as files: CSV that no spreadsheet runs, or a JSON object a line; and such a file as a streamed answer."""

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, Literal

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

Format = Literal["csv", "jsonl"]

#: A cell that begins with one of these is a formula to a spreadsheet, or becomes one when it is pasted.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MEDIA_TYPES: Final[Mapping[Format, str]] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
#: Lines that are sent together.
_AT_ONCE: Final = 200


def lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: Format) -> Iterator[str]:
    """The file, a line at a time, their ends included; of CSV the head first."""
    picked = ({name: _plain(row[name]) for name in columns} for row in rows)
    if form == "jsonl":
        for row in picked:
            yield json.dumps(row, ensure_ascii=False) + "\n"
        return
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(columns)
    yield line.text
    for row in picked:
        writer.writerow(map(_cell, row.values()))
        yield line.text


def download(request: HttpRequest, file: Iterator[str], form: Format, name: str) -> StreamingHttpResponse:
    """The file as an answer that is made while it is sent."""
    parts = _parts(file)
    # Django would read all of it first, where the server is not of the iterator's sort.
    streamed = _in_thread(parts) if isinstance(request, ASGIRequest) else parts
    response = StreamingHttpResponse(streamed, content_type=_MEDIA_TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    response["Cache-Control"] = "no-store"
    return response


def _parts(file: Iterator[str]) -> Iterator[str]:
    while part := "".join(islice(file, _AT_ONCE)):
        yield part


async def _in_thread(parts: Iterator[str]) -> AsyncIterator[str]:
    while part := await sync_to_async(lambda: next(parts, ""))():
        yield part


class _Line:
    """What csv.writer wrote last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _cell(value: Any) -> str:
    """OWASP's rule against formulas: a quote in front."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
