"""Crash points: each message of an event's life, and what becomes of the event when the program dies at it.

For every message of a life the life is lived anew, three times: the program is killed just before the message
reaches its store, just after, and (not killed) with the answer lost. Then everything is started again; the event
must come to its end, its effect there once, in one place, and the counters must add up.
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tests.chaos.lane import Ends, Findings, Lane
from tests.chaos.lives import Life
from tests.chaos.points import Point, Strike, When
from tests.waiting import NotInTime

WHENS: Final[tuple[When, ...]] = ("before", "after", "reply")
#: A message that a busy machine put elsewhere is looked for so often.
TRIES: Final = 3
_IDLE: Final = ("script claim", "BLPOP rq:qa:bell")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One life with one strike."""

    life: Life
    strike: Strike | None
    findings: Findings
    sent: int
    #: The message came, and the strike with it.
    struck: bool
    seconds: float


def live(lane: Lane, life: Life, strike: Strike | None) -> Outcome:
    """One life, to its end. What goes wrong is in the outcome."""
    lane.begin(strike)
    started = time.monotonic()
    ends: Ends = {}
    late: list[str] = []
    try:
        ends = life.live(lane)
        lane.programs.start("worker", "maintain")
        lane.programs.until(
            lambda: all(lane.state(job_id) == end for job_id, end in ends.items()), "the end of every event"
        )
        lane.programs.until(lambda: life.settled(lane) and not lane.spooled(), "the end of what is beside")
        late += life.check(lane)
    except (NotInTime, AssertionError) as error:
        late.append(str(error))
    finally:
        lane.programs.stop()
        if not lane.valkey.answers():  # it did not come to where Redis returns
            lane.return_redis()
    found = lane.findings(ends)
    if late:
        found = replace(found, lost=max(found.lost, 1), wrong=[*late, *found.wrong])
    return Outcome(
        life, strike, found, len(ends), strike is None or lane.watch.struck.is_set(), time.monotonic() - started
    )


def points(lane: Lane, life: Life) -> list[Point]:
    """The messages of a life in which nothing happens, in their order. Raises AssertionError when it fails even so."""
    outcome = live(lane, life, None)
    assert not outcome.findings.wrong, f"{life.name}, without a strike: {outcome.findings.wrong}"
    found = [point for point in lane.watch.seen if point.program == life.struck and life.takes(point)]
    while found[-2:] and all(point.name in _IDLE for point in found[-2:]):
        found.pop()  # a worker without work asks again and again
    return [point for point in (*found, *lane.watch.statements(life.struck)) if point.number <= life.most]


def strikes(of: Sequence[Point]) -> Iterator[Strike]:
    for point in of:
        for when in WHENS:
            # SQLite's answers are not sent, and cannot be lost.
            if not (when == "reply" and point.store == "sqlite"):
                yield Strike(point, when)


@dataclass(slots=True)
class Round:
    """Lives to be lived by several lanes of one database at once; every outcome is told to `tell`."""

    lanes: Sequence[Lane]
    tell: Callable[[Outcome], None]
    until: float
    _work: "queue.SimpleQueue[tuple[Life, Strike]]" = field(default_factory=queue.SimpleQueue)
    _errors: list[BaseException] = field(default_factory=list)

    def run(self, lives: Sequence[tuple[Life, Strike]]) -> None:
        """All of them, or as many as there is time for. Raises what a lane raised."""
        for each in lives:
            self._work.put(each)
        threads = [threading.Thread(target=self._live, args=(lane,)) for lane in self.lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _live(self, lane: Lane) -> None:
        try:
            while time.monotonic() < self.until and not self._errors:
                life, strike = self._work.get_nowait()
                for _ in range(TRIES):
                    outcome = live(lane, life, strike)
                    if outcome.struck or outcome.findings.wrong:
                        break
                self.tell(outcome)
        except queue.Empty:
            pass
        except BaseException as error:
            self._errors.append(error)


def sample(random: random.Random, lives: Sequence[tuple[Life, Strike]], number: int) -> list[tuple[Life, Strike]]:
    return random.sample(lives, min(number, len(lives)))
