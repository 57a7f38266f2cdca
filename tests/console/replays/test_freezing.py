"""The set of a replay is written down whole, whatever stands in between (X1, issue 8 part 4)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import OperationalError

from ingest.queue import keys
from ingest.queue.connections import server_time
from queueadmin.console import dead_letters, operations
from queueadmin.console.failures import Indexer, walking
from queueadmin.console.models import Replay, ReplayChunk
from queueadmin.console.replays import engine, freezing
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def written(replay: Replay) -> list[str]:
    """The members in the order of their turns."""
    chunks = ReplayChunk.objects.filter(replay=replay).order_by("-number")
    return [str(job_id) for chunk in chunks for job_id, _ in json.loads(chunk.places)]


@pytest.fixture
def small(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 7, one in a step, and chunks of 5."""
    monkeypatch.setattr(walking, "ROWS", 7)
    monkeypatch.setattr(freezing, "CHUNK", 5)
    monkeypatch.setattr(freezing, "LEAST", 1)
    monkeypatch.setattr(engine, "TURN", 0)


class Outages:
    """Every other step Redis or the database goes away in the middle of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._away = ""
        for module, name in ((walking, "newest"), (dead_letters, "records")):
            monkeypatch.setattr(module, name, self._failing(getattr(module, name), "redis"))
        for name in ("bulk_create",):
            monkeypatch.setattr(
                ReplayChunk.objects, name, self._failing(getattr(ReplayChunk.objects, name), "database")
            )

    def _failing(self, real: Callable[..., Any], which: str) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            found = real(*args, **more)
            if self._away != which:
                return found
            self._away = ""
            self.count += 1
            raise (redis.ConnectionError("Connection reset") if which == "redis" else OperationalError("locked"))

        return call

    def step(self, stage: Stage, replay: Replay, number: int) -> None:
        self._away = ("", "redis", "", "database")[number % 4]
        try:
            stage.step(replay)
        except (redis.ConnectionError, OperationalError):
            replay.refresh_from_db()
            if number % 3:
                stage.restart()  # another process leads
        self._away = ""


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("is_indexed", [True, False])
def test_it_goes_on_where_it_was_through_many_outages(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, *, is_indexed: bool
) -> None:
    """It began anew after each. Neither is one met twice, nor what failed or came back later swept in."""
    ids = [*jobs.fail(20), *jobs.fail(13, queue="low"), *jobs.fail(7, queue="critical")]
    now = server_time(stage.redis).timestamp()
    stock, ahead = jobs.fail(4, queue="medium"), jobs.fail(3)
    stage.redis.zadd(keys.failed("medium"), dict.fromkeys(stock, -1))
    stage.redis.zadd(keys.failed("high"), {job_id: keys.SCORE_OFFSET + now + 900 for job_id in ahead})
    trashed = jobs.fail(3)
    jobs.transitions.discard("high", trashed, by="ben")
    indexer = Indexer(stage.redis, lambda: is_indexed)
    if is_indexed:
        indexer.step()
        ids += jobs.fail(4)  # not in the index yet
    replay = stage.start(ramp=(1,))
    jobs.transitions.restore("high", trashed, by="ben")
    outages, number = Outages(monkeypatch), 0
    while replay.frozen_at is None:
        outages.step(stage, replay, number)
        number += 1
        jobs.fail(1)
        late_stock = jobs.fail(1, queue="medium")
        stage.redis.zadd(keys.failed("medium"), dict.fromkeys(late_stock, -1))
        if is_indexed and number % 2:
            indexer.step()
        assert number < 100
    monkeypatch.undo()

    assert outages.count > 3
    found = written(replay)
    assert len(found) == len(set(found)) == replay.size
    assert set(found) == {*ids, *stock, *ahead}
    assert not replay.written
    assert not stage.redis.keys("*:qa:apart:*")


@pytest.mark.usefixtures("small")
def test_what_is_left_out_and_what_goes_first_is_the_same_after_outages(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = jobs.fail(30)
    poison = jobs.fail(9, reason="poison")
    ids += jobs.fail(10)
    operations.mark(ids[3:5], permanent=True, actor="ada")
    replay, outages = stage.start(ramp=(1,)), Outages(monkeypatch)
    for number in range(100):
        outages.step(stage, replay, number)
        if replay.frozen_at:
            break
    assert outages.count > 3
    assert (replay.poison_left, replay.permanent_left) == (len(poison), 2)
    assert written(replay) == [*ids[:3], *ids[5:]]


@pytest.mark.usefixtures("small")
def test_an_undo_goes_on_where_it_was(stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = jobs.fail(30)
    monkeypatch.setattr("queueadmin.console.undoing._PAGE", 7)
    jobs.transitions.discard("high", ids, by="ada", operation="o")
    replay = operations.replays.start_undo("o", actor="ada").replay
    outages = Outages(monkeypatch)
    for number in range(2, 60):
        outages.step(stage, replay, number)
        if replay.frozen_at:
            break
    assert outages.count > 1
    assert written(replay) == ids


def test_what_was_restored_before_redis_clock_was_set_back_is_in_it(stage: Stage, jobs: Jobs) -> None:
    """And what is restored after the press is not: what is moved lies ahead of the press, not of the clock."""
    ids = jobs.fail(4)
    late = jobs.fail(2)
    jobs.transitions.discard("high", late, by="ben")
    stage.redis.hset(keys.job(ids[0]), keys.MOVED_AT, (server_time(stage.redis) + timedelta(hours=1)).isoformat())
    replay = stage.start(ramp=(1,))
    jobs.transitions.restore("high", late, by="ben")
    stage.step(replay)
    assert sorted(written(replay)) == sorted(ids)


def test_one_that_an_earlier_version_began_is_written_anew(stage: Stage, jobs: Jobs) -> None:
    """That did not say how far it was, and set nothing apart."""
    ids = jobs.fail(30)
    stock = jobs.fail(2)
    later = (server_time(stage.redis) + timedelta(hours=1)).isoformat()
    stage.redis.hset(keys.job(stock[1]), "ended_at", later)
    stage.redis.zadd(keys.failed("high"), dict.fromkeys(stock, -1))
    replay = stage.start(ramp=(1,))
    Replay.objects.filter(pk=replay.pk).update(apart="", size=3)
    ReplayChunk.objects.create(replay=replay, number=0, queue="high", places=json.dumps([[ids[0], 1.0]]), marks=".")
    stage.step(replay)
    assert (replay.size, sorted(written(replay))) == (31, sorted([*ids, stock[0]]))


def test_redis_that_restarts_while_it_is_written_down_costs_the_set_nothing(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended with the jobs that it had met until then, and said "done" of them."""
    jobs.fail(300)
    replay = stage.start()
    asked = 0

    def restarts(*args: Any) -> list[tuple[str, float]]:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise redis.ConnectionError("Connection closed by server.")
        return reading_page(*args)

    reading_page = walking.newest
    monkeypatch.setattr(walking, "newest", restarts)
    with pytest.raises(redis.ConnectionError):
        stage.step(replay)
    assert stage.step(replay).frozen_at
    assert (replay.size, replay.in_flight) == (300, 300)


def test_a_database_that_was_locked_while_it_is_written_down_costs_the_set_nothing(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.fail(30)
    replay = stage.start()

    def locked(*args: Any) -> None:
        monkeypatch.undo()
        raise OperationalError("database is locked")

    monkeypatch.setattr(freezing, "CHUNK", 7)
    monkeypatch.setattr(ReplayChunk.objects, "bulk_create", locked)
    with pytest.raises(OperationalError):
        stage.step(replay)
    assert stage.step(replay).frozen_at
    assert (replay.size, replay.in_flight) == (30, 30)
    assert sum(len(chunk.marks) for chunk in ReplayChunk.objects.all()) == 30
