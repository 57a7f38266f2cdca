"""isolation="process": one job in a forked work horse, which runs the handler and nothing else (design 13.16)."""

import asyncio
import ctypes
import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command

from ingest import database
from ingest.kinds import Context, Kind
from ingest.maintenance import recover
from ingest.models import Alert, Event
from ingest.queue import keys
from ingest.queue.payload import Payload
from ingest.worker import horse as horses
from tests.conftest import wait_until
from tests.ingest.worker.conftest import Work
from tests.programs import is_alive

Effect = Callable[..., Kind]

pytestmark = pytest.mark.both_databases


def task(work: Work, number: int = 1, **job: Any) -> list[str]:
    return work.put(*({"n": each} for each in range(number)), kind="mail", **job)


def isolated(effect: Effect, handler: Callable[[Payload, Context], Any], **fields: Any) -> None:
    effect(handler, isolation="process", **fields)


def test_the_handler_runs_in_another_process_and_its_result_comes_back(work: Work, effect: Effect) -> None:
    isolated(effect, lambda payload, context: {"pid": os.getpid(), "group": os.getpgid(0), "n": payload.body.decode()})
    (job_id,) = task(work)
    work.off()
    result = work.result(job_id)
    assert result["pid"] == result["group"] != os.getpid()
    assert result["n"] == '{"n":0}'
    assert Event.objects.get().processed_at is not None
    assert (work.count("completed"), work.started()) == (1, 0)


def test_an_async_handler_runs_there_too(work: Work, effect: Effect) -> None:
    async def handler(payload: Payload, context: Context) -> int:
        await asyncio.sleep(0)
        return context.attempt

    isolated(effect, handler)
    (job_id,) = task(work)
    work.off()
    assert work.result(job_id) == 1


def test_its_own_queries_use_a_connection_of_its_own(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> int:
        Alert.objects.create(
            identity=payload.id,
            priority="high",
            **dict.fromkeys(("first_seen", "last_seen", "described_at", "acknowledged_at"), payload.received_at),
        )
        return Event.objects.count()

    isolated(effect, handler)
    ids = task(work, 3)
    work.off()
    assert work.count("completed") == 3
    if connection.vendor == "postgresql":  # the tests' SQLite lives in memory, of which a fork has a copy
        assert [work.result(job_id) for job_id in ids] == [1, 2, 3]
        assert Alert.objects.count() == 3


def test_progress_and_log_come_over_the_pipe_also_from_its_threads(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        thread = threading.Thread(target=lambda: context.log("x" * 900))
        thread.start()
        for number in range(200):
            context.progress([number] * 100)
        thread.join()
        context.log("last")

    isolated(effect, handler)
    (job_id,) = task(work)
    work.off()
    assert json.loads(work.field(job_id, keys.PROGRESS) or "") == [199] * 100
    assert work.log(job_id) == ["x" * 900, "last"]


def test_what_it_raises_is_the_jobs_error_with_its_traceback(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        raise KeyError(context.attempt)

    isolated(effect, handler)
    (job_id,) = task(work, retry_delays=(0,))
    work.off()
    assert (work.dead(), work.field(job_id, "reason"), work.field(job_id, "error_type")) == (
        [job_id],
        "error",
        "KeyError",
    )
    assert work.field(job_id, "attempts") == "2"
    assert "in handler" in str(horse_traceback(work, job_id))


def horse_traceback(work: Work, job_id: str) -> str:
    from rq.job import Job
    from rq.serializers import JSONSerializer

    result = Job.fetch(job_id, connection=work.redis, serializer=JSONSerializer).latest_result()
    assert result is not None
    return str(result.exc_string)


def test_the_database_away_in_it_releases_the_job_uncounted(work: Work, effect: Effect, tmp_path: Path) -> None:
    mark = tmp_path / "tried"

    def handler(payload: Payload, context: Context) -> str:
        if not mark.exists():
            mark.touch()
            raise database.DatabaseAway("gone")
        return "done"

    isolated(effect, handler)
    (job_id,) = task(work)
    work.off()
    assert (work.result(job_id), work.count("released"), work.count("retried")) == ("done", 1, 0)


# --- its end -------------------------------------------------------------------------------------


def test_a_handler_that_ends_at_its_timeout_says_where_it_was(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        time.sleep(60)

    isolated(effect, handler, timeout=1)
    (job_id,) = task(work, retry_delays=())
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "timeout")
    assert "time.sleep(60)" in horse_traceback(work, job_id)


def test_one_that_does_not_is_killed_with_what_it_started(
    work: Work, effect: Effect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(horses, "KILL_SECONDS", 0.3)
    child = tmp_path / "child"

    def handler(payload: Payload, context: Context) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        child.write_text(str(subprocess.Popen(["sleep", "60"]).pid))
        time.sleep(60)

    isolated(effect, handler, timeout=1)
    (job_id,) = task(work, retry_delays=())
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "timeout")
    assert "was killed" in str(work.field(job_id, "error_message"))
    wait_until(lambda: not is_alive(int(child.read_text())))


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: (faulthandler.disable(), ctypes.string_at(0)), "was killed by signal 11 (SIGSEGV)"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by signal 9 (SIGKILL)"),
        (lambda: os._exit(3), "exited with status 3 before its handler had returned"),
    ],
    ids=["segfault", "killed", "exit"],
)
def test_one_that_dies_is_a_crash_and_poison_at_the_third_while_the_worker_lives(
    work: Work, effect: Effect, end: Callable[[], Any], said: str
) -> None:
    """B9: as for a worker that dies; the log says what it died of."""
    isolated(effect, lambda payload, context: end())
    (job_id,) = task(work)
    for crash in (1, 2, 3):
        work.off()
        assert (work.waiting(), work.started()) == ([], 1)
        recover(work.transitions, "high")
        assert work.field(job_id, "crashes") == str(crash)
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "poison")
    assert work.log(job_id) == [f"its process {said}"] * 3
    assert (work.count("retried"), work.count("poison"), work.count("recovered")) == (0, 1, 2)


