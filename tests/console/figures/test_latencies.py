"""Percentiles that reach back 30 days (issue 7.1)."""

import json

import redis

from ingest.queue import keys
from queueadmin.console.figures import latencies
from tests.console.figures.test_percentiles import count

Rows = list[dict[str, float | None]]


def rows(client: redis.Redis, seconds: int, queue: str | None = None, *, now: float) -> Rows:
    _, found = latencies.window(client, seconds, queue, now=now)
    return [dict(zip(latencies.COLUMNS, row, strict=True)) for row in found]


def test_a_row_holds_what_ended_since_the_last(empty_redis: redis.Redis) -> None:
    writer = latencies.Writer(empty_redis)
    count(empty_redis, keys.RUN, "high", 60, 1000)
    writer.write(1000.0)  # what was counted before is of no known time
    count(empty_redis, keys.WAIT, "high", 1, 10)
    count(empty_redis, keys.RUN, "high", 0.05, 90)
    count(empty_redis, keys.RUN, "low", 10, 10)
    writer.write(1005.0)  # not over yet
    assert rows(empty_redis, 900, now=1011) == []
    writer.write(1010.0)
    (row,) = rows(empty_redis, 900, now=1011)
    assert (row["at"], row["jobs"], row["wait_p50"]) == (1010.0, 100, 0.75)
    assert (row["run_p50"], row["run_p95"], row["run_p99"]) == (0.0389, 7.5, 9.5)
    (high,) = rows(empty_redis, 900, "high", now=1011)
    assert (high["jobs"], high["run_p99"]) == (90, 0.0498)
    (low,) = rows(empty_redis, 900, "low", now=1011)
    assert (low["jobs"], low["wait_p50"], low["run_p50"]) == (10, None, 7.5)
    assert rows(empty_redis, 900, "medium", now=1011) == []


def test_a_restarted_publisher_loses_nothing_and_tells_nothing_twice(empty_redis: redis.Redis) -> None:
    latencies.Writer(empty_redis).write(1000.0)
    count(empty_redis, keys.RUN, "high", 0.05, 5)
    latencies.Writer(empty_redis).write(1040.0)
    latencies.Writer(empty_redis).write(1041.0)
    assert [row["jobs"] for row in rows(empty_redis, 900, now=1042)] == [5]


def test_a_redis_that_came_back_with_less_begins_anew(empty_redis: redis.Redis) -> None:
    writer = latencies.Writer(empty_redis)
    count(empty_redis, keys.RUN, "high", 0.05, 5)
    writer.write(1000.0)
    empty_redis.delete(keys.RUN)
    count(empty_redis, keys.RUN, "high", 0.05, 2)
    writer.write(1010.0)
    assert [row["jobs"] for row in rows(empty_redis, 900, now=1011)] == [2]


def test_longer_rows_are_exact_and_bounded(empty_redis: redis.Redis) -> None:
    """Merged histograms, not means of percentiles: one slow job of a hundred is their 99th."""
    finer, longer = (keys.latencies(step) for step, _ in latencies.LEVELS)
    stale = json.dumps([1.0, {}])
    empty_redis.rpush(finer, *[stale] * (latencies.LEVELS[0][1] + 5))
    writer = latencies.Writer(empty_redis)
    for at in range(86_400, 87_010, 10):
        writer.write(float(at))
        count(empty_redis, keys.RUN, "high", 0.05, 1)
    count(empty_redis, keys.RUN, "high", 10, 2)
    writer.write(87_010.0)
    assert empty_redis.llen(finer) == latencies.LEVELS[0][1]
    last = json.loads(empty_redis.lrange(longer, -1, -1)[0])
    assert (last[0], last[1]["high"][1]) == (86_990.0, [5, 59])
    month = rows(empty_redis, latencies.LONGEST, now=87_100)
    assert [row["jobs"] for row in month if row["jobs"]] == [59]
    step, found = latencies.window(empty_redis, 86_400, now=87_100)
    assert step == 480
    assert sum(row[1] or 0 for row in found) == 63


def test_an_answer_has_few_rows(empty_redis: redis.Redis) -> None:
    ended = {"high": [[3, 1], [5, 2]]}
    empty_redis.rpush(keys.latencies(10), *(json.dumps([10.0 * n, ended]) for n in range(1, 8_641)))
    _, found = latencies.window(empty_redis, 86_400, now=86_400)
    assert latencies.POINTS - 1 <= len(found) <= latencies.POINTS + 1
