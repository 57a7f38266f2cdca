"""What the counts were: 15 minutes second by second, a day by 10 s, 30 days by minutes, in three Redis lists.

A coarser row is made of the finer ones that are kept, when its time is over, so that a restart of the publisher
loses none. Its bounds: 900 + 8,640 + 43,200 rows of about 150 bytes, 8 MB.
"""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final

import msgspec
import redis
from django.conf import settings

from ingest.queue import keys
from queueadmin.console import static_files
from queueadmin.console.figures.snapshot import Snapshot

Row = list[float]


@dataclass(frozen=True, slots=True)
class Level:
    """Rows of one length of time."""

    #: Seconds of a row.
    step: int
    rows: int

    @property
    def seconds(self) -> int:
        return self.step * self.rows


#: Seconds between rows of the finest level, which the socket sends first.
STEP: Final = 1
LEVELS: Final = (Level(STEP, 900), Level(10, 8_640), Level(60, 43_200))
#: 15 minutes.
ROWS: Final = LEVELS[0].rows
#: The longest window, 30 days.
LONGEST: Final = LEVELS[-1].seconds
#: Rows of an answer: about as many as a wide screen has points for.
POINTS: Final = 900

_DECODER: Final = msgspec.json.Decoder(list[Row])


def columns() -> list[str]:
    """What stands where in a row. Depths are under the queues' names."""
    names = list(settings.PRIORITIES)
    waits = [f"wait_{name}" for name in names]
    totals = ["started", "in_rate", "out_rate", "dead_per_minute", "failed", "busy", "oldest_wait"]
    # New ones at the end: rows of before an update have fewer.
    return ["at", *names, *totals, *waits, "spool"]


def row(snapshot: Snapshot) -> Row:
    totals = snapshot.totals
    return [
        round(snapshot.at, 1),
        *(q.depth for q in snapshot.queues),
        totals.started,
        totals.in_rate,
        totals.out_rate,
        totals.dead_per_minute,
        totals.failed,
        snapshot.workers.busy,
        totals.oldest_wait.seconds if totals.oldest_wait else 0,
        *(q.oldest_wait for q in snapshot.queues),
        snapshot.spool.count,
    ]


class Writer:
    """Keeps each snapshot and rolls rows up. One process writes at a time."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        #: The last snapshot's place in each coarser level; empty: nothing was written yet.
        self._places: dict[int, int] = {}

    def write(self, snapshot: Snapshot) -> None:
        """Keep the snapshot as the latest and as one row. Raises redis.RedisError."""
        pipe = self._client.pipeline(transaction=True)
        pipe.set(keys.SNAPSHOT, snapshot.as_json())
        _push(pipe, LEVELS[0], row(snapshot))
        fresh: list[Row] = []
        for finer, coarser in pairwise(LEVELS):
            place = int(snapshot.at // coarser.step)
            if self._places.get(coarser.step) != place:
                # What the finer level gets by this same pipeline is not there yet.
                fresh = list(self._missing(finer, coarser, fresh, before=place * coarser.step))
                for rolled in fresh:
                    _push(pipe, coarser, rolled)
        pipe.execute()
        self._places = {level.step: int(snapshot.at // level.step) for level in LEVELS[1:]}

    def _missing(self, finer: Level, coarser: Level, fresh: list[Row], before: float) -> Iterator[Row]:
        """The coarser level's rows up to a moment that it has not yet, as far as the finer rows reach back."""
        last = _decoded(self._client.lrange(keys.history(coarser.step), -1, -1))
        after = (last[-1][0] // coarser.step + 1) * coarser.step if last else 0.0
        # What is asked for once in a step is a step's rows; after a pause, all.
        known = coarser.step in self._places
        wanted = 2 * coarser.step // finer.step if known else finer.rows
        rows = _decoded(self._client.lrange(keys.history(finer.step), -wanted, -1)) + fresh
        yield from _rolled([each for each in rows if after <= each[0] < before], coarser.step)


def moment(text: str) -> float:
    """What somebody gives as Unix time; 0 when it is none."""
    try:
        given = float(text)
    except ValueError:
        return 0.0
    return given if math.isfinite(given) else 0.0


def frame(client: redis.Redis | None, *, after: float = 0.0) -> str:
    """The socket's first frame, or, for one that missed some, the rows later than `after`.

    All are joined as they are, and none is parsed. Empty while Redis is away, or None.
    """
    # A minute for clocks that do not agree.
    wanted = min(ROWS, int(max(0.0, time.time() - after)) + 60) if after < math.inf else 0
    try:
        rows = client.lrange(keys.HISTORY, -wanted, -1) if client and wanted else []
    except redis.RedisError:
        rows = []
    if after:
        rows = [text for text, (at, *_) in zip(rows, _decoded(rows), strict=True) if at > after]
    head = json.dumps({"type": "history", "step": STEP, "columns": columns(), "release": static_files.release()})
    return f'{head[:-1]},"rows":[{",".join(map(_text, rows))}]}}'


def published(client: redis.Redis) -> str | None:
    """The latest snapshot as the publisher wrote it; None: nobody publishes. Raises redis.RedisError."""
    pipe = client.pipeline(transaction=False)
    pipe.get(keys.SNAPSHOT)
    pipe.exists(keys.PUBLISHER)
    text, is_led = pipe.execute()
    return _text(text) if text and is_led else None


def window(client: redis.Redis, seconds: int, *, now: float | None = None) -> tuple[int, list[Row]]:
    """The rows of the last so many seconds, at most POINTS, the oldest first, and of how many seconds one is.

    Depths and rates are means, waits the longest of a row's time. Raises redis.RedisError.
    """
    since = (time.time() if now is None else now) - seconds
    level = next((level for level in LEVELS if seconds <= level.seconds), LEVELS[-1])
    rows = _decoded(client.lrange(keys.history(level.step), -(seconds // level.step + 1), -1))
    rows = [each for each in rows if each[0] > since]
    step = level.step * -(-seconds // (level.step * POINTS))
    return step, rows if step == level.step else list(_rolled(rows, step))


def _push(pipe: Any, level: Level, values: Row) -> None:
    key = keys.history(level.step)
    pipe.rpush(key, json.dumps(values, separators=(",", ":")))
    pipe.ltrim(key, -level.rows, -1)


def _rolled(rows: Sequence[Row], step: int) -> Iterator[Row]:
    """One row for each `step` seconds in which there are any."""
    longest = [name == "oldest_wait" or name.startswith("wait_") for name in columns()]
    for _, group in groupby(rows, key=lambda each: each[0] // step):
        merged = list(group)
        # Rows of before an update have fewer columns.
        width = min(map(len, merged))
        values = zip(*(each[:width] for each in merged), strict=True)
        count = len(merged)
        made = [max(each) if most else round(sum(each) / count, 2) for most, each in zip(longest, values, strict=False)]
        # The last one's time, as a snapshot stands at the end of what its rates are of.
        yield [merged[-1][0], *made[1:]]


def _decoded(rows: Any) -> list[Row]:
    return _DECODER.decode(b"[" + b",".join(rows) + b"]") if rows else []


def _text(text: bytes | str) -> str:
    return text.decode() if isinstance(text, bytes) else text
