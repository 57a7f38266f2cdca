import json
from dataclasses import replace
from pathlib import Path

import redis

from ingest.queue import keys
from queueadmin.console.figures import history
from queueadmin.console.figures.snapshot import Snapshot

SAMPLE = Snapshot.from_json((Path(__file__).parents[1] / "samples" / "snapshot.json").read_bytes())


def test_a_row_has_a_value_for_each_column(empty_redis: redis.Redis) -> None:
    history.Writer(empty_redis).write(SAMPLE)
    frame = json.loads(history.frame(empty_redis))
    assert frame["type"] == "history"
    (row,) = frame["rows"]
    shown = dict(zip(frame["columns"], row, strict=True))
    assert shown["at"] == SAMPLE.at
    assert (shown["high"], shown["low"], shown["started"]) == (264, 4186, 12)
    assert (shown["oldest_wait"], shown["wait_critical"], shown["wait_high"]) == (131.0, 0.0, 22.4)


def test_fifteen_minutes_are_kept(empty_redis: redis.Redis) -> None:
    empty_redis.rpush(keys.HISTORY, *(json.dumps([second]) for second in range(909)))
    history.Writer(empty_redis).write(replace(SAMPLE, at=909.0))
    rows = json.loads(history.frame(empty_redis))["rows"]
    assert [rows[0][0], rows[-1][0], len(rows)] == [10, 909, 900]
    assert empty_redis.llen(keys.HISTORY) == 900


def written(client: redis.Redis, first: int, last: int, *, writer: history.Writer | None = None) -> None:
    """A snapshot a second, whose depth of low is the second."""
    writer = writer or history.Writer(client)
    queues = SAMPLE.queues
    for second in range(first, last):
        low = replace(queues[-1], depth=second, oldest_wait=float(second))
        writer.write(replace(SAMPLE, at=float(second), queues=(*queues[:-1], low)))


def lows(rows: list[list[float]], name: str = "low") -> list[float]:
    return [row[history.columns().index(name)] for row in rows]


def test_seconds_become_rows_of_ten_and_those_of_a_minute(empty_redis: redis.Redis) -> None:
    """Issue 7.1: 1 s for 15 min, 10 s for a day, 1 min for 30 days."""
    written(empty_redis, 0, 121)
    tens = [json.loads(row) for row in empty_redis.lrange(keys.history(10), 0, -1)]
    assert [row[0] for row in tens] == [9, 19, 29, 39, 49, 59, 69, 79, 89, 99, 109, 119]
    assert lows(tens)[:2] == [4.5, 14.5]
    assert lows(tens, "wait_low")[:2] == [9, 19]
    minutes = [json.loads(row) for row in empty_redis.lrange(keys.history(60), 0, -1)]
    assert [row[0] for row in minutes] == [59, 119]
    assert lows(minutes) == [29.5, 89.5]


def test_a_restarted_publisher_leaves_no_hole_and_nothing_twice(empty_redis: redis.Redis) -> None:
    written(empty_redis, 0, 65)
    written(empty_redis, 65, 69)  # another one
    written(empty_redis, 75, 125)  # and another, after a pause
    tens = [json.loads(row) for row in empty_redis.lrange(keys.history(10), 0, -1)]
    assert [row[0] for row in tens] == [9, 19, 29, 39, 49, 59, 68, 79, 89, 99, 109, 119]
    minutes = [json.loads(row) for row in empty_redis.lrange(keys.history(60), 0, -1)]
    assert [row[0] for row in minutes] == [59, 119]


def test_a_window_has_at_most_as_many_rows_as_a_screen_has_points(empty_redis: redis.Redis) -> None:
    written(empty_redis, 0, 1000)
    step, rows = history.window(empty_redis, 60, now=999.5)
    assert (step, len(rows), rows[-1][0]) == (1, 60, 999)
    step, rows = history.window(empty_redis, 900, now=999.5)
    assert (step, len(rows)) == (1, 900)
    step, rows = history.window(empty_redis, 3600, now=999.5)
    assert (step, len(rows)) == (10, 99)
    step, rows = history.window(empty_redis, history.LONGEST, now=999.5)
    assert (step, len(rows)) == (2880, 1)


def test_every_level_is_bounded(empty_redis: redis.Redis) -> None:
    for level in history.LEVELS:
        empty_redis.rpush(keys.history(level.step), *(json.dumps([0, 1]) for _ in range(level.rows + 5)))
    written(empty_redis, 100, 161)
    assert [empty_redis.llen(keys.history(level.step)) for level in history.LEVELS] == [900, 8_640, 43_200]


def test_rows_of_before_an_update_have_fewer_columns(empty_redis: redis.Redis) -> None:
    empty_redis.rpush(keys.HISTORY, "[1,2,3]")
    written(empty_redis, 2, 12)
    assert [len(json.loads(row)) for row in empty_redis.lrange(keys.history(10), 0, -1)] == [3]


def test_without_redis_the_history_is_empty(tmp_path: Path) -> None:
    with redis.Redis.from_url(f"unix://{tmp_path}/nobody.sock") as nobody:
        assert json.loads(history.frame(nobody))["rows"] == []
