"""How many jobs a worker takes at a time."""

from typing import Final

#: Seconds of work in one batch: a batch of low must not hold critical back for longer.
BATCH_SECONDS: Final = 1.0
#: Weight of the newest measurement in the average.
WEIGHT: Final = 0.5


class Pace:
    """About a second of work by the time measured for each kind, and never more than `most` jobs."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seconds: dict[str, float] = {}  # for one job, by kind
        self._mixed = 0.0  # for one job of what came last

    @property
    def limit(self) -> int:
        """How many to claim: what comes next is probably what came last."""
        return self._fitting(self._mixed, BATCH_SECONDS)

    def slice(self, kind: str, seconds: float) -> int:
        """How many of a kind fit into `seconds`; perhaps none. One of a kind that was never measured."""
        one = self._seconds.get(kind)
        return 1 if one is None else self._fitting(one, seconds, least=0)

    def ran(self, kind: str, jobs: int, seconds: float) -> None:
        """Learn from jobs that ran together."""
        one = seconds / jobs
        before = self._seconds.get(kind, one)
        self._seconds[kind] = before + WEIGHT * (one - before)
        self._mixed += WEIGHT * (one - self._mixed)

    def _fitting(self, one: float, seconds: float, *, least: int = 1) -> int:
        if seconds <= 0:
            return least
        return self._most if one * self._most <= seconds else max(least, int(seconds / one))
