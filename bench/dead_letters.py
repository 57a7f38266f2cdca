"""The page of dead letters, causes and searches, at 100,000 and at a million; and what their index costs."""

from collections.abc import Iterator

from bench.ground import DATABASES, Database, Ground
from bench.report import Goal, Row

SIZES = (100_000, 1_000_000)
TIMES = 9
#: Milliseconds that the first size may take: a page or list, and a search.
PAGE_MS, SEARCH_MS = 300, 500


def rows(ground: Ground) -> Iterator[Row]:
    ground.empty()
    for size in SIZES:
        for database in DATABASES:
            yield from _at(ground, size, database)
            if ground.small:  # one of them is enough
                return


def _at(ground: Ground, size: int, database: Database) -> Iterator[Row]:
    """The same dead letters for both databases, and a larger size has those of the smaller one."""
    count, times = ground.size(size), 1 if ground.small else TIMES
    environment = ground.environment(database)
    said = ground.run("-m", "bench.ours.dead_letters", str(count), str(times), environment=environment)
    at = f"at {size:,} dead letters, {database}"
    if index := said["index"]:
        yield Row("dead letters", f"indexing one, {at}", "µs of a core", "less", index["us"], note=index["note"])
    for what, most in (("pages", PAGE_MS), ("searches", SEARCH_MS)):
        taken: dict[str, float] = said[what]
        slowest = max(taken, key=lambda path: taken[path])
        listed = "; ".join(f"{path} {ms:.0f}" for path, ms in taken.items())
        goals = (Goal(most),) if size == SIZES[0] else ()
        name = f"the slowest of the {what} {at}"
        yield Row("dead letters", name, "ms", "less", taken[slowest], goals=goals, note=f"ms: {listed}")
