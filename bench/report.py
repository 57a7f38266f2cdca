"""Rows, and how they are shown: one table for people, JSON for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Peer:
    """What stands beside a figure of ours."""

    name: str
    #: None: it could not be measured, and `note` says why.
    value: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure of ours should reach; `of_peer` times that peer's, else `value` in the row's unit."""

    value: float
    of_peer: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, ours and the peers' from the same run."""

    group: str
    name: str
    unit: str
    better: Literal["more", "less"]
    #: None: it could not be measured, and `note` says why.
    ours: float | None
    peers: tuple[Peer, ...] = ()
    goals: tuple[Goal, ...] = ()
    note: str = ""

    def ratio(self, peer: Peer) -> float | None:
        """How many times better than the peer this project is."""
        if self.ours is None or peer.value is None or not self.ours or not peer.value:
            return None
        return self.ours / peer.value if self.better == "more" else peer.value / self.ours

    def met(self, goal: Goal) -> bool | None:
        """None when it cannot be told: one of the two figures is missing."""
        if self.ours is None:
            return None
        if goal.of_peer:
            ratios = [self.ratio(peer) for peer in self.peers if peer.name == goal.of_peer]
            return None if not ratios or ratios[0] is None else ratios[0] >= goal.value
        return self.ours >= goal.value if self.better == "more" else self.ours <= goal.value


def medians(rounds: Sequence[Sequence[Row]]) -> list[Row]:
    """One list of rows out of several rounds of the same rows: each figure is the median of its rounds."""
    merged = []
    for copies in zip(*rounds, strict=True):
        first = copies[0]
        peers = tuple(
            Peer(peer.name, _median(copy.peers[place].value for copy in copies), peer.note)
            for place, peer in enumerate(first.peers)
        )
        ours = _median(copy.ours for copy in copies)
        merged.append(Row(first.group, first.name, first.unit, first.better, ours, peers, first.goals, copies[-1].note))
    return merged


def as_json(row: Row) -> dict[str, Any]:
    shown = asdict(row)
    shown["peers"] = [{**asdict(peer), "ratio": row.ratio(peer)} for peer in row.peers]
    shown["goals"] = [{**asdict(goal), "met": row.met(goal)} for goal in row.goals]
    return shown


def table(rows: Iterable[Row]) -> str:
    """In Markdown, which reads as well in a terminal."""
    cells = [("what", "this project", "beside", "", "ratio", "goal")]
    notes = []
    for row in rows:
        ours = "not measured" if row.ours is None else number(row.ours)
        goals = ", ".join(_goal(row, goal) for goal in row.goals)
        first = (f"{row.name}, {row.unit}", ours)
        if row.note:
            notes.append(f"- {row.name}: {row.note}")
        if not row.peers:
            cells.append((*first, "", "", "", goals))
        for place, peer in enumerate(row.peers):
            ratio = row.ratio(peer)
            value = peer.note if peer.value is None else number(peer.value)
            cells.append(
                (
                    *(first if place == 0 else ("", "")),
                    peer.name,
                    value,
                    f"{number(ratio)} x" if ratio is not None else "",
                    goals if place == 0 else "",
                )
            )
            if peer.value is not None and peer.note:
                notes.append(f"- {row.name}, {peer.name}: {peer.note}")
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = [_line(line, widths) for line in cells]
    lines.insert(1, "|" + "|".join(_rule(column, width) for column, width in enumerate(widths)) + "|")
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def number(value: float) -> str:
    """Three digits that count."""
    for least, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.2g}" if value else "0"


def _goal(row: Row, goal: Goal) -> str:
    sign = "≥" if row.better == "more" or goal.of_peer else "≤"
    text = f"{sign} {number(goal.value)} x {goal.of_peer}" if goal.of_peer else f"{sign} {number(goal.value)}"
    return f"{text} {({True: 'met', False: 'MISSED', None: 'not told'})[row.met(goal)]}"


def _line(line: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if column in _FIGURES else text.ljust(width)
        for column, (text, width) in enumerate(zip(line, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


#: Columns set to the right.
_FIGURES = (1, 3, 4)


def _rule(column: int, width: int) -> str:
    return "-" * (width + 1) + ":" if column in _FIGURES else "-" * (width + 2)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
