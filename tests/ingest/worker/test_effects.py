"""Sync effect handlers: one at a time in the worker, at least once, until their row says done."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from ingest import database, effects, store
from ingest.kinds import Context, Kind
from ingest.kinds.errors import PermanentError
from ingest.models import Alert, Event
from ingest.queue import keys
from ingest.queue.payload import Payload, decode
from tests.ingest.worker.conftest import Work

Effect = Callable[..., Kind]

pytestmark = pytest.mark.both_databases


def mail(work: Work, *events: dict[str, Any], **job: Any) -> list[str]:
    return work.put(*(events or ({},)), kind="mail", **job)


def test_it_runs_outside_any_transaction_and_what_it_returns_is_the_jobs_result(work: Work, effect: Effect) -> None:
    seen: list[Any] = []

    def handler(payload: Payload, context: Context) -> dict[str, Any]:
        row = Event.objects.get()
        seen.append((connection.in_atomic_block, row.id, row.processed_at, context.attempt, context.idempotency_key))
        return {"sent": payload.body.decode()}

    effect(handler)
    (job_id,) = mail(work, {"to": "a"})
    work.off()
    assert seen == [(False, job_id, None, 1, job_id)]
    assert work.result(job_id) == {"sent": '{"to":"a"}'}
    assert 86_000 < work.redis.ttl(keys.job(job_id)) <= 86_400
    assert Event.objects.get().processed_at is not None
    assert (work.count("completed"), work.started(), work.waiting()) == (1, 0, [])


def test_it_is_never_halved_and_a_bad_event_fails_alone_while_its_row_stays_open(work: Work, effect: Effect) -> None:
    runs: list[bytes] = []

    def handler(payload: Payload, context: Context) -> None:
        runs.append(payload.body)
        if payload.body == b'{"n":1}':
            raise ValueError("bad")

    effect(handler)
    ids = mail(work, *({"n": number} for number in range(4)), retry_delays=(0,))
    work.off()
    assert runs == [b'{"n":0}', b'{"n":1}', b'{"n":2}', b'{"n":3}', b'{"n":1}']
    assert work.dead() == [ids[1]]
    assert set(Event.objects.filter(processed_at=None).values_list("id", flat=True)) == {ids[1]}


def test_it_is_skipped_only_when_its_row_says_done_and_not_because_the_row_is_there(work: Work, effect: Effect) -> None:
    runs: list[str] = []
    effect(lambda payload, context: runs.append(payload.id))
    opened, done = mail(work, {}, {})
    payloads = [decode(work.redis.hget(keys.job(job_id), "data") or b"", job_id) for job_id in (opened, done)]
    store.open_events(payloads)
    store.finish_events(payloads[1:])
    work.off()
    assert runs == [opened]
    assert work.count("completed") == 2


def test_progress_and_log_are_kept_in_order_up_to_the_end(work: Work, effect: Effect) -> None:
    """B6."""

    def handler(payload: Payload, context: Context) -> None:
        for number in range(120):
            context.progress({"done": number})
            context.log(f"line {number}")

    effect(handler)
    (job_id,) = mail(work)
    work.off()
    assert work.field(job_id, keys.PROGRESS) == '{"done": 119}'
    assert work.log(job_id) == [f"line {number}" for number in range(20, 120)]


def test_what_was_said_before_a_failure_is_kept(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        context.log(f"attempt {context.attempt}")
        raise ValueError("bad")

    effect(handler)
    (job_id,) = mail(work, retry_delays=(0,))
    work.off()
    assert work.log(job_id) == ["attempt 1", "attempt 2"]


class NoRetry(Exception):
    retry = False


@pytest.mark.parametrize("error", [PermanentError("no such address"), NoRetry("no such address")])
def test_an_error_that_forbids_a_retry_goes_straight_to_the_dead_letters(
    work: Work, effect: Effect, error: Exception
) -> None:
    """E3."""

    def handler(payload: Payload, context: Context) -> None:
        raise error

    effect(handler)
    (job_id,) = mail(work)
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "permanent")
    assert (work.count("retried"), work.count("dead"), work.field(job_id, "attempts")) == (0, 1, "1")


def test_a_kind_without_dead_letters_fails_into_the_trash(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        raise ValueError("bad")

    effect(handler, dead_letters=False)
    (job_id,) = mail(work, retry_delays=(0,))
    work.off()
    assert (work.dead(), work.count("dropped"), work.count("dead"), work.count("retried")) == ([], 1, 0, 1)
    assert [each.decode() for each in work.redis.zrange(keys.trash("high"), 0, -1)] == [job_id]


def test_a_result_that_is_no_json_is_a_clear_dead_letter(work: Work, effect: Effect) -> None:
    effect(lambda payload, context: {1, 2})
    (job_id,) = mail(work)
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "permanent")
    assert "returned set that is not JSON" in str(work.field(job_id, "error_message"))


def test_a_handler_that_overruns_fails_with_that_reason(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        try:
            signal.pause()
        except Exception:
            return

    effect(handler, timeout=1)
    (job_id,) = mail(work, retry_delays=())
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "timeout")
    assert Event.objects.get().processed_at is None


def test_a_handler_that_asks_to_exit_fails_and_the_worker_goes_on(work: Work, effect: Effect) -> None:
    """Released uncounted it would end one worker after the other, for ever."""

    def handler(payload: Payload, context: Context) -> None:
        raise SystemExit(3)

    effect(handler)
    (job_id,) = mail(work, retry_delays=())
    work.put({"title": "behind it"})
    work.off()
    assert (work.dead(), work.field(job_id, "error_type")) == ([job_id], "SystemExit")
    assert work.count("completed") == 1


def test_a_batch_handler_that_asks_to_exit_fails_its_event_alone(work: Work, handle_with: Callable[..., None]) -> None:
    def handler(events: Any) -> None:
        if any(b"exit" in event.body for event in events):
            raise SystemExit

    handle_with(handler)
    ids = work.put({"title": "x"}, {"title": "exit"}, {"title": "x"}, retry_delays=())
    work.off()
    assert (work.dead(), work.count("completed")) == ([ids[1]], 2)


def test_the_database_away_before_the_handler_runs_counts_no_attempt(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    effect(lambda payload, context: runs.append(context.attempt))
    real, begun = effects.begin, []

    def begin(payloads: Any) -> set[str]:
        begun.append(len(payloads))
        if len(begun) == 1:
            raise database.DatabaseAway("gone")
        return real(payloads)

    monkeypatch.setattr(effects, "begin", begin)
    mail(work)
    work.off()
    assert (runs, work.count("released"), work.count("retried"), work.count("completed")) == ([1], 1, 0, 1)


def test_the_database_away_after_the_handler_ran_is_waited_for_and_the_effect_happens_once(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    effect(lambda payload, context: runs.append(context.attempt))
    real, tries = effects.finish, []

    def finish(payloads: Any) -> None:
        tries.append(len(payloads))
        if len(tries) < 3:
            raise database.DatabaseAway("gone")
        real(payloads)

    monkeypatch.setattr(effects, "finish", finish)
    mail(work)
    work.off()
    assert (runs, tries, work.count("released"), work.count("completed")) == ([1], [1, 1, 1], 0, 1)
    assert Event.objects.get().processed_at is not None


def test_a_handler_that_meets_the_database_away_is_released_and_runs_again(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []

    def handler(payload: Payload, context: Context) -> None:
        runs.append(context.attempt)
        if len(runs) == 1:
            raise OperationalError("the connection is gone")

    effect(handler)
    answered: list[bool] = []
    monkeypatch.setattr(database, "answers", lambda: bool(answered.append(True)) or len(answered) > 1)
    mail(work)
    work.off()
    assert (runs, work.count("released"), work.count("retried"), work.count("completed")) == ([1, 1], 1, 0, 1)


def test_what_runs_at_the_end_of_the_grace_time_is_released_uncounted(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        worker._alarm.halt_in(0.2)
        time.sleep(30)

    effect(handler)
    ids = mail(work, {}, {})
    worker = work.worker()
    worker.work()
    assert (work.waiting(), work.started(), work.count("released"), work.field(ids[0], "attempts")) == (ids, 0, 1, None)
    assert Event.objects.get().processed_at is None


def test_a_job_enqueued_before_its_kind_got_an_effect_handler_runs_as_the_kind_says(work: Work, effect: Effect) -> None:
    runs: list[str] = []
    effect(lambda payload, context: runs.append(payload.id))
    ids = work.put(*[{"n": number} for number in range(3)], kind="mail", mode="")
    work.off()
    assert (runs, work.count("completed")) == (ids, 3)


def test_effects_and_batches_keep_the_order_of_their_queue(work: Work, effect: Effect) -> None:
    at: list[int] = []
    effect(lambda payload, context: at.append(Alert.objects.filter(identity__gt="").count()))
    work.put({"title": "first"})
    mail(work)
    work.put({"title": "second"})
    mail(work)
    work.off()
    assert at == [1, 2]
