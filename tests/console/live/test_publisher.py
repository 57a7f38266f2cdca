"""The publisher against a real Valkey, also one that is killed and started again."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator

import pytest
import redis
from channels.layers import get_channel_layer

from ingest.queue import keys
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import DatabaseFacts, DatabaseState, Snapshot
from queueadmin.console.live import publisher
from queueadmin.console.live.publisher import Publisher
from tests.conftest import Valkey, wait_until
from tests.console.conftest import Jobs

FACTS = DatabaseFacts(DatabaseState("connected"))


@pytest.fixture(autouse=True)
def _database_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question runs in a thread of the publisher's own, which has no test database."""
    monkeypatch.setattr(metrics, "database_facts", lambda: FACTS)


@pytest.fixture
def one(empty_redis: redis.Redis) -> Iterator[Publisher]:
    one = Publisher(empty_redis)
    yield one
    one.close()


def test_a_sample_is_kept_as_the_latest_and_as_a_row(one: Publisher, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(3)
    first, second = one.sample(), one.sample()
    assert first is not None
    assert second is not None
    assert (first.seq, second.seq) == (1, 2)
    kept = empty_redis.get(keys.SNAPSHOT)
    assert kept is not None
    assert Snapshot.from_json(kept) == second
    rows = [json.loads(row) for row in empty_redis.lrange(keys.HISTORY, 0, -1)]
    assert [row[2] for row in rows] == [3, 3]


def test_the_sequence_goes_on_after_a_restart(one: Publisher, empty_redis: redis.Redis) -> None:
    one.sample()
    one.close()
    two = Publisher(empty_redis)
    sample = two.sample()
    two.close()
    assert sample is not None
    assert sample.seq == 2


def test_of_two_publishers_one_stands_by(one: Publisher, empty_redis: redis.Redis) -> None:
    two = Publisher(empty_redis)
    assert one.sample() is not None
    assert two.sample() is None
    assert one.sample() is not None
    assert empty_redis.llen(keys.HISTORY) == 2
    one.close()
    assert two.sample() is not None
    assert one.sample() is None
    two.close()


def test_one_that_lost_its_lease_stands_by_and_takes_over_again(one: Publisher, empty_redis: redis.Redis) -> None:
    two = Publisher(empty_redis)
    one.sample()
    empty_redis.delete(keys.PUBLISHER)  # it lapsed
    assert two.sample() is not None
    assert one.sample() is None
    empty_redis.delete(keys.PUBLISHER)
    assert one.sample() is not None
    two.close()


def test_closing_gives_up_only_ones_own_lease(one: Publisher, empty_redis: redis.Redis) -> None:
    two = Publisher(empty_redis)
    one.sample()
    two.close()
    assert empty_redis.exists(keys.PUBLISHER)


def test_rates_follow_the_counters(one: Publisher, jobs: Jobs) -> None:
    one.sample()
    jobs.enqueue(100)
    sample = one.sample()
    assert sample is not None
    assert sample.totals.in_rate > 0
    assert sample.totals.in_rate == sample.totals.net_rate


@pytest.mark.asyncio
async def test_it_outlives_an_outage_and_counts_nothing_twice(own_valkey: Valkey) -> None:
    """Real time: a sample a second, the server killed and started in between."""
    client = redis.Redis.from_url(own_valkey.url)
    stop = asyncio.Event()
    one = Publisher(client)
    task = asyncio.create_task(one.run(stop))
    try:
        await _until(lambda: int(client.llen(keys.HISTORY)) >= 1)
        own_valkey.kill()
        with pytest.raises(redis.RedisError):
            client.ping()
        await _until(lambda: one._away)
        assert not task.done()
        own_valkey.start()
        had = int(client.llen(keys.HISTORY))
        await _until(lambda: int(client.llen(keys.HISTORY)) > had)
    finally:
        stop.set()
        await task
    assert not client.exists(keys.PUBLISHER)
    client.close()


@pytest.mark.asyncio
async def test_frames_reach_the_group(empty_redis: redis.Redis) -> None:
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    await layer.group_add(publisher.GROUP, channel)
    stop = asyncio.Event()
    task = asyncio.create_task(Publisher(empty_redis).run(stop))
    message = await asyncio.wait_for(layer.receive(channel), 60)
    assert Snapshot.from_json(message["text"]).seq == 1
    stop.set()
    await task
    await layer.flush()


async def _until(condition: Callable[[], bool]) -> None:
    """`wait_until` beside a running event loop."""
    await asyncio.to_thread(wait_until, lambda: _holds(condition))


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except redis.RedisError:
        return False


def test_a_database_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang() -> DatabaseFacts:
        release.wait(60)
        return FACTS

    monkeypatch.setattr(metrics, "database_facts", hang)
    monkeypatch.setattr(publisher, "DATABASE_SECONDS", 0.01)
    watch = publisher._DatabaseWatch()
    assert watch.facts().state == DatabaseState("disconnected")
    release.set()
    monkeypatch.setattr(publisher, "DATABASE_SECONDS", 60)
    assert watch.facts() == FACTS
    watch.close()
