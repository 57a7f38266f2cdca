"""Crash points: the numbered messages of one life, and the strike at one of them."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.chaos.proxy import Cut, Treatment
from tests.chaos.statements import StatementKill
from tests.chaos.wires import Message

Program = Literal["web", "worker", "maintain", "operator"]
Store = Literal["redis", "postgresql", "sqlite"]

#: Those whose SQL is numbered on SQLite.
NUMBERED: Final[tuple[Program, ...]] = ("web", "worker", "maintain")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A message in a life: the `number`-th of its name that this program sends to this store."""

    program: Program
    store: Store
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.program} → {self.store}: {self.name} #{self.number}"


#: `before` and `after`: the program is killed before the message is forwarded, or when it was answered and the
#: answer not passed on. `reply`: nobody is killed, only the answer is lost with its connection.
When = Literal["before", "after", "reply"]


@dataclass(frozen=True, slots=True)
class Strike:
    point: Point
    when: When

    def __str__(self) -> str:
        return f"{self.point}, {self.when}"


class Watch:
    """Numbers what all programs of a lane send, and strikes once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Written by the proxies' thread.
        self.seen: list[Point] = []
        self._counts: Counter[tuple[Program, Store, str]] = Counter()
        self._strike: Strike | None = None
        self.struck = threading.Event()

    def begin(self, strike: Strike | None) -> None:
        """Number from 1 again."""
        for program in NUMBERED:
            self.path(program).unlink(missing_ok=True)
        self._counts.clear()
        self.seen = []
        self.struck.clear()
        self._strike = strike

    def treat(self, program: Program, store: Store, message: Message, kill: Callable[[], None]) -> Treatment:
        """What a proxy does with it; `kill` kills the program."""
        key = (program, store, message.name)
        self._counts[key] += 1
        point = Point(*key, self._counts[key])
        self.seen.append(point)
        strike = self._strike
        if strike is None or strike.point != point:
            return None
        self._strike = None

        def act() -> None:
            if strike.when != "reply":
                kill()
            self.struck.set()

        return Cut("before" if strike.when == "before" else "after", act)

    # --- SQLite, which has no wire ------------------------------------------------------------

    def path(self, program: Program) -> Path:
        """Where the program notes its statements."""
        return self._folder / f"{program}.statements"

    def statements(self, program: Program) -> list[Point]:
        """Those that it sent; operators are not asked."""
        counts: Counter[str] = Counter()
        found = []
        for name in self.path(program).read_text().splitlines() if self.path(program).exists() else ():
            counts[name] += 1
            found.append(Point(program, "sqlite", name, counts[name]))
        return found

    def take_kill(self, program: Program) -> StatementKill | None:
        """Where a program that starts now has to kill itself: the first of its name alone."""
        strike = self._strike
        if strike is None or strike.when == "reply":
            return None
        if (strike.point.program, strike.point.store) != (program, "sqlite"):
            return None
        self._strike = None
        return StatementKill(strike.point.name, strike.point.number, strike.when)
