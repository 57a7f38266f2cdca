"""Async effect handlers: some at a time, beside everything else that the worker does (B8)."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from ingest import database, effects
from ingest.kinds import KINDS, Context, Kind
from ingest.models import Event
from ingest.queue import keys
from ingest.queue.payload import Payload
from ingest.worker import slots
from ingest.worker.slots import Slots
from tests.conftest import wait_until
from tests.ingest.worker.conftest import Work

Effect = Callable[..., Kind]

pytestmark = pytest.mark.both_databases


@pytest.fixture(autouse=True)
def _no_other_async_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind with the largest concurrency says how many jobs are in hand."""
    for name in [name for name, kind in KINDS.items() if kind.mode == "async"]:
        monkeypatch.delitem(KINDS, name)


def chat(work: Work, number: int = 1, **job: Any) -> list[str]:
    return work.put(*({"n": each} for each in range(number)), kind="mail", **job)


class Beside:
    """Runs `later` in a thread beside the worker, and `and_then` whatever came of it; raises what it raised."""

    def __init__(self, later: Callable[[], None], and_then: Callable[[], None]) -> None:
        self._later = later
        self._and_then = and_then
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._later()
        except BaseException as error:
            self._error = error
        finally:
            self._and_then()


class Meeting:
    """Handlers that wait for one another: the test fails by its timeout when too few run at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.inside = self.most = 0
        self.together = asyncio.Event()

    async def __call__(self, payload: Payload, context: Context) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside >= self.size:
            self.together.set()
        await self.together.wait()
        self.inside -= 1
        return self.size


def test_up_to_concurrency_run_at_a_time_and_their_results_are_kept(work: Work, effect: Effect) -> None:
    meeting = Meeting(10)
    effect(meeting, concurrency=10)
    ids = chat(work, 35)
    work.off()
    assert meeting.most == 10
    assert work.result(ids[0]) == 10
    assert (work.count("completed"), work.started(), work.waiting()) == (35, 0, [])
    assert Event.objects.exclude(processed_at=None).count() == 35


def test_a_kind_with_less_concurrency_keeps_to_it_beside_another(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = Meeting(2), Meeting(5)
    effect(few, concurrency=2)
    other = Kind(name="other", validate=lambda event: None, handler=many, batch=False, concurrency=5)
    monkeypatch.setitem(KINDS, "other", other)
    chat(work, 8)
    work.put(*[{}] * 10, kind="other")
    work.off()
    assert (few.most, many.most, work.count("completed")) == (2, 5, 18)


def test_a_slow_one_holds_up_neither_the_others_nor_batches_nor_sync_handlers(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one, of low, ends only when everything else has run."""
    behind = threading.Event()

    async def handler(payload: Payload, context: Context) -> None:
        if b"slow" in payload.body:
            await asyncio.to_thread(behind.wait)

    effect(handler, concurrency=2)
    sync = Kind(name="sync", validate=lambda event: None, handler=lambda payload, context: None, batch=False)
    monkeypatch.setitem(KINDS, "sync", sync)
    (slow,) = work.put({"n": "slow"}, kind="mail", queue="low")
    worker = work.worker()

    def later() -> None:
        wait_until(lambda: work.started("low") == 1)
        work.put({"title": "x"}, queue="critical")
        work.put({}, kind="sync", queue="high")
        chat(work, 20, queue="medium")
        wait_until(lambda: all(work.count("completed", queue) for queue in ("critical", "high")))
        wait_until(lambda: work.count("completed", "medium") == 20)
        assert work.started("low") == 1

    def and_then() -> None:
        behind.set()
        wait_until(lambda: work.count("completed", "low") == 1)
        os.kill(os.getpid(), signal.SIGTERM)

    with Beside(later, and_then):
        worker.work()
    assert work.result(slow) is None
    assert work.count("completed", "low") == 1


def test_with_all_slots_in_use_other_jobs_go_on_in_strict_order(work: Work, effect: Effect) -> None:
    behind = threading.Event()

    async def handler(payload: Payload, context: Context) -> None:
        await asyncio.to_thread(behind.wait)

    effect(handler, concurrency=1)
    chat(work, 2, queue="medium")
    work.put({"title": "waits for what is before it"}, queue="low")

    def later() -> None:
        wait_until(lambda: work.started("medium") == 1)
        work.put({"title": "x"}, queue="critical")
        wait_until(lambda: work.count("completed", "critical") == 1)
        assert work.count("claimed", "low") == 0

    with Beside(later, behind.set):
        work.off()
    assert (work.count("completed", "medium"), work.count("completed", "low")) == (2, 1)


def test_each_has_its_own_timeout_and_is_cancelled_properly(work: Work, effect: Effect) -> None:
    cleaned: list[bytes] = []

    async def handler(payload: Payload, context: Context) -> None:
        if payload.body == b'{"n":0}':
            return
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(payload.body)

    effect(handler, timeout=1)
    ids = chat(work, 3, retry_delays=())
    work.off()
    assert sorted(cleaned) == [b'{"n":1}', b'{"n":2}']
    assert (sorted(work.dead()), work.field(ids[1], "reason")) == (sorted(ids[1:]), "timeout")
    assert work.count("completed") == 1


def test_a_timeout_of_the_handlers_own_is_an_ordinary_error(work: Work, effect: Effect) -> None:
    async def handler(payload: Payload, context: Context) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    effect(handler)
    (job_id,) = chat(work, retry_delays=())
    work.off()
    assert (work.dead(), work.field(job_id, "reason"), work.field(job_id, "error_type")) == (
        [job_id],
        "error",
        "TimeoutError",
    )


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(1), asyncio.CancelledError()])
def test_whatever_a_handler_raises_fails_its_job_alone(work: Work, effect: Effect, error: BaseException) -> None:
    async def handler(payload: Payload, context: Context) -> None:
        if payload.body == b'{"n":1}':
            raise error

    effect(handler)
    ids = chat(work, 3, retry_delays=())
    work.off()
    assert (work.dead(), work.count("completed")) == ([ids[1]], 2)
    assert work.field(ids[1], "error_type") == type(error).__name__


