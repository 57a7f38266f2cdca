"""Milliseconds of a page of /alerts/ with 300,000 problems: the slowest of all filters, by its median."""

from collections.abc import Iterator

from bench.ground import DATABASES, Ground, Unmeasured
from bench.report import Goal, Row

PROBLEMS = 300_000
TIMES = 7


def rows(ground: Ground) -> Iterator[Row]:
    for database in DATABASES:
        name = f"/alerts/ with {PROBLEMS:,} problems in {database}, slowest filter"
        try:
            ground.forget_events()
            count, times = ground.size(PROBLEMS), 1 if ground.small else TIMES
            environment = ground.environment(database)
            said = ground.run("-m", "bench.ours.alerts", str(count), str(times), environment=environment)
        except Unmeasured as error:
            yield Row("alerts", name, "ms", "less", None, note=str(error))
            continue
        slowest = max(said, key=lambda text: said[text])
        listed = "; ".join(f"{text or 'none'} {ms:.0f}" for text, ms in said.items())
        yield Row("alerts", name, "ms", "less", said[slowest], goals=(Goal(300),), note=f"page by filter, ms: {listed}")