def test_it_dies_with_its_worker(work: Work, tmp_path: Path) -> None:
    """RQ5: an orphan would run on beside the second execution."""
    program = f"""
import os, sys, time, types
import django; django.setup()
from ingest.kinds import Kind, register
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import Claim, ClaimedJob
from ingest.worker.alarm import Alarm
from ingest.worker.entries import Entry
from ingest.worker.horse import Horse, ride
from ingest.worker.stable import Stable
from datetime import datetime, UTC

def handler(payload, context):
    open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
    time.sleep(60)

kind = Kind(name="mail", validate=print, handler=handler, batch=False, isolation="process")
register(kind)
payload = Payload("e1", "mail", datetime.now(UTC), "high", "", "", None, b"{{}}")
job = ClaimedJob("e1", encode(payload), True, 0, 0, False, 0, "process")
entry = Entry(Claim("c", "high", (job,)), job, payload, kind)
leases = types.SimpleNamespace(still=lambda *_: True)
Horse(entry, Stable(ride)).run(leases=leases, alarm=Alarm(), reports=None)
"""
    worker = subprocess.Popen([sys.executable, "-c", program], env=os.environ)
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text())
    worker.kill()
    worker.wait()
    wait_until(lambda: not is_alive(int(pid.read_text())))


def test_without_the_process_that_forks_them_the_worker_ends_and_the_job_is_a_crash(
    work: Work, effect: Effect, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed for its memory, say. The next job never began, so it is released and nothing is counted."""

    def handler(payload: Payload, context: Context) -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    isolated(effect, handler)
    (job_id, behind) = task(work, 2)
    worker = work.worker()
    worker.work()
    assert "the process that forks work horses is gone" in caplog.text
    assert (work.waiting(), work.started()) == ([behind], 1)
    assert work.log(job_id) == ["its process died with the one that had forked it"]
    assert recover(work.transitions, "high") == 1
    assert work.field(job_id, "crashes") == "1"


def test_a_stable_that_is_gone_before_the_job_began_counts_nothing(work: Work, effect: Effect) -> None:
    isolated(effect, lambda payload, context: None)
    (job_id,) = task(work)
    worker = work.worker()
    real = worker._begin

    def begin(*options: Any) -> None:
        real(*options)
        os.kill(worker._stable._pid, signal.SIGKILL)  # type: ignore[union-attr]

    worker._begin = begin  # type: ignore[method-assign]
    worker.work()
    assert (work.waiting(), work.count("released"), work.field(job_id, "attempts")) == ([job_id], 1, None)


def test_a_lease_that_is_lost_ends_it_and_completes_nothing(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        if context.attempt == 1:
            context.progress("there")
            time.sleep(60)

    isolated(effect, handler)
    (job_id,) = task(work)
    worker = work.worker()

    def take_away() -> None:
        wait_until(lambda: work.field(job_id, keys.PROGRESS))
        entry = worker._horse.entry  # type: ignore[union-attr]
        work.redis.hincrby(keys.job(job_id), "attempts", 1)
        work.transitions.release("high", entry.claim.id, [job_id])
        worker._leases.drop(entry.claim, [job_id])

    thread = threading.Thread(target=take_away)
    thread.start()
    worker.work(burst=True)
    thread.join()
    assert (work.count("completed"), work.count("dead"), work.count("retried"), work.started()) == (1, 0, 0, 0)


def test_the_end_of_the_grace_time_ends_it_and_releases_its_job(work: Work, effect: Effect) -> None:
    ours = os.getpid()

    def handler(payload: Payload, context: Context) -> None:
        os.kill(ours, signal.SIGTERM)
        time.sleep(60)

    isolated(effect, handler)
    (job_id,) = task(work)
    worker = work.worker()
    stop = worker.request_stop

    def request_stop(signum: int, frame: Any) -> None:
        stop(signum, frame)
        worker._alarm.halt_in(0.2)

    worker.request_stop = request_stop  # type: ignore[method-assign]
    worker.work()
    assert (work.waiting(), work.count("released"), work.field(job_id, "attempts")) == ([job_id], 1, None)


# --- RQ's commands -------------------------------------------------------------------------------


def test_stop_job_makes_a_dead_letter_and_kill_horse_a_failed_attempt(work: Work, effect: Effect) -> None:
    def handler(payload: Payload, context: Context) -> None:
        context.progress(context.attempt)
        time.sleep(60)

    isolated(effect, handler)
    (job_id,) = task(work, retry_delays=(0, 0))
    worker = work.worker()

    def command() -> None:
        wait_until(lambda: work.field(job_id, keys.PROGRESS) == "1")
        assert worker.get_current_job_id() == job_id
        send_stop_job_command(work.redis, job_id)
        wait_until(lambda: work.dead() == [job_id])
        assert work.field(job_id, "error_message") == "stopped by a stop-job command"
        work.transitions.requeue("high", [job_id])
        wait_until(lambda: work.field(job_id, keys.PROGRESS) == "2")
        send_kill_horse_command(work.redis, worker.name)
        wait_until(lambda: work.count("retried") == 1)
        wait_until(lambda: work.field(job_id, keys.PROGRESS) == "3")
        send_stop_job_command(work.redis, job_id)
        wait_until(lambda: work.dead() == [job_id])
        send_shutdown_command(work.redis, worker.name)

    thread = threading.Thread(target=command)
    thread.start()
    worker.work()
    thread.join()
    assert (work.count("retried"), work.count("dead"), work.count("recovered")) == (1, 2, 0)
    assert worker.horse_pid == 0
    assert worker.get_current_job_id() is None


def test_a_command_that_ends_nothing_says_why(
    work: Work, handle_with: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    worker = work.worker()

    def handler(events: Any) -> None:
        for command in (b'{"command":"stop-job","job_id":"%s"}' % events[0].id.encode(), b'{"command":"kill-horse"}'):
            worker.handle_payload({"data": command})

    handle_with(handler)
    work.put({"title": "x"})
    worker.work(burst=True)
    said = [record.getMessage() for record in caplog.records if "ended nothing" in record.getMessage()]
    assert len(said) == 2
    assert all('isolation="process"' in each for each in said)
    assert work.count("completed") == 1


def test_the_workers_own_connection_works_after_a_fork(work: Work, effect: Effect) -> None:
    isolated(effect, lambda payload, context: None)
    task(work)
    work.put({"title": "after it"})
    work.off()
    assert work.count("completed") == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
