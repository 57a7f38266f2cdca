"""The page of dead letters, causes and searches, at 100,000 and at a million; and what their index costs."""

from collections.abc import Iterator

from bench.ground import DATABASES, Ground
from bench.report import Goal, Row

SIZES = (100_000, 1_000_000)
TIMES = 9
#: Milliseconds that the first size may take: a page or list, and a search.
PAGE_MS, SEARCH_MS = 300, 500


def rows(ground: Ground) -> Iterator[Row]:
    # A smoke needs one of them.
    for database in DATABASES[:1] if ground.small else DATABASES:
        for size in SIZES[:1] if ground.small else SIZES:
            ground.empty()
            count, times = ground.size(size), 1 if ground.small else TIMES
            environment = ground.environment(database)
            said = ground.run("-m", "bench.ours.dead_letters", str(count), str(times), environment=environment)
            at = f"at {size:,} dead letters, {database}"
            index = said["index"]
            yield Row("dead letters", f"indexing one, {at}", "µs of a core", "less", index["us"], note=index["note"])
            is_first = size == SIZES[0]
            for what, most in (("pages", PAGE_MS), ("searches", SEARCH_MS)):
                taken: dict[str, float] = said[what]
                slowest = max(taken, key=lambda path, taken=taken: taken[path])  # type: ignore[misc]
                listed = "; ".join(f"{path} {ms:.0f}" for path, ms in taken.items())
                goals = (Goal(most),) if is_first else ()
                name = f"the slowest of the {what} {at}"
                yield Row("dead letters", name, "ms", "less", taken[slowest], goals=goals, note=f"ms: {listed}")
