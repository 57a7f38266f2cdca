"""Percentiles from histograms (issue 7.1)."""

import pytest
import redis

from ingest.queue import keys
from queueadmin.console.figures.percentiles import WINDOW, Lately, percentile
from queueadmin.console.figures.snapshot import Took


def bucket(seconds: float) -> int:
    return keys.BUCKETS.index(seconds)


@pytest.mark.parametrize(
    ("counts", "part", "seconds"),
    [
        ({}, 0.5, None),
        ({0: 10}, 0.5, 0.0005),
        ({bucket(0.25): 100}, 0.95, 0.2425),
        ({bucket(0.01): 90, bucket(1): 10}, 0.5, 0.0078),
        ({bucket(0.01): 90, bucket(1): 10}, 0.95, 0.75),
        ({len(keys.BUCKETS): 1}, 0.95, 14400),
    ],
)
def test_it_lies_within_its_bucket(counts: dict[int, int], part: float, seconds: float | None) -> None:
    assert percentile(counts, part) == seconds


def count(client: redis.Redis, place: str, queue: str, seconds: float, number: int, kind: str = "alert") -> None:
    client.hincrby(place, f"{queue}|{kind}|{bucket(seconds)}", number)
    client.hincrby(place, f"{queue}|{kind}|sum", 5)


def test_only_what_ended_lately_counts(empty_redis: redis.Redis) -> None:
    lately = Lately()
    count(empty_redis, keys.RUN, "high", 60, 1000)
    assert lately.look(empty_redis, now=0) == ()
    count(empty_redis, keys.RUN, "high", 0.05, 60)
    count(empty_redis, keys.RUN, "high", 0.05, 40, kind="task:a.b")
    count(empty_redis, keys.WAIT, "high", 1, 100)
    assert lately.look(empty_redis, now=5) == (Took("high", 0.75, 0.975, 0.0375, 0.0488),)
    for step in range(1, 4):
        lately.look(empty_redis, now=5 + step * WINDOW / 2)
    assert lately.look(empty_redis, now=6 + 2 * WINDOW) == ()


def test_a_redis_that_came_back_empty_begins_anew(empty_redis: redis.Redis) -> None:
    lately = Lately()
    count(empty_redis, keys.RUN, "low", 1, 10)
    lately.look(empty_redis, now=0)
    empty_redis.delete(keys.RUN)
    count(empty_redis, keys.RUN, "low", 2.5, 3)
    assert lately.look(empty_redis, now=5) == ()
    count(empty_redis, keys.RUN, "low", 2.5, 3)
    (told,) = lately.look(empty_redis, now=10)
    assert (told.queue, told.wait_p95, told.run_p50) == ("low", None, 1.75)
