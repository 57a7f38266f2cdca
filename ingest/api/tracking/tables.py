"""Lines of values: CSV with a header of the points' own names, and Flymaster's file, which has none."""

import csv
from collections.abc import Iterator, Sequence
from typing import Final

from ingest.api import limits
from ingest.api.problems import Problem
from ingest.api.tracking.given import Given, given, missing, unreadable

#: A line of Flymaster's file.
FLYMASTER: Final = ("device_id", "time", "lat", "lon", "alt", "speed", "heading")
#: Columns of one line.
COLUMNS: Final = 200


def read_csv(text: str) -> list[Given | Problem]:
    """Raises ProblemError for a header that cannot be used, and 413 for too many lines."""
    lines = _lines(text)
    header = [name.strip() for name in next(lines, [])]
    if len(set(header)) != len(header) or len(header) > COLUMNS:
        raise unreadable(f"The header of the CSV must name each of at most {COLUMNS} columns once.")
    unnamed = [name for name in FLYMASTER[1:4] if name not in header]
    if unnamed:
        raise missing(f"The header of the CSV must name {', '.join(unnamed)}.")
    return _points(header, lines)


def read_flymaster(text: str) -> list[Given | Problem]:
    """Lines of `device_id,unix_time,lat,lon,alt,speed,heading`. Raises ProblemError 413 for too many."""
    return _points(FLYMASTER, _lines(text))


def _points(header: Sequence[str], lines: Iterator[list[str]]) -> list[Given | Problem]:
    found: list[Given | Problem] = []
    for line in lines:
        if len(found) == limits.POINTS:
            raise limits.too_many_points()
        if len(line) > len(header):
            detail = f"The line has {len(line)} values for {len(header)} columns."
            found.append(Problem(422, "wrong_columns", "Not a line of this file", detail))
        else:
            found.append(given({name: value.strip() for name, value in zip(header, line, strict=False) if value}))
    return found


def _lines(text: str) -> Iterator[list[str]]:
    """Those that are not blank. Raises ProblemError."""
    # Spreadsheets of half of Europe write semicolons, since their numbers have commas.
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    try:
        yield from (line for line in csv.reader(text.splitlines(), delimiter=delimiter, strict=True) if line)
    except csv.Error as error:
        raise unreadable(f"The CSV cannot be read: {error}.") from None
