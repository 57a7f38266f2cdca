"""A Redis that came back empty, or older than it was, is noticed and counted; a restart is no loss."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingest.maintenance import Maintenance, beside, mirror, process
from ingest.maintenance.mirror import Mirror, acknowledge, open_loss
from ingest.maintenance.schedules import Schedules
from ingest.models import RedisLoss, RedisMirror
from ingest.queue import keys
from ingest.queue.transitions import Failure
from tests.conftest import Valkey, wait_until
from tests.ingest.maintenance.conftest import abandoned
from tests.ingest.worker.conftest import QUEUES, Work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def work(empty_redis: redis.Redis) -> Iterator[Work]:
    yield Work(empty_redis)
    connection.close()


@pytest.fixture
def looks(work: Work) -> Mirror:
    return Mirror(work.redis, QUEUES)


def fill(work: Work) -> None:
    """Two wait, one of them behind a tombstone; one is scheduled, one runs, one is dead, one is in the trash."""
    abandoned(work, 2, "low")
    recovered = work.transitions.recover("low", limit=1)
    assert recovered.requeued == 1
    ids = work.put(*[{"title": "x"}] * 3)
    work.put({"title": "later"}, delay=3600)
    work.transitions.discard("high", ids[:1])
    (dead,) = work.put({"title": "bad"}, queue="critical", retry_delays=())
    work.transitions.claim("w", ["critical"], claim_id="c", lease=30)
    work.transitions.fail("critical", "c", "w", [Failure(dead, "no")])


def test_the_mirror_holds_what_redis_holds(work: Work, looks: Mirror) -> None:
    fill(work)
    looks.step()
    row = RedisMirror.objects.get()
    assert (row.waiting, row.scheduled, row.started, row.failed, row.trash) == (3, 1, 1, 1, 1)
    assert row.counters["high"]["enqueued"] == 4
    assert row.generation == work.redis.get(keys.GENERATION).decode()
    assert open_loss() is None


def test_it_is_written_only_when_something_changed_and_not_even_read_otherwise(work: Work, looks: Mirror) -> None:
    work.put({"title": "x"})
    looks.step()
    with CaptureQueriesContext(connection) as queries:
        looks.step()
        looks.step()
    assert len(queries) == 0
    work.put({"title": "y"})
    with CaptureQueriesContext(connection) as queries:
        looks.step()
    assert len(queries) == 1
    assert (RedisMirror.objects.get().waiting, RedisMirror.objects.get().version) == (2, 1)


def test_a_first_start_that_failed_is_no_loss(work: Work, looks: Mirror) -> None:
    work.put({"title": "x"})
    work.redis.flushall()
    looks.step()
    assert (open_loss(), RedisMirror.objects.get().waiting) == (None, 0)


def test_a_flushed_redis_is_an_empty_one(work: Work, looks: Mirror, caplog: pytest.LogCaptureFixture) -> None:
    fill(work)
    looks.step()
    generation = work.redis.get(keys.GENERATION)
    work.redis.flushall()
    work.put({"title": "already taken in again"})
    looks.step()
    loss = open_loss()
    assert loss is not None
    assert (loss.kind, loss.held, loss.missing) == ("empty", 7, 7)
    assert (loss.waiting, loss.scheduled, loss.started, loss.failed, loss.trash) == (3, 1, 1, 1, 1)
    assert loss.mirrored_at <= loss.detected_at
    assert "Redis came back empty: it had held 7 jobs" in caplog.text
    assert work.redis.get(keys.GENERATION) != generation
    looks.step()
    Mirror(work.redis, QUEUES).step()
    assert RedisLoss.objects.count() == 1, "it goes on with the new state"
    assert RedisMirror.objects.get().waiting == 1


def test_an_empty_redis_is_told_from_an_older_one_by_a_clock_that_went_back_too(work: Work, looks: Mirror) -> None:
    work.put({"title": "x"})
    looks.step()
    later = f"{4_000_000_000_000:013d}-0"
    work.redis.set(keys.GENERATION, later)
    RedisMirror.objects.update(generation=later)
    work.redis.flushall()
    Mirror(work.redis, QUEUES).step()
    assert [loss.kind for loss in RedisLoss.objects.all()] == ["empty"]


def test_the_copy_of_an_earlier_life_is_an_older_one(work: Work, looks: Mirror) -> None:
    """Emptied, used, then restored from before."""
    work.put({"title": "x"})
    looks.step()
    earlier = work.redis.get(keys.GENERATION)
    work.redis.flushall()
    looks.step()
    work.put(*[{"title": "x"}] * 5)
    looks.step()
    work.redis.flushall()
    work.redis.set(keys.GENERATION, earlier)
    work.put({"title": "x"})
    looks.step()
    assert [(loss.kind, loss.missing) for loss in RedisLoss.objects.order_by("id")] == [("empty", 1), ("older", 4)]


def test_a_kill_and_a_restart_on_the_same_files_are_no_loss(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        looks = Mirror(client, QUEUES)
        fill(Work(client))
        looks.step()
        for end in (own_valkey.kill, own_valkey.stop):
            end()
            with pytest.raises(redis.RedisError):
                looks.step()
            own_valkey.start()
            looks.step()
            Mirror(client, QUEUES).step()
        assert open_loss() is None
        assert RedisMirror.objects.get().waiting == 3
    connection.close()


def test_a_killed_redis_whose_files_are_gone_came_back_empty(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        looks = Mirror(client, QUEUES)
        fill(Work(client))
        looks.step()
        own_valkey.kill()
        empty_folder(own_valkey.folder)
        own_valkey.start()
        looks.step()
        loss = open_loss()
        assert loss is not None
        assert (loss.kind, loss.held) == ("empty", 7)
    connection.close()


def test_an_older_copy_of_its_files_is_noticed_with_what_is_missing(own_valkey: Valkey, tmp_path: Path) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        looks = Mirror(client, QUEUES)
        fill(work)
        looks.step()
        own_valkey.stop()
        shutil.copytree(own_valkey.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
        own_valkey.start()
        work.put(*[{"title": "after the copy"}] * 12)
        looks.step()
        own_valkey.kill()
        empty_folder(own_valkey.folder)
        shutil.copytree(tmp_path / "copy", own_valkey.folder, dirs_exist_ok=True)
        own_valkey.start()
        work.put({"title": "after its return"})
        looks.step()
        loss = open_loss()
        assert loss is not None
        assert (loss.kind, loss.held, loss.missing) == ("older", 19, 11)
        looks.step()
        assert RedisLoss.objects.count() == 1
        assert RedisMirror.objects.get().waiting == 4
    connection.close()


def test_a_crash_before_the_loss_is_written_down_leaves_it_to_the_next_one(
    work: Work, looks: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.put({"title": "x"})
    looks.step()
    work.redis.flushall()
    with monkeypatch.context() as crash:
        crash.setattr(mirror.RedisLoss.objects, "create", _die)
        with pytest.raises(SystemExit):
            looks.step()
    assert RedisMirror.objects.get().waiting == 1, "loss and mirror are written together, or neither"
    for _ in range(2):
        Mirror(work.redis, QUEUES).step()
    assert [(loss.kind, loss.held) for loss in RedisLoss.objects.all()] == [("empty", 1)]


def test_a_leader_that_was_stopped_after_reading_neither_writes_nor_loses_anything(
    work: Work, looks: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP between reading Redis and writing the row; meanwhile another one saw Redis emptied."""
    work.put({"title": "x"})
    looks.step()
    work.put({"title": "y"})
    read = mirror.read

    def stopped(*arguments: Any, **named: Any) -> mirror.Reading:
        monkeypatch.setattr(mirror, "read", read)
        reading = read(*arguments, **named)
        work.redis.flushall()
        Mirror(work.redis, QUEUES).step()
        return reading

    monkeypatch.setattr(mirror, "read", stopped)
    looks.step()
    for _ in range(3):
        looks.step()
        Mirror(work.redis, QUEUES).step()
    assert [(loss.kind, loss.held) for loss in RedisLoss.objects.all()] == [("empty", 1)]
    assert RedisMirror.objects.get().waiting == 0


