"""Rates, curves and waiting times of what came in lately, from the tally's steps of 15 seconds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final

from ingest.api import steps
from ingest.api.steps import STEP, STEPS

#: Of the slowest requests, this part is left out.
_NINETY_NINE: Final = 0.99
_NOTHING: Final = (0,) * (STEPS + 1)
_NO_REQUESTS: Final[tuple[Mapping[int, int], ...]] = ({},) * (STEPS + 1)
#: Steps of a minute.
_MINUTE: Final = 60 // STEP


@dataclass(frozen=True, slots=True)
class Flow:
    """What came from one source, by one key, or altogether: a number for each step, the oldest first; the last runs."""

    accepted: tuple[int, ...] = _NOTHING
    duplicates: tuple[int, ...] = _NOTHING
    refused: tuple[int, ...] = _NOTHING
    #: For each step, bucket of `steps.BOUNDS` → requests.
    took: tuple[Mapping[int, int], ...] = _NO_REQUESTS
    #: Since the last step began.
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Events accepted a second, over the last 15 to 30 s."""
        return sum(self.accepted[-2:]) / (STEP + self.seconds)

    @property
    def refused_now(self) -> float | None:
        """Percentage over the same time; None: nothing came."""
        return _percentage(sum(self.refused[-2:]), sum(self._received(-2)))

    @property
    def duplicates_now(self) -> float | None:
        """Of what was stored over the same time, the percentage that was seen before."""
        again = sum(self.duplicates[-2:])
        return _percentage(again, again + sum(self.accepted[-2:]))

    @property
    def p99(self) -> float | None:
        """Seconds in which 99 % of the requests of 15 minutes had their answer; None: there were none."""
        return quantile(self.took)

    @property
    def p99_now(self) -> float | None:
        """The same of the last minute."""
        return quantile(self.took[-_MINUTE - 1 :])

    @property
    def rates(self) -> list[float]:
        """Events accepted a second, of the whole steps."""
        return [round(number / STEP, 2) for number in self.accepted[:-1]]

    @property
    def refused_percents(self) -> list[float]:
        return [
            round(_percentage(part, of) or 0.0, 1) for part, of in zip(self.refused, self._received(0), strict=True)
        ][:-1]

    @property
    def duplicate_percents(self) -> list[float]:
        parts = zip(self.duplicates, self.accepted, strict=True)
        return [round(_percentage(again, again + new) or 0.0, 1) for again, new in parts][:-1]

    @property
    def p99s(self) -> list[float]:
        """Seconds, of the whole steps; 0 where nothing was sent."""
        return [round(quantile([each]) or 0.0, 4) for each in self.took[:-1]]

    def _received(self, start: int) -> list[int]:
        return [sum(each) for each in list(zip(self.accepted, self.duplicates, self.refused, strict=True))[start:]]


def flows(found: Mapping[int, Mapping[str, int]], now: float) -> dict[str, Flow]:
    """By place ("", "s" and a source, "k" and a key's number), given the steps' fields by their numbers."""
    kept = steps.numbers(now)
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * len(kept)))
    took: dict[str, list[Counter[int]]] = defaultdict(lambda: [Counter() for _ in kept])
    for index, number in enumerate(kept):
        for name, count in found.get(number, {}).items():
            place, what = steps.parted(name)
            if what.startswith(steps.TOOK):
                took[place][index][int(what.removeprefix(steps.TOOK))] += count
            else:
                counts[place][what][index] += count
    seconds = now - kept[-1] * STEP
    return {
        place: Flow(
            accepted=tuple(each.get(steps.ACCEPTED, _NOTHING)),
            duplicates=tuple(each.get(steps.DUPLICATES, _NOTHING)),
            refused=tuple(each.get(steps.REFUSED, _NOTHING)),
            took=tuple(took.get(place, _NO_REQUESTS)),
            seconds=seconds,
        )
        for place, each in counts.items()
    }


def quantile(took: Iterable[Mapping[int, int]], part: float = _NINETY_NINE) -> float | None:
    """Seconds, straight between the bounds of the bucket that it falls into; the last bucket has no upper one."""
    buckets: Counter[int] = Counter()
    for each in took:
        buckets.update(each)
    wanted = part * buckets.total()
    if not wanted:
        return None
    below = 0
    edges: Sequence[tuple[float, float]] = [*pairwise(chain((0.0,), steps.BOUNDS)), (steps.BOUNDS[-1],) * 2]
    for bucket, (low, high) in enumerate(edges):
        here = buckets[bucket]
        if here and below + here >= wanted:
            return low + (high - low) * (wanted - below) / here
        below += here
    return steps.BOUNDS[-1]


def _percentage(part: int, of: int) -> float | None:
    return 100 * part / of if of else None
