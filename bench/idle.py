"""An idle worker: how soon it starts what comes, and what waiting costs."""

import statistics
import time
from collections.abc import Iterator

from bench.contestants import ENQUEUED, PEERS, STARTED, Contestant, Ours, beside
from bench.ground import Ground, wait_until
from bench.report import Goal, Peer, Row

#: Seconds between two jobs: long enough for a worker to go back to waiting, and no multiple of anybody's poll.
PAUSE = 0.137


def rows(ground: Ground) -> Iterator[Row]:
    idle_percent: dict[str, float] = {}

    def measure(contestant: Contestant) -> float:
        ground.empty()
        count = 3 if ground.small else max(20, int(4 * ground.seconds))
        worker = contestant.work()
        try:
            # The first job finds everything imported and connected.
            contestant.trickle(1, 0, "stamp")
            wait_until(lambda: ground.redis.llen(STARTED) == 1 or worker.ended(), seconds=60, what="the first job")
            if worker.ended():
                raise worker.why()
            ground.redis.delete(ENQUEUED, STARTED)
            contestant.trickle(count, PAUSE, "stamp")
            wait_until(lambda: ground.redis.llen(STARTED) == count, seconds=60, what="the last job")
            begin, used = time.perf_counter(), worker.processor_seconds()
            time.sleep(0.2 if ground.small else 2 * ground.seconds)
            used = worker.processor_seconds() - used
            idle_percent[contestant.name] = 100 * used / (time.perf_counter() - begin)
        finally:
            worker.stop()
        return 1000 * statistics.median(
            started - enqueued
            for enqueued, started in zip(_times(ground, ENQUEUED), _times(ground, STARTED), strict=True)
        )

    ours = measure(Ours(ground))
    peers = beside(ground, measure, *PEERS)
    yield Row("idle", "from enqueue to start, idle worker, median", "ms", "less", ours, peers, (Goal(20),))
    yield Row(
        "idle", "processor of an idle worker", "% of a core", "less", idle_percent["this project"],
        tuple(Peer(peer.name, idle_percent.get(peer.name), peer.note) for peer in peers), (Goal(1),),
    )  # fmt: skip


def _times(ground: Ground, name: str) -> list[float]:
    return sorted(float(each) for each in ground.redis.lrange(name, 0, -1))