def test_sigterm_lets_them_go_on_for_the_grace_time_and_releases_the_rest_uncounted(work: Work, effect: Effect) -> None:
    ended: list[str] = []
    all_run = Meeting(3)

    async def handler(payload: Payload, context: Context) -> None:
        await all_run(payload, context)
        if payload.body == b'{"n":0}':
            os.kill(os.getpid(), signal.SIGTERM)
            return
        try:
            await asyncio.sleep(600)
        finally:
            ended.append(payload.id)

    def later() -> None:
        wait_until(lambda: work.count("completed") == 1)
        worker._alarm.halt_in(0.3)

    effect(handler)
    ids = chat(work, 3)
    worker = work.worker()
    with Beside(later, lambda: None):
        worker.work()
    assert sorted(ended) == sorted(ids[1:])
    assert (work.count("completed"), work.count("released"), work.started()) == (1, 2, 0)
    assert (sorted(work.waiting()), work.field(ids[1], "attempts")) == (sorted(ids[1:]), None)
    assert not worker._slots.stuck


def test_progress_comes_from_the_loop_as_well(work: Work, effect: Effect) -> None:
    async def handler(payload: Payload, context: Context) -> None:
        context.log("on the loop")
        await asyncio.to_thread(context.progress, 0.5)

    effect(handler)
    (job_id,) = chat(work)
    work.off()
    assert (work.log(job_id), work.field(job_id, keys.PROGRESS)) == (["on the loop"], "0.5")


def test_a_handlers_own_queries_go_through_djangos_async_methods(work: Work, effect: Effect) -> None:
    async def handler(payload: Payload, context: Context) -> int:
        return await Event.objects.acount()

    effect(handler)
    ids = chat(work, 3)
    work.off()
    assert [work.result(job_id) for job_id in ids] == [3, 3, 3]


def test_the_database_away_for_a_handler_releases_its_job_uncounted(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    async def handler(payload: Payload, context: Context) -> None:
        runs.append(context.attempt)
        if len(runs) == 1:
            raise database.DatabaseAway("gone")

    effect(handler)
    chat(work)
    work.off()
    assert (runs, work.count("released"), work.count("retried"), work.count("completed")) == ([1, 1], 1, 0, 1)


def test_the_database_away_after_it_ran_holds_the_slot_and_the_effect_happens_once(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    async def handler(payload: Payload, context: Context) -> None:
        runs.append(context.attempt)

    effect(handler)
    real, tries = effects.finish, []

    def finish(payloads: Any) -> None:
        tries.append(len(payloads))
        if len(tries) < 3:
            raise database.DatabaseAway("gone")
        real(payloads)

    monkeypatch.setattr(effects, "finish", finish)
    chat(work)
    work.off()
    assert (runs, len(tries), work.count("completed")) == ([1], 3, 1)


def test_one_whose_lease_was_lost_is_cancelled_and_completes_nothing(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "LOOK", 0.05)
    begun: list[str] = []
    cancelled: list[str] = []

    async def handler(payload: Payload, context: Context) -> None:
        begun.append(payload.id)
        if len(begun) > 1:  # it may be claimed again before the first one is cancelled
            return
        claim = next(iter(worker._slots._runs.values())).entry.claim
        await sync_to_async(work.transitions.release)("high", claim.id, [payload.id])
        worker._leases.drop(claim, [payload.id])  # as a renewal would find
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(payload.id)

    effect(handler)
    (job_id,) = chat(work)
    worker = work.worker()
    worker.work(burst=True)
    assert (begun, cancelled) == ([job_id, job_id], [job_id])
    assert (work.count("completed"), work.count("dead"), work.count("retried")) == (1, 0, 0)


def test_a_job_flagged_alone_runs_when_no_other_does(work: Work, effect: Effect) -> None:
    inside: set[str] = set()
    seen: dict[str, set[str]] = {}

    async def handler(payload: Payload, context: Context) -> None:
        inside.add(payload.id)
        await asyncio.sleep(0.05)
        seen[payload.id] = set(inside)
        inside.discard(payload.id)

    effect(handler)
    ids = chat(work, 3)
    work.redis.hset(keys.job(ids[1]), "alone", "1")
    work.off()
    assert seen[ids[1]] == {ids[1]}
    assert work.count("completed") == 3


def test_max_jobs_counts_them_and_waits_for_them(work: Work, effect: Effect) -> None:
    async def handler(payload: Payload, context: Context) -> None:
        await asyncio.sleep(0.05)

    effect(handler)
    chat(work, 9)
    work.worker().work(max_jobs=4)
    assert (work.count("claimed"), work.count("completed"), work.started()) == (4, 4, 0)


def test_without_async_kinds_one_slot_is_there_for_jobs_that_this_process_does_not_know(work: Work) -> None:
    """They must become dead letters, and not stand at the head of the queue for ever."""
    (job_id,) = work.put({}, kind="unknown", mode="async")
    work.put({"title": "behind it"})
    work.off()
    assert (work.dead(), work.field(job_id, "reason"), work.count("completed")) == ([job_id], "unreadable", 1)


def test_slots_that_nobody_used_need_no_thread() -> None:
    before = threading.active_count()
    idle = Slots(leases=None, alarm=None, reports=None, settlement=None, give_up=None)  # type: ignore[arg-type]
    assert (idle.free, idle.busy) == (1, False)
    idle.stop()
    assert threading.active_count() == before
