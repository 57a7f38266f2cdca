"""How many were released, succeeded and failed again in each stretch of a replay: what its chart shows. Pure.

It is a part of the replay's row, saved with the counts that it splits, so that both survive the same crashes. A replay
of seconds has stretches of a second; one of days has longer ones, never more than MOST of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from queueadmin.console.models import Replay

#: Stretches of a replay at most; with one more, neighbours become one that is twice as long. Even.
MOST: Final = 120
#: What is counted, in the order in which a row has it.
RELEASED, SUCCEEDED, FAILED = range(3)


@dataclass(frozen=True, slots=True)
class Stretch:
    at: datetime
    seconds: int
    released: int
    succeeded: int
    failed: int

    @property
    def end(self) -> datetime:
        return self.at + timedelta(seconds=self.seconds)


def note(replay: Replay, what: int, count: int, now: datetime) -> None:
    """Add to the stretch that `now`, by Redis' clock, is in."""
    if not count:
        return
    seconds: int = replay.pace.get("seconds", 1)
    counted: dict[str, list[int]] = replay.pace.get("counted", {})
    elapsed = max((now - _began(replay)).total_seconds(), 0)
    while elapsed // seconds >= MOST:
        seconds, counted = seconds * 2, _halved(counted)
    counts = counted.setdefault(str(int(elapsed // seconds)), [0, 0, 0])
    counts[what] += count
    replay.pace = {"seconds": seconds, "counted": counted}


def stretches(replay: Replay) -> Iterator[Stretch]:
    """From its beginning to the last in which something happened, also those without anything."""
    counted: Mapping[str, list[int]] = replay.pace.get("counted", {})
    seconds: int = replay.pace.get("seconds", 1)
    for place in range(max(map(int, counted), default=-1) + 1):
        at = _began(replay) + timedelta(seconds=place * seconds)
        yield Stretch(at, seconds, *counted.get(str(place), (0, 0, 0)))


def shown(replay: Replay) -> list[dict[str, Any]]:
    """For the API: those in which something happened."""
    return [
        {"at": s.at, "seconds": s.seconds, "released": s.released, "succeeded": s.succeeded, "failed_again": s.failed}
        for s in stretches(replay)
        if s.released or s.succeeded or s.failed
    ]


def _began(replay: Replay) -> datetime:
    return replay.frozen_at or replay.created_at


def _halved(counted: Mapping[str, list[int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, counts in counted.items():
        here = found.setdefault(str(int(place) // 2), [0, 0, 0])
        for what, count in enumerate(counts):
            here[what] += count
    return found
