"""How long jobs waited and ran, kept: histograms of 10 s for a day and of 10 min for 30 days, in two Redis lists.

Histograms and not percentiles, since those of a longer time cannot be had from those of its parts. A time in which
no job ended has no row. Its bounds: 8,640 + 4,320 rows of about 300 bytes, 4 MB.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import msgspec
import redis

from ingest.queue import keys
from queueadmin.console.figures import percentiles

#: Seconds of a row, and how many rows are kept.
LEVELS: Final = ((10, 8_640), (600, 4_320))
#: The longest window, 30 days.
LONGEST: Final = LEVELS[-1][0] * LEVELS[-1][1]
#: Rows of an answer at most: as many as a chart of half a screen has points for.
POINTS: Final = 180
#: Which of a hundred jobs is told, as a part of one.
PARTS: Final = (0.5, 0.95, 0.99)
COLUMNS: Final = ("at", "jobs", "wait_p50", "wait_p95", "wait_p99", "run_p50", "run_p95", "run_p99")

_Sparse = list[int]
#: Unix time of its end, and for each queue bucket and jobs in turns, of waits and of runs.
_Row = tuple[float, dict[str, tuple[_Sparse, _Sparse]]]
_DECODER: Final = msgspec.json.Decoder(list[_Row])
_SEEN: Final = msgspec.json.Decoder(tuple[float, dict[str, dict[int, int]], dict[str, dict[int, int]]])


@dataclass(slots=True)
class _Ended:
    """Jobs by the bucket of how long they waited, and ran."""

    waits: Counter[int] = field(default_factory=Counter)
    runs: Counter[int] = field(default_factory=Counter)

    def add(self, waits: _Sparse, runs: _Sparse) -> None:
        for counts, sparse in ((self.waits, waits), (self.runs, runs)):
            for bucket, count in zip(sparse[::2], sparse[1::2], strict=True):
                counts[bucket] += count


class Writer:
    """Keeps what was counted since the last row, also across restarts. One process writes at a time."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        #: The place of the last row; None: not looked yet.
        self._place: int | None = None

    def write(self, at: float) -> None:
        """Keep a row when its ten seconds are over. Raises redis.RedisError."""
        (step, _), (longer, _) = LEVELS
        place = int(at // step)
        if place == self._place:
            return
        waits, runs = percentiles.counted(self._client)
        before = self._client.get(keys.LATENCIES_SEEN)
        rows: list[tuple[int, _Row]] = []
        if before is not None:
            _, old_waits, old_runs = _SEEN.decode(before)
            if fresh := _difference(old_waits, waits, old_runs, runs):
                rows.append((step, (round(at, 1), fresh)))
        if self._place is None or place * step // longer != self._place * step // longer:
            rows += [(longer, row) for row in self._missing(before=at // longer * longer)]
        pipe = self._client.pipeline(transaction=True)
        pipe.set(keys.LATENCIES_SEEN, msgspec.json.encode((at, waits, runs)))
        for level, row in rows:
            pipe.rpush(keys.latencies(level), json.dumps(row, separators=(",", ":")))
        for level, most in LEVELS:
            pipe.ltrim(keys.latencies(level), -most, -1)
        pipe.execute()
        self._place = place

    def _missing(self, before: float) -> Iterator[_Row]:
        """The longer rows up to a moment that are not there yet."""
        (finer, most), (longer, _) = LEVELS
        last = _decoded(self._client.lrange(keys.latencies(longer), -1, -1))
        after = (last[-1][0] // longer + 1) * longer if last else 0.0
        wanted = 2 * longer // finer if self._place is not None else most
        rows = _decoded(self._client.lrange(keys.latencies(finer), -wanted, -1))
        for group in _grouped([row for row in rows if after <= row[0] < before], longer):
            queues: dict[str, _Ended] = {}
            for _, each in group:
                for queue, sparse in each.items():
                    queues.setdefault(queue, _Ended()).add(*sparse)
            yield group[-1][0], {name: (_sparse(ended.waits), _sparse(ended.runs)) for name, ended in queues.items()}


def window(
    client: redis.Redis, seconds: int, queue: str | None = None, *, now: float | None = None
) -> tuple[int, list[list[float | None]]]:
    """The rows of the last so many seconds in the order of COLUMNS, the oldest first, and of how many seconds one is.

    Of one queue, or of all together. Seconds; None where no job was claimed, or none ended. A time in which nothing
    happened has no row. Raises redis.RedisError.
    """
    since = (time.time() if now is None else now) - seconds
    level, _ = next((each for each in LEVELS if seconds <= each[0] * each[1]), LEVELS[-1])
    rows = _decoded(client.lrange(keys.latencies(level), -(seconds // level + 1), -1))
    step = level * -(-seconds // (level * POINTS))
    made: list[list[float | None]] = []
    for group in _grouped([row for row in rows if row[0] > since], step):
        ended = _Ended()
        for _, queues in group:
            for sparse in (queues.get(queue, ([], [])),) if queue is not None else queues.values():
                ended.add(*sparse)
        if ended.waits or ended.runs:
            told = [percentiles.percentile(counts, part) for counts in (ended.waits, ended.runs) for part in PARTS]
            made.append([group[-1][0], ended.runs.total(), *told])
    return step, made


def _difference(
    old_waits: Mapping[str, Mapping[int, int]],
    waits: Mapping[str, Mapping[int, int]],
    old_runs: Mapping[str, Mapping[int, int]],
    runs: Mapping[str, Mapping[int, int]],
) -> dict[str, tuple[_Sparse, _Sparse]]:
    """What each queue counted more; of a Redis that came back with less, all that it has."""
    told = {}
    for queue in sorted({*waits, *runs}):
        more = [
            _sparse(_more(old.get(queue, {}), new.get(queue, {})))
            for old, new in ((old_waits, waits), (old_runs, runs))
        ]
        if more[0] or more[1]:
            told[queue] = (more[0], more[1])
    return told


def _more(old: Mapping[int, int], new: Mapping[int, int]) -> Counter[int]:
    fell = any(count > new.get(bucket, 0) for bucket, count in old.items())
    return Counter(new) if fell else Counter(new) - Counter(old)


def _sparse(counts: Mapping[int, int]) -> _Sparse:
    return [number for bucket in sorted(counts) for number in (bucket, counts[bucket])]


def _grouped(rows: Iterable[_Row], step: int) -> Iterator[list[_Row]]:
    for _, group in groupby(rows, key=lambda row: row[0] // step):
        yield list(group)


def _decoded(rows: Any) -> list[_Row]:
    return _DECODER.decode(b"[" + b",".join(rows) + b"]") if rows else []
