"""What a batch does to its events: each once, and a bad one alone."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import OperationalError
from rq.job import Job
from rq.serializers import JSONSerializer

from ingest import database, jobs, store
from ingest.database import DatabaseAway
from ingest.kinds import alerts
from ingest.models import Alert, Event
from ingest.queue import keys
from ingest.queue.payload import Payload, decode
from tests.ingest.worker.conftest import Work

pytestmark = pytest.mark.both_databases


def body(title: str = "disk full", **fields: object) -> dict[str, object]:
    return {"title": title, **fields}


def test_each_event_is_a_row_and_its_problem_counts_it_once(work: Work) -> None:
    ids = work.put(*[body() for _ in range(250)])
    work.off()
    assert set(Event.objects.values_list("id", flat=True)) == set(ids)
    assert Alert.objects.get().occurrences == 250
    assert (work.count("claimed"), work.count("completed"), work.started(), work.waiting()) == (250, 250, 0, [])


def test_nothing_of_a_completed_job_is_left_in_redis(work: Work) -> None:
    ids = work.put(body())
    work.off()
    assert not work.redis.exists(keys.job(ids[0]), keys.results(ids[0]))


def test_a_second_run_of_a_saved_event_counts_nothing(work: Work) -> None:
    (job_id,) = work.put(body())
    store.save_events([decode(work.redis.hget(keys.job(job_id), "data") or b"", job_id)])
    work.off()
    assert Event.objects.count() == 1
    assert not Alert.objects.exists()
    assert work.count("completed") == 1


def test_queues_are_served_in_strict_order(work: Work, handle_with: Callable[..., None]) -> None:
    order: list[str] = []
    handle_with(lambda events: order.extend(event.priority for event in events))
    for queue in ("low", "critical", "medium", "high"):
        work.put(body(), body(), queue=queue)
    work.off()
    assert order == ["critical"] * 2 + ["high"] * 2 + ["medium"] * 2 + ["low"] * 2


def test_several_claims_are_joined_up_to_the_limit(work: Work, handle_with: Callable[..., None]) -> None:
    sizes: list[int] = []
    handle_with(lambda events: sizes.append(len(events)))
    work.put(*[body() for _ in range(250)])
    work.off()
    assert sizes == [200, 50]


def test_a_bad_event_fails_alone_and_its_neighbours_are_stored(work: Work, handle_with: Callable[..., None]) -> None:
    def handler(events: Sequence[Payload]) -> None:
        if any(b"bad" in event.body for event in events):
            raise ValueError("this event is bad")
        alerts.handle(events)

    handle_with(handler)
    ids = work.put(*[body("bad" if number == 77 else "good") for number in range(150)])
    work.off()
    assert Alert.objects.get().occurrences == 149
    assert not Event.objects.filter(id=ids[77]).exists()
    assert work.dead() == [ids[77]]
    assert work.field(ids[77], "attempts") == "4"
    assert (work.count("completed"), work.count("retried"), work.count("dead")) == (149, 3, 1)


def test_a_dead_letter_keeps_the_errors_type_message_and_traceback(work: Work) -> None:
    (job_id,) = work.put(body(fault="error"))
    work.off()
    assert work.field(job_id, "error_type") == "FaultError"
    assert "asked for this error" in str(work.field(job_id, "error_message"))
    assert work.field(job_id, "reason") == "error"
    result = Job.fetch(job_id, connection=work.redis, serializer=JSONSerializer).latest_result()
    assert result is not None
    assert "faults.py" in str(result.exc_string)


def test_a_dead_letters_traceback_names_no_error_of_its_neighbours(
    work: Work, handle_with: Callable[..., None]
) -> None:
    def handler(events: Sequence[Payload]) -> None:
        raise ValueError(", ".join(event.id for event in events))

    handle_with(handler)
    ids = work.put(*[body() for _ in range(4)], retry_delays=())
    work.off()
    for job_id in ids:
        result = Job.fetch(job_id, connection=work.redis, serializer=JSONSerializer).latest_result()
        assert result is not None
        assert [other for other in ids if other in str(result.exc_string)] == [job_id]


def test_error_n_fails_n_times_and_then_succeeds(work: Work) -> None:
    work.put(body(fault="error:2"))
    work.off()
    assert Alert.objects.get().occurrences == 1
    assert (work.count("retried"), work.count("completed"), work.count("dead")) == (2, 1, 0)


def test_a_permanent_error_is_a_dead_letter_at_once(work: Work) -> None:
    (job_id,) = work.put(body(payload={"fault": "permanent"}))
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "permanent")
    assert (work.count("retried"), work.count("dead")) == (0, 1)


def test_a_handler_that_overruns_its_timeout_fails_with_that_reason(
    work: Work, handle_with: Callable[..., None]
) -> None:
    def handler(events: Sequence[Payload]) -> None:
        try:
            signal.pause()
        except Exception:  # what ends a handler is not to be caught by accident
            return

    handle_with(handler, timeout=1)
    (job_id,) = work.put(body(), retry_delays=())
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "timeout")
    assert not Event.objects.exists()


def test_an_unknown_version_is_a_dead_letter_and_never_a_crash(work: Work) -> None:
    data = b'["ingest.jobs.process_event",null,[{"v":2,"id":"x"}],{}]'
    (job_id, other) = work.put(body(), data=data) + work.put(body())
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "unreadable")
    assert "version 2" in str(work.field(job_id, "error_message"))
    assert Event.objects.get().id == other


@pytest.mark.parametrize("data", [b"\x80\x04pickle", b"[]", b"null", b'{"v":1}', b"\xff" * 50, b"[" * 10_000])
def test_data_that_cannot_be_read_is_a_dead_letter(work: Work, data: bytes) -> None:
    (job_id,) = work.put(body(), data=data)
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "unreadable")


def test_an_unknown_kind_is_a_dead_letter(work: Work) -> None:
    (job_id,) = work.put(body(), kind="telegram")
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "unreadable")


def test_a_job_of_ours_that_names_another_function_runs_nothing(work: Work, tmp_path: pytest.TempPathFactory) -> None:
    mark = f"{tmp_path}/ran"
    (job_id,) = work.put(body(), data=f'["os.system",null,["touch {mark}"],{{}}]'.encode())
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "not_allowed")
    assert not os.path.exists(mark)


def test_jobs_flagged_alone_run_in_transactions_of_their_own(work: Work, handle_with: Callable[..., None]) -> None:
    sizes: list[int] = []
    handle_with(lambda events: sizes.append(len(events)))
    ids = work.put(*[body() for _ in range(5)])
    for job_id in ids[:2]:
        work.redis.hset(keys.job(job_id), "alone", "1")
    work.off()
    assert sizes == [1, 1, 3]


def test_a_database_that_is_away_costs_no_attempt_and_is_waited_for(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = work.put(*[body() for _ in range(150)])
    seen: list[tuple[int, list[str]]] = []

    def answers() -> bool:
        seen.append((work.started(), work.waiting()))
        monkeypatch.undo()
        return True

    def away(kind: object, payloads: object) -> None:
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(jobs, "_store", away)
    monkeypatch.setattr(database, "trouble", lambda error: "away")
    monkeypatch.setattr(database, "answers", answers)
    work.off()
    assert seen == [(0, ids)], "released in order while the database was away"
    assert Alert.objects.get().occurrences == 150
    assert (work.count("released"), work.count("retried"), work.count("completed")) == (150, 0, 150)


def test_what_the_halving_had_stored_before_the_database_went_is_not_run_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = jobs.process, []

    def process(kind: object, events: Sequence[tuple[Payload, int]]) -> Any:
        calls.append(len(events))
        if len(calls) == 1:
            raise ValueError("halve me")
        if len(calls) == 3:
            raise DatabaseAway("gone")
        return real(kind, events)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "process", process)
    work.put(*[body() for _ in range(8)])
    work.off()
    assert calls == [8, 4, 4, 4]
    assert Alert.objects.get().occurrences == 8
    assert (work.count("released"), work.count("completed")) == (4, 8)


def test_what_is_left_at_the_end_of_the_grace_time_is_released(work: Work, handle_with: Callable[..., None]) -> None:
    """The signal comes while the handler runs; the second one ends it."""

    def handler(events: Sequence[Payload]) -> None:
        worker._shutdown_requested_date = None
        os.kill(os.getpid(), signal.SIGTERM)
        worker._alarm.halt_in(0.2)
        time.sleep(30)

    handle_with(handler)
    ids = work.put(*[body() for _ in range(3)])
    worker = work.worker()
    worker.work(burst=True)
    assert (work.waiting(), work.started()) == (ids, 0)
    assert (work.count("released"), work.count("retried"), work.count("dead")) == (3, 0, 0)
    assert not Event.objects.exists()
    assert work.field(ids[0], "attempts") is None
