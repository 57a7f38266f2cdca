"""What the console reads of what came in: counts, rates from two readings, last seen."""

import time
from collections.abc import Iterator

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.api import tally
from ingest.api.tally import Tally
from ingest.queue import keys
from queueadmin.console import sources


@pytest.fixture(autouse=True)
def _no_reading(empty_redis: redis.Redis) -> Iterator[None]:
    sources.forget()
    yield
    sources.forget()


@pytest.fixture
def door() -> Iterator[Tally]:
    made = Tally()
    yield made
    made.forget()


def test_sources_keys_and_reasons_are_read_as_they_were_counted(door: Tally) -> None:
    door.add("7", {("edge", "accepted"): 8, ("edge", "duplicates"): 2, ("edge", "rejected:wrong_type"): 3})
    door.add("local", {("db", "accepted"): 1, ("db", "shed:redis_memory"): 4, ("", "limited:key_rate"): 2})
    door.settle()
    read = sources.read([7, 8])
    by_name = {source.name: source for source in read.sources}
    edge, db = by_name["edge"].counts, by_name["db"].counts
    assert (edge.accepted, edge.duplicates, edge.rejected, edge.refused) == (8, 2, {"wrong_type": 3}, 3)
    assert (round(edge.refused_percent, 1), edge.duplicates_percent) == (23.1, 20.0)
    assert (db.shed, db.reasons) == ({"redis_memory": 4}, [("redis_memory", 4)])
    assert (by_name[""].shown_name, by_name[""].counts.limited) == ("no source", {"key_rate": 2})
    assert read.total.accepted == 9
    assert (read.key(7).accepted, read.key(8).accepted, read.keys["local"].refused) == (8, 0, 6)
    assert abs(by_name["edge"].last_seen - time.time()) < 60


def test_a_rate_needs_two_readings_that_are_apart(
    door: Tally, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(time, "time", lambda: clock)
    door.add("7", {("edge", "accepted"): 100})
    door.settle()
    assert (sources.read().rate, sources.read().sources[0].rate) == (None, None)
    empty_redis.hincrby(keys.TALLY, "accepted", 50)
    empty_redis.hincrby(keys.tally_source("edge"), "accepted", 50)
    clock = 1001.0
    assert sources.read().rate is None
    clock = 1010.0
    read = sources.read()
    assert (read.rate, read.sources[0].rate) == (5.0, 5.0)
    clock = 1100.0  # nobody has looked for long: the mean since then would say nothing of now
    assert sources.read().rate is None
    empty_redis.flushall()
    clock = 1110.0
    assert sources.read().rate is None


def test_sources_stand_by_name_so_that_no_row_jumps(empty_redis: redis.Redis) -> None:
    empty_redis.zadd(keys.TALLY_SOURCES, {"b": 1, "": 3, "A": 2})
    assert [source.name for source in sources.read().sources] == ["A", "b", ""]


def test_what_is_refused_now_is_told_from_what_was_refused_once(
    door: Tally, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(time, "time", lambda: clock)
    door.add("7", {("edge", "rejected:wrong_type"): 100})
    door.settle()
    assert sources.read().sources[0].refused_now is None
    for what, number in (("accepted", 3), ("rejected:wrong_type", 1)):
        empty_redis.hincrby(keys.tally_source("edge"), what, number)
    clock = 1010.0
    assert sources.read().sources[0].refused_now == 25.0


def test_one_key_is_asked_for_by_its_number(door: Tally) -> None:
    assert sources.of_key(7).received == 0
    door.add("7", {("edge", "accepted"): 1, ("edge", "rejected:wrong_type"): 2})
    door.settle()
    assert (sources.of_key(7).accepted, sources.of_key(7).refused) == (1, 2)


def test_with_redis_false_the_process_itself_is_read(settings: Settings) -> None:
    settings.REDIS = False
    try:
        tally._tally.add("7", {("edge", "accepted"): 2})
        read = sources.read([7])
        assert (read.total.accepted, read.sources[0].name, read.key(7).accepted) == (2, "edge", 2)
        assert (sources.of_key(7).accepted, sources.of_key(8).accepted) == (2, 0)
    finally:
        tally.forget()
