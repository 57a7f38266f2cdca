"""What workers did lately, and which were lost (issue 7.3)."""

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.queue import keys
from queueadmin.console.figures import worker_history
from queueadmin.console.figures.counts import SeenWorker
from queueadmin.console.figures.worker_history import POINTS, STEP, Writer


def alive(ended: int, name: str = "w1", *, heard: float = 0.0) -> SeenWorker:
    return SeenWorker(name=name, ended=ended, heard=heard, alive=True, lost=False)


def lost(name: str, heard: float) -> SeenWorker:
    return SeenWorker(name=name, ended=0, heard=heard, alive=False, lost=True)


def test_a_curve_has_what_was_ended_in_each_step(empty_redis: redis.Redis) -> None:
    writer = Writer(empty_redis)
    for at, ended in ((0, 5), (10, 6), (20, 15), (39, 40), (40, 45)):
        writer.write(float(at), [alive(ended)], recovered=0)
    assert worker_history.read(empty_redis, now=41).ended["w1"] == [0, 10, 30]


def test_a_restarted_publisher_goes_on_and_gaps_are_empty(empty_redis: redis.Redis) -> None:
    Writer(empty_redis).write(0.0, [alive(5)], recovered=0)
    Writer(empty_redis).write(80.0, [alive(9)], recovered=0)
    assert worker_history.read(empty_redis, now=81).ended["w1"] == [0, 0, 0, 0, 4]
    assert worker_history.read(empty_redis, now=121).ended["w1"] == [0, 0, 0, 0, 4, 0, 0]


def test_another_worker_of_the_name_begins_anew(empty_redis: redis.Redis) -> None:
    writer = Writer(empty_redis)
    writer.write(0.0, [alive(500)], recovered=0)
    writer.write(20.0, [alive(3)], recovered=0)
    assert worker_history.read(empty_redis, now=21).ended["w1"] == [3]


def test_fifteen_minutes_are_kept_and_those_who_left_are_forgotten(empty_redis: redis.Redis) -> None:
    writer = Writer(empty_redis)
    writer.write(0.0, [alive(0, "gone")], recovered=0)
    for place in range(1, POINTS + 5):
        writer.write(float(place * STEP), [alive(place)], recovered=0)
    ended = worker_history.read(empty_redis, now=(POINTS + 5) * STEP).ended
    assert list(ended) == ["w1"]
    assert len(ended["w1"]) == POINTS - 1


@pytest.fixture
def lease(settings: Settings) -> float:
    settings.LEASE_SECONDS = 30
    return 30.0


def test_a_loss_is_told_once_with_the_time_until_its_jobs_were_back(empty_redis: redis.Redis, lease: float) -> None:
    writer = Writer(empty_redis)
    writer.write(1000.0, [alive(7, heard=995.0)], recovered=3)
    for at in (1026.0, 1027.0):
        writer.write(at, [lost("w1", 995.0)], recovered=3)
    writer.write(1028.0, [lost("w1", 995.0)], recovered=5)
    Writer(empty_redis).write(1029.0, [lost("w1", 995.0)], recovered=5)
    history = worker_history.read(empty_redis, now=1030)
    assert [(loss.name, loss.heard, loss.recovered) for loss in history.losses] == [("w1", 995.0, 1028.0)]
    assert history.slowest == 33.0


def test_one_that_held_nothing_took_no_time(empty_redis: redis.Redis, lease: float) -> None:
    writer = Writer(empty_redis)
    writer.write(1026.0, [lost("w1", 995.0)], recovered=3)
    writer.write(1100.0, [], recovered=9)  # others' jobs, much later
    history = worker_history.read(empty_redis, now=1101)
    assert (len(history.losses), history.slowest) == (1, None)


def test_losses_are_of_the_last_day(empty_redis: redis.Redis, lease: float) -> None:
    writer = Writer(empty_redis)
    writer.write(1000.0, [lost("w1", 900.0)], recovered=0)
    writer.write(90_000.0, [lost("w2", 89_900.0)], recovered=0)
    assert [loss.name for loss in worker_history.read(empty_redis, now=90_001).losses] == ["w2"]
    assert b"w1" not in empty_redis.get(keys.WORKERS_LOST)
