"""How long jobs waited and ran lately, from the histograms that the queue's scripts count in. Pure but for reading."""

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import redis

from ingest.queue import keys
from ingest.reading.fields import text
from queueadmin.console.figures.snapshot import Took

#: Percentiles are of what ended in so many seconds, or since the first look.
WINDOW: Final = 300.0

_EDGES: Final = (*pairwise((0.0, *keys.BUCKETS)), (keys.BUCKETS[-1],) * 2)
#: Queue → bucket → jobs.
_Counts = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    waits: _Counts
    runs: _Counts


class Lately:
    """The histograms only grow, so what was counted lately is the difference of two looks."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()

    def look(self, client: redis.Redis, *, now: float | None = None) -> tuple[Took, ...]:
        """Each queue of which a job ended lately. Raises RedisError."""
        waits, runs = counted(client)
        new = _Look(time.monotonic() if now is None else now, waits, runs)
        looks = self._looks
        if looks and _fell(looks[-1], new):
            looks.clear()  # Redis came back empty
        looks.append(new)
        # The oldest that is kept is the first at least a window old.
        while len(looks) > 2 and new.at - looks[1].at >= WINDOW:
            looks.popleft()
        old = looks[0]
        told = []
        for queue in sorted({*waits, *runs}):
            waited = _difference(old.waits.get(queue, {}), waits.get(queue, {}))
            ran = _difference(old.runs.get(queue, {}), runs.get(queue, {}))
            if waited or ran:
                told.append(
                    Took(
                        queue,
                        percentile(waited, 0.5),
                        percentile(waited, 0.95),
                        percentile(ran, 0.5),
                        percentile(ran, 0.95),
                    )
                )
        return tuple(told)


def counted(client: redis.Redis) -> tuple[dict[str, dict[int, int]], dict[str, dict[int, int]]]:
    """How long jobs waited and ran, ever: queue → bucket → jobs. Raises RedisError."""
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(keys.WAIT)
    pipe.hgetall(keys.RUN)
    waits, runs = map(_by_queue, pipe.execute())
    return waits, runs


def percentile(counts: Mapping[int, int], part: float) -> float | None:
    """Seconds within which so large a part ended, by linear interpolation in its bucket; None: none did."""
    total = sum(counts.values())
    if not total:
        return None
    left = part * total
    for bucket in sorted(counts):
        if counts[bucket] >= left:
            low, high = _EDGES[min(bucket, len(_EDGES) - 1)]
            return round(low + (high - low) * left / counts[bucket], 4)
        left -= counts[bucket]
    return _EDGES[-1][0]


def _by_queue(answer: Mapping[Any, Any]) -> dict[str, dict[int, int]]:
    """Over all kinds; the sums of milliseconds stand beside the buckets."""
    queues: dict[str, dict[int, int]] = {}
    for name, count in answer.items():
        # A kind may hold any sign but the bar.
        queue, *_, bucket = text(name).split("|")
        if bucket.isdecimal():
            counts = queues.setdefault(queue, {})
            counts[int(bucket)] = counts.get(int(bucket), 0) + int(count)
    return queues


def _difference(old: Mapping[int, int], new: Mapping[int, int]) -> Counter[int]:
    return Counter(new) - Counter(old)


def _fell(old: _Look, new: _Look) -> bool:
    """Whether anything was counted less than before."""
    pairs = ((old.waits, new.waits), (old.runs, new.runs))
    return any(
        count > now.get(queue, {}).get(bucket, 0)
        for then, now in pairs
        for queue, counts in then.items()
        for bucket, count in counts.items()
    )
