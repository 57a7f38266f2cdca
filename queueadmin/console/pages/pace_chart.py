"""How a replay went over time, as bars of an SVG. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from queueadmin.console.replays.pace import Stretch

#: The picture is stretched to its box; a bar is WIDE of its units and HIGH at most.
WIDE: Final = 10
HIGH: Final = 100
#: Bars that the picture has room for at least, so that the first few are not as wide as a hand.
ROOM: Final = 40


@dataclass(frozen=True, slots=True)
class Column:
    """One stretch: what was released as a bar, and before it what ended: failures on top of successes."""

    stretch: Stretch
    x: int
    released: tuple[float, float]
    succeeded: tuple[float, float]
    failed: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    #: Jobs that the highest bar stands for, and the seconds of each.
    most: int
    seconds: int
    columns: tuple[Column, ...]

    @property
    def until(self) -> datetime:
        return self.columns[-1].stretch.end

    @property
    def is_full(self) -> bool:
        """Whether the bars reach the right edge."""
        return len(self.columns) >= ROOM


def of(stretches: Iterable[Stretch]) -> Chart | None:
    """None: nothing happened yet."""
    every = list(stretches)
    if not every:
        return None
    most = max(max(each.released, each.succeeded + each.failed) for each in every) or 1
    scale = HIGH / most

    def bar(count: int, below: int = 0) -> tuple[float, float]:
        """Where it begins, from above, and its height."""
        return round(HIGH - (count + below) * scale, 2), round(count * scale, 2)

    columns = tuple(
        Column(each, place * WIDE, bar(each.released), bar(each.succeeded), bar(each.failed, each.succeeded))
        for place, each in enumerate(every)
    )
    return Chart(max(len(every), ROOM) * WIDE, most, every[0].seconds, columns)
