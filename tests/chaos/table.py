"""What `make chaos` prints."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One fault on one database."""

    fault: str
    database: str
    sent: int
    accepted: int
    processed: int
    dead_letters: int
    lost: int
    doubled: int
    #: Seconds to recover.
    seconds: float
    #: All that is wrong, a sentence each.
    wrong: Sequence[str] = ()

    @property
    def failed(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)


_COLUMNS: Final = (
    ("fault", 34), ("database", 10), ("sent", 7), ("accepted", 8), ("processed", 9), ("dead letters", 12),
    ("lost", 5), ("doubled", 7), ("recovered in", 12),
)  # fmt: skip
#: Sentences printed under one row.
MOST: Final = 12


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def head() -> str:
    return _line([title for title, _ in _COLUMNS])


def line(row: Row) -> str:
    """The row, and under it what is wrong."""
    cells = [
        *(row.fault, row.database, row.sent, row.accepted, row.processed, row.dead_letters, row.lost, row.doubled),
        f"{row.seconds:.1f} s",
    ]
    more = [f"  … and {len(row.wrong) - MOST} more"] if len(row.wrong) > MOST else []
    return "\n".join([_line(cells), *(f"  ! {sentence}" for sentence in row.wrong[:MOST]), *more])


def _line(cells: Sequence[object]) -> str:
    texts = []
    for number, ((_, width), cell) in enumerate(zip(_COLUMNS, cells, strict=True)):
        texts.append(f"{cell!s:<{width}}" if number < 2 else f"{cell!s:>{width}}")
    return "  ".join(texts).rstrip()
