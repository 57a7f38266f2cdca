import json
from dataclasses import replace
from pathlib import Path

import redis

from ingest.queue import keys
from queueadmin.console import history
from queueadmin.console.snapshot import Snapshot

SAMPLE = Snapshot.from_json((Path(__file__).parent / "samples" / "snapshot.json").read_bytes())


def test_a_row_has_a_value_for_each_column(empty_redis: redis.Redis) -> None:
    history.write(empty_redis, SAMPLE)
    frame = json.loads(history.frame(empty_redis))
    assert frame["type"] == "history"
    (row,) = frame["rows"]
    shown = dict(zip(frame["columns"], row, strict=True))
    assert shown["at"] == SAMPLE.at
    assert (shown["high"], shown["low"], shown["started"]) == (264, 4186, 12)
    assert (shown["oldest_wait"], shown["wait_critical"], shown["wait_high"]) == (131.0, 0.0, 22.4)


def test_fifteen_minutes_are_kept(empty_redis: redis.Redis) -> None:
    empty_redis.rpush(keys.HISTORY, *(json.dumps([second]) for second in range(909)))
    history.write(empty_redis, replace(SAMPLE, at=909.0))
    rows = json.loads(history.frame(empty_redis))["rows"]
    assert [rows[0][0], rows[-1][0], len(rows)] == [10, 909, 900]
    assert empty_redis.llen(keys.HISTORY) == 900


def test_without_redis_the_history_is_empty(tmp_path: Path) -> None:
    with redis.Redis.from_url(f"unix://{tmp_path}/nobody.sock") as nobody:
        assert json.loads(history.frame(nobody))["rows"] == []
