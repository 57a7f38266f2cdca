"""The one thread that writes: in groups, each once, and never long."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from ingest import spool
from ingest.queue.transitions import EnqueueResult, NewJob
from ingest.spool import writing
from tests.conftest import wait_until
from tests.ingest.spool.conftest import job, spooled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_each_is_stored_once_and_a_copy_meets_the_first() -> None:
    a, b = job("x", event_id="a"), job("y", event_id="b")
    outcomes = [(result.outcome, result.state) for result in spool.store([a, b, a, job("z", event_id="b")])]
    assert outcomes == [
        ("queued", "spooled"),
        ("queued", "spooled"),
        ("duplicate", "spooled"),
        ("id_reused", "spooled"),
    ]
    assert [result.outcome for result in spool.store([b, job("z", event_id="a")])] == ["duplicate", "id_reused"]
    assert spooled() == [a.id, b.id]


def test_those_that_come_during_a_transaction_go_together_next(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, begun = threading.Event(), threading.Event()
    groups: list[int] = []
    insert = writing.insert

    def gated(jobs: Sequence[NewJob]) -> list[EnqueueResult]:
        groups.append(len(jobs))
        begun.set()
        gate.wait(60)
        return insert(jobs)

    monkeypatch.setattr(writing, "insert", gated)
    with ThreadPoolExecutor(20) as senders:
        first = senders.submit(spool.store, [job("first")])
        assert begun.wait(60)
        others = [senders.submit(spool.store, [job(str(number))]) for number in range(10)]
        wait_until(lambda: writing._writer()._todo.qsize() == 10)
        gate.set()
        results = [future.result() for future in (first, *others)]
    assert groups == [1, 10]
    assert {result.id for [result] in results} == set(spooled())


def test_the_event_loop_waits_for_nothing(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that hangs: the loop goes on, the caller is answered, and nothing is stored later."""
    gate = threading.Event()
    insert = writing.insert

    def hangs(jobs: Sequence[NewJob]) -> list[EnqueueResult]:
        results = insert(jobs)
        gate.wait(60)
        return results

    monkeypatch.setattr(writing, "insert", hangs)

    async def run() -> int:
        turns = 0
        storing = asyncio.create_task(spool.store_async([job()]))
        while not storing.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(spool.Away) as away:
            await storing
        assert not away.value.unknown
        monkeypatch.setattr(writing, "WAIT", 60)
        started = time.monotonic()
        with pytest.raises(spool.Away):  # it still hangs: nobody else waits for it
            await spool.store_async([job()])
        assert time.monotonic() - started < writing.WAIT
        return turns

    turns = asyncio.run(run())
    gate.set()
    assert turns > 10
    wait_until(lambda: writing._writer()._running_until is None)
    assert spooled() == []


def test_after_a_failure_nothing_is_tried_for_a_moment_and_then_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def fails(*arguments: Any) -> list[EnqueueResult]:
        calls.append(1)
        raise writing.DatabaseError("away")

    passed = 0.0
    monkeypatch.setattr(writing, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed))
    monkeypatch.setattr(writing, "BREAK", 600.0)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "insert", fails)
        for _ in range(3):
            with pytest.raises(spool.Away):
                spool.store([job()])
        assert len(calls) == 1

    passed = 601.0
    assert spool.store([job()])
    assert "the spool can be used again" in caplog.text


def test_one_that_is_gone_before_its_turn_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WAIT", 0.05)
    gate = threading.Event()
    monkeypatch.setattr(writing, "COMMIT", -30)  # the first one may take as long as it likes
    insert = writing.insert

    def gated(jobs: Sequence[NewJob]) -> list[EnqueueResult]:
        gate.wait(60)
        return insert(jobs)

    monkeypatch.setattr(writing, "insert", gated)
    with ThreadPoolExecutor(2) as senders:
        futures = [senders.submit(spool.store, [job(str(number))]) for number in range(2)]
        for future in futures:
            with pytest.raises(spool.Away):
                future.result()
    gate.set()
    wait_until(lambda: writing._writer()._running_until is None and writing._writer()._todo.empty())
    assert len(spooled()) <= 1


def test_all_or_none_leaves_nothing_of_a_refused_one_and_harms_no_neighbour() -> None:
    taken = job("x", event_id="a")
    spool.store([taken])
    new, reused = job("y", event_id="b"), job("z", event_id="a")
    results = spool.store([new, new, taken, reused], strict=True)
    assert [result.outcome for result in results] == ["withheld", "withheld", "duplicate", "id_reused"]
    assert spooled() == [taken.id]
    assert [result.outcome for result in spool.store([new, taken], strict=True)] == ["queued", "duplicate"]
    assert spooled() == [taken.id, new.id]


def test_all_or_none_within_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken out again is new for whoever comes after it in the same transaction."""
    spool.store([job("x", event_id="a")])
    new, reused = job("y", event_id="b"), job("z", event_id="a")
    gate, begun = threading.Event(), threading.Event()
    insert = writing.insert

    def gated(jobs: Sequence[NewJob]) -> list[EnqueueResult]:
        begun.set()
        gate.wait(60)
        return insert(jobs)

    monkeypatch.setattr(writing, "insert", gated)
    with ThreadPoolExecutor(3) as senders:
        first = senders.submit(spool.store, [job("first")])
        assert begun.wait(60)
        refused = senders.submit(spool.store, [new, reused], strict=True)
        wait_until(lambda: writing._writer()._todo.qsize() == 1)
        plain = senders.submit(spool.store, [new, reused])
        wait_until(lambda: writing._writer()._todo.qsize() == 2)
        gate.set()
        first.result()
    assert [result.outcome for result in refused.result()] == ["withheld", "id_reused"]
    assert [result.outcome for result in plain.result()] == ["queued", "id_reused"]
    assert new.id in spooled()
