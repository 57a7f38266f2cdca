"""Bytes of Redis' memory that one queued alert takes."""

from collections.abc import Iterator

from bench.contestants import BullMQ, Celery, Contestant, Dramatiq, Enqueuing, Ours, beside
from bench.ground import Ground
from bench.report import Goal, Row

JOBS = 20_000
#: Before the first look: scripts are loaded by the first call (0.5 MB), and are no job's either.
WARM = 100
#: Of peers that enqueue one at a time: it takes long, and each costs the same.
JOBS_SINGLY = 5_000


def rows(ground: Ground) -> Iterator[Row]:
    def measure(contestant: Contestant) -> float:
        ground.empty()
        contestant.fill(WARM, "nothing")
        before = _used(ground)
        count = ground.size(JOBS_SINGLY if isinstance(contestant, Celery | Dramatiq) else JOBS)
        contestant.fill(count, "nothing")
        return (_used(ground) - before) / count

    ours = measure(Ours(ground))
    yield Row(
        "memory", "Redis memory of a queued 0.9 KB alert", "bytes", "less", ours,
        beside(ground, measure, Enqueuing, Celery, Dramatiq, BullMQ), (Goal(1_024),),
    )  # fmt: skip


def _used(ground: Ground) -> float:
    # The buffers of connections come and go and are nobody's job.
    info = ground.redis.info("memory")
    return float(info["used_memory"]) - float(info["mem_clients_normal"])
