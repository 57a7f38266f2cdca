"""Canceling what runs: the handler is told, ended when it goes on, and nothing brings the job back (E4, issue 6)."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import redis

from ingest.kinds import Context, Kind
from ingest.queue import keys
from ingest.queue.payload import Payload
from ingest.queue.transitions import Transitions
from ingest.worker import leases
from tests.conftest import wait_until
from tests.ingest.worker.conftest import Shop, Work
from tests.programs import is_alive

Effect = Callable[..., Kind]

MODES = pytest.mark.parametrize("how", ["single", "async", "process"])


def cancel(connection: redis.Redis, job_id: str) -> list[str]:
    return Transitions(connection).stop("high", [job_id], by="ada")


def register(effect: Effect, how: str, handler: Callable[[Payload, Context], Any]) -> None:
    async def run_async(payload: Payload, context: Context) -> Any:
        return await asyncio.to_thread(handler, payload, context)

    if how == "async":
        effect(run_async)
    else:
        effect(handler, isolation="process" if how == "process" else "")


def canceled(work: Work, job_id: str) -> None:
    """In one place, counted once, and by whom is told."""
    assert work.field(job_id, "status") == "canceled"
    assert work.redis.zscore(keys.canceled("high"), job_id) is not None
    assert (work.started(), work.waiting(), work.dead(), work.redis.zcard(keys.scheduled("high"))) == (0, [], [], 0)
    assert (work.count("canceled"), work.count("stopped"), work.count("retried"), work.count("dead")) == (1, 1, 0, 0)
    assert work.field(job_id, keys.MOVED_BY) == "ada"
    assert work.field(job_id, keys.STOPPING) is None


@MODES
def test_a_handler_that_looks_ends_by_itself(work: Work, effect: Effect, how: str) -> None:
    def handler(payload: Payload, context: Context) -> None:
        cancel(work.redis, context.job_id)
        wait_until(lambda: context.canceled)
        context.stop_if_canceled()

    register(effect, how, handler)
    (job_id,) = work.put({}, kind="mail")
    work.off()
    canceled(work, job_id)


@MODES
def test_what_it_returns_before_its_end_counts(work: Work, effect: Effect, how: str) -> None:
    """It was faster: finished, with its result."""

    def handler(payload: Payload, context: Context) -> str:
        cancel(work.redis, context.job_id)
        wait_until(lambda: context.canceled)
        return "done all the same"

    register(effect, how, handler)
    (job_id,) = work.put({}, kind="mail")
    work.off()
    assert work.result(job_id) == "done all the same"
    assert (work.count("completed"), work.count("canceled")) == (1, 0)
    assert work.field(job_id, keys.STOPPING) is None


@MODES
def test_an_error_after_it_is_no_reason_to_try_again(work: Work, effect: Effect, how: str) -> None:
    def handler(payload: Payload, context: Context) -> None:
        cancel(work.redis, context.job_id)
        raise ValueError("in the middle of it")

    register(effect, how, handler)
    (job_id,) = work.put({}, kind="mail", retry_delays=(0, 0))
    work.off()
    canceled(work, job_id)


def test_one_that_goes_on_is_ended_by_force(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A process with what it started is killed, a coroutine is cancelled, and a plain handler gets an exception."""
    monkeypatch.setattr(leases, "CANCEL_GRACE", 0.2)
    child = tmp_path / "child"

    def in_process(payload: Payload, context: Context) -> None:
        child.write_text(str(subprocess.Popen(["sleep", "600"]).pid))
        cancel(work.redis, context.job_id)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)

    effect(in_process, isolation="process")
    (job_id,) = work.put({}, kind="mail")
    work.off()
    canceled(work, job_id)
    wait_until(lambda: not is_alive(int(child.read_text())), what="the end of what it had started")


def test_a_coroutine_that_does_not_look_is_cancelled(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "CANCEL_GRACE", 0.2)

    async def handler(payload: Payload, context: Context) -> None:
        cancel(work.redis, context.job_id)
        await asyncio.sleep(600)

    effect(handler)
    (job_id,) = work.put({}, kind="mail")
    work.off()
    canceled(work, job_id)


def test_a_plain_handler_that_does_not_look_gets_an_exception(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "CANCEL_GRACE", 0.2)

    def handler(payload: Payload, context: Context) -> None:
        cancel(work.redis, context.job_id)
        while True:
            with suppress(Exception):  # handlers do such things; what ends it is no Exception
                time.sleep(600)

    effect(handler)
    (job_id,) = work.put({}, kind="mail")
    work.off()
    canceled(work, job_id)


def test_a_worker_that_missed_the_message_finds_it_with_the_next_renewal(
    work: Work, effect: Effect, settings: Any
) -> None:
    settings.LEASE_SECONDS = 1

    def handler(payload: Payload, context: Context) -> None:
        work.redis.hset(keys.job(context.job_id), keys.STOPPING, "1")  # as stop does, without the message
        wait_until(lambda: context.canceled)
        context.stop_if_canceled()

    effect(handler)
    (job_id,) = work.put({}, kind="mail")
    work.off()
    assert work.field(job_id, "status") == "canceled"


def test_what_runs_in_a_batch_cannot_be_asked(work: Work, handle_with: Callable[..., None]) -> None:
    asked = []
    handle_with(lambda events: asked.extend(cancel(work.redis, events[0].id)))
    work.put({})
    work.off()
    assert (asked, work.count("completed")) == ([], 1)


def test_what_waits_is_not_asked(work: Work) -> None:
    (job_id,) = work.put({}, kind="callback")
    assert cancel(work.redis, job_id) == []


def test_a_worker_that_is_killed_after_it_does_not_bring_it_back(shop: Shop) -> None:
    """Its lease lapses, and recovery cancels it. Nothing is lost or doubled."""
    worker = shop.worker(LEASE_SECONDS="1")
    (job_id,) = shop.put("crunch", {"seconds": 600})
    wait_until(lambda: shop.effects("begins") != [])
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert cancel(shop.redis, job_id) == [job_id]
    wait_until(lambda: shop.work.transitions.recover("high").total == 0 and shop.work.started() == 0)
    canceled(shop.work, job_id)


def test_a_real_worker_ends_one_job_and_goes_on_with_the_next(shop: Shop) -> None:
    """E4, in a process of its own: killed after its grace of 5 s, and the worker lives."""
    shop.worker()
    (job_id,) = shop.put("crunch", {"n": 1, "seconds": 600})
    (following,) = shop.put("crunch", {"n": 2})
    wait_until(lambda: shop.effects("begins") != [])
    assert cancel(shop.redis, job_id) == [job_id]
    shop.completed(1)
    canceled(shop.work, job_id)
    assert shop.work.field(following, "status") == "finished"
    assert [number for _, number, _ in shop.effects("begins")] == [1, 2]


def test_a_worker_that_stops_cancels_what_was_asked_to_end(shop: Shop) -> None:
    worker = shop.worker()
    (job_id,) = shop.put("chat", {"seconds": 600})
    wait_until(lambda: shop.effects("begins") != [])
    cancel(shop.redis, job_id)
    os.kill(worker.process.pid, signal.SIGTERM)
    assert worker.process.wait(30) == 0
    canceled(shop.work, job_id)
