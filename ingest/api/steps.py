"""What came in lately, in steps of 15 seconds: for rates, for curves, and for how long answers took.

Part of the tally, which has it written. What is kept goes by itself: a step is gone after STEPS more.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from ingest.queue import keys

#: Seconds of a step.
STEP: Final = 15
#: Whole steps that are kept, 15 minutes; one more runs.
STEPS: Final = 60
#: Upper bounds of the buckets of TOOK in seconds; one more holds what took longer.
BOUNDS: Final = (
    0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.012, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10,
)  # fmt: skip

ACCEPTED: Final = "accepted"
DUPLICATES: Final = "duplicates"
#: Rejected, shed or over a rate.
REFUSED: Final = "refused"
#: In front of a bucket's number: requests of which something was stored.
TOOK: Final = "took:"

_REFUSALS: Final = ("rejected:", "shed:", "limited:")
_KEPT: Final = {ACCEPTED: ACCEPTED, DUPLICATES: DUPLICATES}


class Steps:
    """By a step's number (Unix time over STEP) its fields → events, as `keys.tally_step` tells them."""

    def __init__(self, counts: Mapping[int, Mapping[str, int]] | None = None) -> None:
        self.counts: dict[int, Counter[str]] = {n: Counter(each) for n, each in (counts or {}).items()}

    def add(self, at: float, key: str, source: str, what: str, number: int) -> None:
        """Count events of the tally's field `what`."""
        counted = _KEPT.get(what) or (REFUSED if what.startswith(_REFUSALS) else "")
        if not counted:
            return
        step = self._at(at)
        step[f"|{counted}"] += number
        step[f"s{source}|{counted}"] += number
        step[f"k{key}|{counted}"] += number

    def took(self, at: float, sources: Iterable[str], seconds: float) -> None:
        """Count one request, for each of its sources as well."""
        step, bucket = self._at(at), f"{TOOK}{bisect_left(BOUNDS, seconds)}"
        step[f"|{bucket}"] += 1
        for source in sources:
            step[f"s{source}|{bucket}"] += 1

    def move(self, sources: Collection[str], to: str) -> None:
        """Have the events of these sources counted as another's."""
        for step in self.counts.values() if sources else ():
            for field in list(step):
                place, what = parted(field)
                if place.startswith("s") and place[1:] in sources:
                    step[f"s{to}|{what}"] += step.pop(field)

    def write(self, pipe: Any) -> None:
        """Add them to Redis' with the commands of this pipeline."""
        for number, counter in self.counts.items():
            place = keys.tally_step(number)
            for field, count in counter.items():
                pipe.hincrby(place, field, count)
            pipe.expire(place, STEP * (STEPS + 2))

    def _at(self, at: float) -> Counter[str]:
        number = int(at // STEP)
        if (step := self.counts.get(number)) is None:
            # While Redis is away, and with REDIS=false for good, this process alone has them.
            for old in [each for each in self.counts if each < number - STEPS]:
                del self.counts[old]
            step = self.counts[number] = Counter()
        return step


def numbers(now: float | None = None) -> range:
    """The steps that are kept, the oldest first; the last one runs."""
    last = int((time.time() if now is None else now) // STEP)
    return range(last - STEPS, last + 1)


def parted(field: str) -> tuple[str, str]:
    """A step's field: the place ("", "s" and a source, or "k" and a key's number) and what was counted there."""
    place, _, what = field.rpartition("|")
    return place, what
