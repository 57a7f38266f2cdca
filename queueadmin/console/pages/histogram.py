"""Bars and curves as shapes of an SVG, which need no script to be drawn or pressed. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from queueadmin.console.failures.triage import Bar

#: The picture is stretched to its box; a bar is WIDE of its units and HIGH at most.
WIDE: Final = 10
HIGH: Final = 100
#: Lines of what was done, the newest.
MARKS: Final = 12
#: A trend's picture, and a curve's.
TREND: Final = (92, 18)
CURVE: Final = (90, 26)


@dataclass(frozen=True, slots=True)
class Column:
    """One bar: where it stands, how high all of it is, and how high the chosen group's part at its foot."""

    bar: Bar
    x: int
    y: float
    height: float
    own_y: float
    own_height: float
    #: Whether it is in the chosen time.
    within: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What was done at a moment, as a line among the bars."""

    x: float
    at: datetime
    text: str
    what: str


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    most: int
    columns: tuple[Column, ...]
    #: The chosen time, in the picture's units; None: none is chosen.
    window: tuple[float, float] | None
    #: The newest MARKS of the time shown, the oldest first.
    lines: tuple[Line, ...] = ()


def of(
    bars: Sequence[Bar],
    *,
    since: datetime | None,
    until: datetime | None,
    marks: Sequence[Mapping[str, Any]] = (),
) -> Chart:
    """`marks` as `queueadmin.console.figures.marks` gives them, in any order."""
    most = max((bar.count for bar in bars), default=0)
    scale = HIGH / most if most else 0
    columns = tuple(
        Column(
            bar=bar,
            x=place * WIDE,
            y=round(HIGH - bar.count * scale, 2),
            height=round(bar.count * scale, 2),
            own_y=round(HIGH - bar.own * scale, 2),
            own_height=round(bar.own * scale, 2),
            within=(since is None or bar.end > since) and (until is None or bar.start < until),
        )
        for place, bar in enumerate(bars)
    )
    width = len(bars) * WIDE
    window = None
    if bars and (since or until):
        first, last = bars[0].start, bars[-1].end

        def at(moment: datetime) -> float:
            return round(min(max((moment - first) / (last - first), 0), 1) * width, 2)

        left, right = at(since or first), at(until or last)
        window = (left, max(right - left, 1))
    return Chart(width, most, columns, window, tuple(_lines(bars, marks, width)))


def _lines(bars: Sequence[Bar], marks: Sequence[Mapping[str, Any]], width: int) -> Iterator[Line]:
    if not bars:
        return
    first, length = bars[0].start.timestamp(), (bars[-1].end - bars[0].start).total_seconds()
    shown = sorted((mark for mark in marks if 0 <= mark["at"] - first <= length), key=lambda mark: mark["at"])
    for mark in shown[-MARKS:]:
        x = round((mark["at"] - first) / length * width, 2)
        yield Line(x, datetime.fromtimestamp(mark["at"], UTC), mark["text"], mark["what"])


def trend(counts: Sequence[int]) -> str:
    """Bars as one path, since a page has a thousand of them; of an empty one a line remains."""
    wide, high = TREND
    step, most = wide / max(len(counts), 1), max(counts, default=0) or 1
    heights = [max(1.0, round(count / most * high, 1)) for count in counts]
    return "".join(
        f"M{round(place * step, 1):g} {high}v-{height:g}h{round(step - 1, 1):g}V{high}z"
        for place, height in enumerate(heights)
    )


def curve(counts: Sequence[int]) -> str:
    """Points of a polyline over the whole width; along the foot where nothing is counted."""
    wide, high = CURVE
    most = max(counts, default=0) or 1
    if len(counts) < 2:
        counts = (0, 0)
    return " ".join(
        f"{round(place * wide / (len(counts) - 1), 1):g},{round(high - 2 - count / most * (high - 4), 1):g}"
        for place, count in enumerate(counts)
    )
