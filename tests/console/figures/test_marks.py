"""Lines on the charts."""

import time

import redis

from ingest.queue import keys
from queueadmin.console.figures import marks
from queueadmin.console.figures.marks import Mark


def test_marks_are_kept_in_order_and_once(empty_redis: redis.Redis) -> None:
    now = time.time()
    for mark in (Mark(now, "deploy 2"), Mark(now - 60, "deploy 1"), Mark(now, "deploy 2")):
        marks.add(empty_redis, mark)
    assert [each["text"] for each in marks.since(empty_redis, now - 3600)] == ["deploy 1", "deploy 2"]
    assert marks.since(empty_redis, now - 30) == [{"at": now, "text": "deploy 2", "what": "deploy"}]


def test_marks_are_bounded(empty_redis: redis.Redis) -> None:
    now = time.time()
    empty_redis.zadd(keys.MARKS, {f'{{"at":{now - n},"text":"{n}"}}': now - n for n in range(marks.MOST + 5)})
    marks.add(empty_redis, Mark(now - 10**8, "long ago"))
    assert empty_redis.zcard(keys.MARKS) == marks.MOST
