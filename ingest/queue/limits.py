"""Rate limits: how many jobs of one kind, source or tenant may be claimed in a window of time.

The rules are kept here; claim obeys them and holds the surplus back, in its order, until the next window.
A window begins with its first claim and ends `seconds` later (BullMQ's `limiter: {max, duration}`).
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import redis

from ingest.queue import keys

Dimension = Literal["kind", "source", "tenant"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
#: As a value: each value has a window of its own.
EACH: Final = "*"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` claims in `seconds`, of the jobs whose `dimension` is `value`."""

    dimension: Dimension
    value: str
    most: int
    seconds: float


def set_limit(connection: redis.Redis, limit: Limit) -> None:
    """In force from the next claim on. Raises ValueError for what is no limit."""
    if limit.dimension not in DIMENSIONS:
        raise ValueError(f"dimension must be one of {', '.join(DIMENSIONS)}, not {limit.dimension!r}")
    if not limit.value:
        raise ValueError("value must not be empty; '*' gives each value a limit of its own")
    if limit.most < 1:
        raise ValueError(f"most must be at least 1, not {limit.most}; to stop a queue, pause it")
    if not 0.001 <= limit.seconds <= 86_400:
        raise ValueError(f"seconds must be between 0.001 and 86400, not {limit.seconds}")
    connection.hset(keys.LIMITS, f"{limit.dimension}:{limit.value}", f"{limit.most}/{limit.seconds:.3f}")


def remove_limit(connection: redis.Redis, dimension: Dimension, value: str) -> bool:
    """What it held back is claimed at once. False: there was no such limit."""
    return bool(connection.hdel(keys.LIMITS, f"{dimension}:{value}"))


def limits(connection: redis.Redis) -> list[Limit]:
    """Those in force, sorted."""
    found = []
    rules: dict[bytes, bytes] = connection.hgetall(keys.LIMITS)  # type: ignore[assignment]
    for bucket, rule in rules.items():
        name, _, value = bucket.decode().partition(":")
        most, _, seconds = rule.decode().partition("/")
        found += [Limit(dimension, value, int(most), float(seconds)) for dimension in DIMENSIONS if dimension == name]
    return sorted(found, key=lambda limit: (limit.dimension, limit.value))
