"""`manage.py maintain` goes on: through an outage of Redis, a bug, and a database that hangs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.db import OperationalError

from ingest.maintenance import Maintenance, beside, process, recovery
from ingest.queue import keys
from tests.conftest import Valkey, wait_until
from tests.ingest.maintenance.conftest import abandoned
from tests.ingest.worker.conftest import Work


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ROUND", 0.05)
    monkeypatch.setattr(beside, "BEAT", 0.05)


@contextmanager
def running(leader: Maintenance) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=leader.run, args=(ended.is_set,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def replace_steps(leader: Maintenance, monkeypatch: pytest.MonkeyPatch, **steps: Callable[[], Any]) -> None:
    """The steps that need the database, which these tests have none of."""
    for name in ("schedules", "mirror", "draining"):
        monkeypatch.setattr(getattr(leader, name), "step", steps.get(name, lambda: None))


def test_it_goes_on_after_an_outage(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery, "PATIENCE", 0.5)
    client = redis.Redis.from_url(own_valkey.url)
    work = Work(client)
    leader = Maintenance(client)
    replace_steps(leader, monkeypatch)
    with running(leader):
        wait_until(lambda: client.exists(keys.LEADER))
        own_valkey.kill()
        wait_until(lambda: "does not answer" in caplog.text)
        own_valkey.start()
        abandoned(work, 2)
        wait_until(lambda: len(work.waiting()) == 2)
    assert not client.exists(keys.LEADER), "the lead is given up at once"
    client.close()


def test_a_bug_in_a_round_does_not_end_it(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []

    def broken(self: Maintenance) -> None:
        rounds.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(Maintenance, "round", broken)
    leader = Maintenance(work.redis)
    replace_steps(leader, monkeypatch)
    leader.run(lambda: len(rounds) >= 3)
    assert len(rounds) == 3


def test_a_database_that_hangs_holds_up_neither_the_rounds_nor_the_end(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PATIENCE", 0)
    monkeypatch.setattr(beside, "GRACE", 0.1)
    answers, asked, mirrored = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        answers.wait()

    leader = Maintenance(work.redis)
    replace_steps(leader, monkeypatch, schedules=hang, mirror=mirrored.set)
    try:
        with running(leader):
            assert asked.wait(30)
            assert mirrored.wait(30), "one hanging step holds up no other"
            mirrored.clear()
            abandoned(work, 2)
            (due,) = work.put({"title": "due"}, delay=60)
            work.redis.zadd(keys.scheduled("high"), {due: 1})
            wait_until(lambda: len(work.waiting()) == 3)
            assert mirrored.wait(30)
        assert not work.redis.exists(keys.LEADER)
    finally:
        answers.set()


@pytest.mark.parametrize("error", [OperationalError("gone"), redis.TimeoutError("slow"), ZeroDivisionError()])
def test_a_database_that_is_away_is_asked_again_and_complained_of_once(
    work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    asked: list[int] = []

    def fail() -> None:
        asked.append(1)
        if len(asked) <= 3:
            raise error

    leader = Maintenance(work.redis)
    replace_steps(leader, monkeypatch, schedules=fail)
    with running(leader):
        wait_until(lambda: len(asked) > 4)
    assert caplog.text.count("firing schedules does not work") == 1
    assert caplog.text.count("firing schedules works again") == 1


def test_a_standby_neither_fires_nor_mirrors(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    other = Maintenance(work.redis)
    assert other.lead()
    standby = Maintenance(work.redis)
    replace_steps(standby, monkeypatch, schedules=lambda: asked.append(1), mirror=lambda: asked.append(1))
    tries: list[int] = []
    real = Maintenance.lead

    def lead(self: Maintenance) -> bool:
        tries.append(1)
        return real(self)

    monkeypatch.setattr(Maintenance, "lead", lead)
    with running(standby):
        wait_until(lambda: len(tries) > 5)
        assert asked == []
        other.resign()
        wait_until(lambda: len(asked) >= 2)
