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


@pytest.fixture
def door(empty_redis: redis.Redis) -> Iterator[Tally]:
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
    assert round(edge.refused_percent, 1) == 23.1
    assert (db.shed, db.reasons) == ({"redis_memory": 4}, [("redis_memory", 4)])
    assert (by_name[""].shown_name, by_name[""].counts.limited) == ("no source", {"key_rate": 2})
    assert read.total.accepted == 9
    assert (read.key(7).accepted, read.key(8).accepted, read.keys["local"].refused) == (8, 0, 6)
    assert abs(by_name["edge"].last_seen - time.time()) < 60


def test_rates_and_curves_come_with_the_first_reading(door: Tally) -> None:
    """Every process tells the same: they are counted where the events are."""
    door.add("7", {("edge", "accepted"): 60, ("edge", "rejected:wrong_type"): 20})
    door.add("local", {("db", "duplicates"): 4})
    door.settle()
    read = sources.read([7])
    edge = next(source for source in read.sources if source.name == "edge").flow
    assert edge.rate == read.flow.rate == read.key_flow(7).rate
    assert 60 / 30 <= edge.rate <= 60 / 15
    assert (edge.refused_now, read.flow.duplicates_now) == (25.0, pytest.approx(6.25))
    assert read.key_flow(8).rate == 0


def test_a_reader_reads_what_is_long_over_once_a_step(
    door: Tally, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1_790_000_000.0
    monkeypatch.setattr(time, "time", lambda: clock)
    door.add("7", {("edge", "accepted"): 60})
    door.settle()
    reader = sources.Reader()
    assert sum(reader.read().flow.accepted) == 60
    step = keys.tally_step(int(clock // 15) - 30)
    empty_redis.hincrby(step, "|accepted", 5)
    assert sum(reader.read().flow.accepted) == 60
    clock += 15
    assert sum(reader.read().flow.accepted) == 65
    assert 0 < empty_redis.ttl(keys.tally_step(int(clock // 15) - 1)) <= 15 * 62


def test_a_sources_tenants_are_told_up_to_twenty(door: Tally) -> None:
    for number in range(30):
        door.add("7", {("edge", "accepted"): 1}, tenants=[("edge", f"t{number:02d}"), ("edge", "")], seconds=0.01)
        if number in (5, 25):
            door.settle()
    door.settle()
    (edge,) = sources.read().sources
    assert len(edge.tenants) == tally.TENANTS + 1
    assert (edge.tenants[0], edge.tenants[1]) == (tally.OTHERS, "t00")
    assert edge.flow.p99 == pytest.approx(0.01, rel=0.05)


def test_sources_stand_by_name_so_that_no_row_jumps(empty_redis: redis.Redis) -> None:
    empty_redis.zadd(keys.TALLY_SOURCES, {"b": 1, "": 3, "A": 2})
    assert [source.name for source in sources.read().sources] == ["A", "b", ""]


def test_one_key_is_asked_for_by_its_number(door: Tally) -> None:
    assert sources.of_key(7).received == 0
    door.add("7", {("edge", "accepted"): 1, ("edge", "rejected:wrong_type"): 2})
    door.settle()
    assert (sources.of_key(7).accepted, sources.of_key(7).refused) == (1, 2)


def test_with_redis_false_the_process_itself_is_read(settings: Settings) -> None:
    settings.REDIS = False
    try:
        tally._tally.add("7", {("edge", "accepted"): 2}, tenants=[("edge", "acme")], seconds=0.01)
        read = sources.read([7])
        assert (read.total.accepted, read.sources[0].name, read.key(7).accepted) == (2, "edge", 2)
        assert (read.sources[0].tenants, read.flow.rate > 0) == (("acme",), True)
        assert (sources.of_key(7).accepted, sources.of_key(8).accepted) == (2, 0)
    finally:
        tally.forget()
