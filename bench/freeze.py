"""How long the set of a replay takes to be written down, and what it takes; with a million it must still be usable."""

from collections.abc import Iterator

from bench.ground import Ground
from bench.report import Goal, Row

SIZES = (100_000, 1_000_000)
#: Beyond what the process had: the set itself is never in memory.
MOST_MIB = 64


def rows(ground: Ground) -> Iterator[Row]:
    # A smoke needs one of them.
    for size in SIZES[:1] if ground.small else SIZES:
        ground.empty()
        said = ground.run("-m", "bench.ours.freeze", str(ground.size(size)), environment=ground.environment())
        pages = "; ".join(f"{path} {ms:.0f}" for path, ms in said["pages"].items())
        note = f"{said['worked']:.2f} s of a core; the longest step {said['step']:.2f} s; then ms: {pages}"
        yield Row("freeze", f"set of {size:,} written down", "s", "less", said["seconds"], note=note)
        yield Row(
            "freeze", f"memory for a set of {size:,}", "MiB", "less", said["mib"], goals=(Goal(MOST_MIB),)
        )  # fmt: skip