def test_two_leaders_write_one_loss(work: Work, looks: Mirror) -> None:
    other = Mirror(work.redis, QUEUES)
    work.put({"title": "x"})
    for each in (looks, other, looks):
        each.step()
    work.redis.flushall()
    for each in (looks, other, other, looks):
        each.step()
    assert RedisLoss.objects.count() == 1


def test_a_database_that_was_set_back_is_no_loss(work: Work, looks: Mirror) -> None:
    looks.step()
    before = RedisMirror.objects.values().get()
    work.put({"title": "x"})
    looks.step()
    RedisMirror.objects.update(**{**before, "version": 0})
    work.put({"title": "y"})
    for _ in range(3):
        looks.step()
    assert (open_loss(), RedisMirror.objects.get().waiting) == (None, 2)
    RedisMirror.objects.all().delete()
    work.put({"title": "z"})
    for _ in range(3):
        looks.step()
    assert (open_loss(), RedisMirror.objects.get().waiting) == (None, 3)


def test_a_loss_is_open_until_somebody_acknowledges_it_and_the_first_comes_first(work: Work, looks: Mirror) -> None:
    for number in (1, 2):
        work.put(*[{"title": "x"}] * number)
        looks.step()
        work.redis.flushall()
        looks.step()
    first = open_loss()
    assert first is not None
    assert first.held == 1
    with CaptureQueriesContext(connection) as queries:
        open_loss()
    assert all(query["sql"].startswith("SELECT") for query in queries), "reading never writes"
    assert acknowledge(first.pk, by="ada")
    assert not acknowledge(first.pk, by="bob")
    first.refresh_from_db()
    assert (first.acknowledged_by, first.acknowledged_at is not None) == ("ada", True)
    second = open_loss()
    assert second is not None
    assert second.held == 2
    assert acknowledge(second.pk)
    assert open_loss() is None
    assert not acknowledge(12345)


def test_where_nothing_was_ever_taken_in_nothing_is_lost(work: Work, looks: Mirror) -> None:
    looks.step()
    work.redis.flushall()
    looks.step()
    assert open_loss() is None
    work.put({"title": "x"})
    looks.step()
    assert RedisMirror.objects.get().generation == work.redis.get(keys.GENERATION).decode()
    assert open_loss() is None


def test_it_is_noticed_when_redis_returns_while_the_leader_waits_for_it(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 5 s: the longest that it waits before it asks again, a round, and a beat."""
    assert process.LONGEST_WAIT + process.ROUND + beside.BEAT < 5
    monkeypatch.setattr(Schedules, "step", lambda self: None)
    with redis.Redis.from_url(own_valkey.url) as client:
        leader = Maintenance(client)
        ended = threading.Event()
        thread = threading.Thread(target=leader.run, args=(ended.is_set,))
        thread.start()
        try:
            Work(client).put(*[{"title": "x"}] * 3)
            wait_until(lambda: RedisMirror.objects.filter(waiting=3).exists())
            own_valkey.kill()
            empty_folder(own_valkey.folder)
            own_valkey.start()
            wait_until(lambda: open_loss() is not None)
        finally:
            ended.set()
            thread.join()
    loss = open_loss()
    assert loss is not None
    assert (loss.kind, loss.waiting) == ("empty", 3)
    connection.close()


def empty_folder(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _die(*arguments: Any, **named: Any) -> None:
    raise SystemExit
