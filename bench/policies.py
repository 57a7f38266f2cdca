"""What policies for dead letters cost: how many go in a second when all are due, and a look that finds nothing due."""

from collections.abc import Iterator

from bench.ground import DATABASES, Ground
from bench.report import Row

DEAD = 100_000
TIMES = 5


def rows(ground: Ground) -> Iterator[Row]:
    # A smoke needs one of them.
    for database in DATABASES[:1] if ground.small else DATABASES:
        ground.empty()
        count, times = ground.size(DEAD), 1 if ground.small else TIMES
        said = ground.run("-m", "bench.ours.policies", str(count), str(times), environment=ground.environment(database))
        at = f"at {DEAD:,} dead letters, {database}"
        note = f"{said['us']:.0f} µs of a core each, without Redis' and the database's own"
        yield Row("policies", f"removed by a policy {at}", "jobs/s", "more", count / said["seconds"], note=note)
        listed = "; ".join(f"{what} {ms:.1f}" for what, ms in said["nothing"].items())
        slowest = max(said["nothing"].values())
        yield Row("policies", f"a look that removes nothing {at}", "ms", "less", slowest, note=f"ms: {listed}")
