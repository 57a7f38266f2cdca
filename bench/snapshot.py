"""Milliseconds of one snapshot, the counts behind every page, while more and more jobs are queued."""

from collections.abc import Iterator

from bench.contestants import Ours
from bench.ground import Ground
from bench.report import Goal, Peer, Row

QUEUED = (0, 100_000, 1_000_000)


def rows(ground: Ground) -> Iterator[Row]:
    ours = Ours(ground)
    ground.empty()
    queued = 0
    for wanted in QUEUED:
        count = ground.size(wanted, tiny=wanted // 10_000)
        if count > queued:
            ours.fill(count - queued, "nothing")
            queued = count
        said = ground.run("-m", "bench.ours.look", "3" if ground.small else "100", environment=ground.environment())
        peer = Peer("django-rq's statistics", said["django_rq"])
        yield Row("snapshot", f"a snapshot at {wanted:,} queued", "ms", "less", said["snapshot"], (peer,), (Goal(5),))
