"""Milliseconds of the console's pages while much waits and much has failed: the slowest, by its median."""

from collections.abc import Iterator

from bench.ground import Ground
from bench.report import Goal, Row

QUEUED = 300_000
DEAD = 30_000
TIMES = 9


def rows(ground: Ground) -> Iterator[Row]:
    ground.empty()
    queued, dead = ground.size(QUEUED), ground.size(DEAD, tiny=20)
    times = 1 if ground.small else TIMES
    said = ground.run("-m", "bench.ours.pages", str(queued), str(dead), str(times), environment=ground.environment())
    slowest = max(said, key=lambda path: said[path])
    listed = "; ".join(f"{path} {ms:.0f}" for path, ms in said.items())
    name = f"the slowest page at {QUEUED:,} queued and {DEAD:,} dead letters"
    yield Row("pages", name, "ms", "less", said[slowest], goals=(Goal(150),), note=f"ms: {listed}")
