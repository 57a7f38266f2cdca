"""When a failed job runs again."""

import random
from typing import Final

#: Spread around each delay: jobs that failed together must not come back together.
JITTER: Final = 0.1


def exponential(first: float, times: int, factor: float = 2.0) -> tuple[float, ...]:
    """The delays, in seconds, of `times` retries: `first`, then each `factor` times the one before."""
    return tuple(first * factor**number for number in range(times))


def jitter() -> float:
    """A factor between 0.9 and 1.1 for one delay. A delay of 0 stays 0."""
    return random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - a spread, not a secret
