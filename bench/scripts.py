"""The slowest call of any script while 100,000 jobs are queued, by Redis' own slow log.

Redis runs one script at a time, so everybody waits behind a slow one. The log counts the time on the wall: on a busy
machine it holds what others took of it as well, so the note has medians beside.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterator

from bench.contestants import Ours
from bench.ground import Ground
from bench.report import Goal, Row

QUEUED = 100_000
ROUNDS = 20


def rows(ground: Ground) -> Iterator[Row]:
    ours = Ours(ground)
    ground.empty()
    _log_all(ground)
    ours.fill(ground.size(QUEUED, tiny=1_500), "nothing")
    names = ground.run(
        "-m", "bench.ours.operate", "1" if ground.small else str(ROUNDS), environment=ground.environment()
    )  # fmt: skip
    times: dict[str, list[float]] = defaultdict(list)
    for entry in ground.redis.slowlog_get(-1):
        words = entry["command"].split()
        if words[0] == b"EVALSHA":
            times[names.get(words[1].decode(), "another")].append(entry["duration"] / 1000)
    slowest = {name: max(each) for name, each in times.items()}
    told = sorted(times, key=lambda name: -slowest[name])
    note = "slowest / median: " + ", ".join(
        f"{name} {slowest[name]:.2f} / {statistics.median(times[name]):.2f}" for name in told
    )
    name = f"the slowest script call at {QUEUED:,} queued"
    yield Row("scripts", name, "ms", "less", max(slowest.values()), (), (Goal(5),), note)


def _log_all(ground: Ground) -> None:
    ground.redis.config_set("slowlog-max-len", 1_000_000)
    ground.redis.config_set("slowlog-log-slower-than", 0)
    ground.redis.slowlog_reset()
