"""Dead letters and groups as lines for a terminal. Columns have fixed widths, so that nothing need be held back."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from queueadmin.console.command_line import one_line
from queueadmin.console.dead_letters.groups import Group
from queueadmin.console.dead_letters.reading import Record

#: (head, width); the last column is as wide as it is.
_RECORDS: Final = (
    *(("failed (UTC)", 19), ("queue", 8), ("kind", 8), ("source", 14), ("attempts", 8), ("reason", 11)),
    *(("group", 12), ("error", 50), ("title", 32), ("id", 0)),
)
_GROUPS: Final = (
    *(("count", 9), ("group", 12), ("first seen (UTC)", 19), ("last seen (UTC)", 19), ("queues", 24), ("example", 0)),
)
_EXAMPLE: Final = 100


def record_table(records: Iterator[Record], *, limit: int) -> Iterator[tuple[str, int]]:
    """(line, dead letters on it): head, up to `limit` rows, and a last line if more match."""
    for number, record in enumerate(records):
        if number == 0:
            yield _line(_RECORDS, [head for head, _ in _RECORDS]), 0
        if number == limit:
            yield f"{limit:,} shown, more match; --limit N shows more, groups sums them up", 0
            return
        shown, error = record.shown, record.shown["error"]
        yield (
            _line(
                _RECORDS,
                [
                    _time(error["at"]),
                    record.queue,
                    shown["kind"] or "",
                    shown["source"] or "",
                    str(shown["attempts"]),
                    error["reason"],
                    shown["group"],
                    _error(error["type"], error["message"]),
                    shown["title"],
                    record.id,
                ],
            ),
            1,
        )


def group_table(groups: Sequence[Group]) -> Iterator[str]:
    yield _line(_GROUPS, [head for head, _ in _GROUPS])
    for group in groups:
        queues = ", ".join(f"{name} {count:,}" for name, count in group.queues.items())
        where = f" in {group.frames[-1]}" if group.frames else ""
        example = one_line(_error(group.error_type, group.message) + where, _EXAMPLE)
        yield _line(
            _GROUPS, [f"{group.count:,}", group.id, _time(group.first_at), _time(group.last_at), queues, example]
        )


def summary(record: Record) -> dict[str, Any]:
    """One dead letter for JSON: the contract's shape, without what the event carries."""
    return {name: value for name, value in record.shown.items() if name not in ("payload", "replay")}


def _line(columns: Sequence[tuple[str, int]], cells: Sequence[str]) -> str:
    return "  ".join(
        one_line(cell, width).ljust(width) if width else one_line(cell, 1000)
        for cell, (_, width) in zip(cells, columns, strict=True)
    ).rstrip()


def _error(error_type: str | None, message: str | None) -> str:
    return ": ".join(part for part in ((error_type or "").rpartition(".")[2], message) if part)


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else ""
