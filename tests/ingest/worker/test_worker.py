"""The worker's life: outages, signals, leases, and what RQ's own habits must not do."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend

from ingest.kinds import alerts
from ingest.models import Alert
from ingest.queue import keys
from ingest.queue.payload import Payload
from ingest.queue.transitions import Transitions
from ingest.worker import BatchWorker
from ingest.worker.alarm import Alarm, Halt, Overrun
from ingest.worker.leases import Leases
from tests.conftest import wait_until
from tests.ingest.worker.conftest import QUEUES, Work


def body(**fields: object) -> dict[str, object]:
    return {"title": "disk full", **fields}


def test_it_reads_json_only_whatever_serializer_it_is_given(work: Work) -> None:
    """RQ42: rqworker passes pickle when none is named."""
    from django_rq import get_worker

    worker = get_worker("high", serializer="rq.serializers.DefaultSerializer")
    assert worker.serializer is JSONSerializer


def test_its_connection_times_out_in_seconds_not_minutes(work: Work) -> None:
    assert work.worker().connection.connection_pool.connection_kwargs["socket_timeout"] == 5


@pytest.mark.parametrize("lost", ["claim", "complete", "fail"])
def test_a_lost_reply_of_redis_neither_loses_nor_doubles(
    work: Work, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The script ran, its answer did not come: the worker asks again with the same request id."""
    real, dropped = Transitions._run, []

    def run(self: Transitions, call: Any) -> Any:
        reply = real(self, call)
        if call.script == lost and reply and not dropped:
            dropped.append(call)
            raise redis.ConnectionError("the reply was lost")
        if call.script == lost == "complete" and not dropped:
            dropped.append(call)
            raise redis.ConnectionError("the reply was lost")
        return reply

    monkeypatch.setattr(Transitions, "_run", run)
    work.put(*[body() for _ in range(5)], body(fault="error"), retry_delays=())
    work.off()
    assert len(dropped) == 1
    assert Alert.objects.get().occurrences == 5
    assert (work.count("claimed"), work.count("completed"), work.count("dead")) == (6, 5, 1)
    assert (work.started(), work.waiting()) == (0, [])


def test_a_claim_without_an_answer_is_given_back_when_the_worker_stops(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = work.put(*[body() for _ in range(3)])
    real = Transitions._run
    worker = work.worker()

    def run(self: Transitions, call: Any) -> Any:
        reply = real(self, call)
        if call.script == "claim" and not worker._stop_requested:
            worker._stop_requested = True
            raise redis.ConnectionError("the reply was lost")
        return reply

    monkeypatch.setattr(Transitions, "_run", run)
    worker.work()
    assert (work.waiting(), work.started(), work.count("released")) == (ids, 0, 3)
    assert not Alert.objects.exists()


def test_what_was_claimed_is_run_though_redis_goes_away_right_after(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, failed = work.worker(), []

    def set_state(state: str, pipeline: object = None) -> None:
        if state == "busy":
            failed.append(state)
            raise redis.ConnectionError("away")

    monkeypatch.setattr(worker, "set_state", set_state)
    work.put(body())
    worker.work(burst=True)
    assert failed
    assert (work.count("completed"), work.started()) == (1, 0)


def test_an_unexpected_error_gives_the_batch_back_and_the_worker_goes_on(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.worker import batch

    real, calls = batch.Batch._run_group, []

    def run_group(self: batch.Batch, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise SystemError("a bug of ours")
        real(self, *arguments)

    monkeypatch.setattr(batch.Batch, "_run_group", run_group)
    work.put(body(), body())
    work.off()
    assert (work.count("released"), work.count("completed")) == (2, 2)


def test_sigterm_lets_the_batch_finish_and_claims_no_more(work: Work, handle_with: Callable[..., None]) -> None:
    def handler(events: Sequence[Payload]) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        alerts.handle(events)

    handle_with(handler)
    work.put(*[body() for _ in range(450)])
    work.worker().work()
    assert Alert.objects.get().occurrences == 200
    assert (work.count("completed"), work.started(), len(work.waiting())) == (200, 0, 250)
    assert work.redis.scard(keys.WORKERS) == 0


def test_max_jobs_and_idle_time_end_it(work: Work) -> None:
    work.put(*[body() for _ in range(30)])
    work.worker().work(max_jobs=10)
    assert work.count("completed") == 10
    work.worker().work(max_idle_time=0)
    assert work.count("completed") == 30


def test_a_suspended_worker_takes_nothing(work: Work) -> None:
    work.put(body())
    suspend(work.redis)
    work.off()
    assert (work.count("claimed"), len(work.waiting())) == (0, 1)
    resume(work.redis)
    work.off()
    assert work.count("completed") == 1


def test_a_scheduler_is_never_started(work: Work) -> None:
    worker = work.worker()
    worker.work(burst=True, with_scheduler=True)
    assert worker.scheduler is None


def test_a_stop_command_cannot_kill_the_process_group(work: Work) -> None:
    """RQ would send SIGKILL to the group of pid 0, which is our own."""
    worker = work.worker()
    worker.handle_payload({"data": b'{"command": "kill-horse"}'})
    worker.handle_payload({"data": b'{"command": "stop-job", "job_id": "x"}'})
    worker.kill_horse()


def test_two_workers_at_once_double_nothing(work: Work, handle_with: Callable[..., None]) -> None:
    """The second claims while the first is in its handler."""
    second: list[BatchWorker] = []
    counted: list[str] = []

    def handler(events: Sequence[Payload]) -> None:
        if not second:
            second.append(work.worker())
            claim = work.transitions.claim(second[0].name, ["high"], claim_id="second", lease=30)
            assert claim is not None
            work.transitions.release("high", "second", [job.id for job in claim.jobs])
        counted.extend(event.id for event in events)

    handle_with(handler)
    ids = work.put(*[body() for _ in range(250)])
    work.off()
    assert sorted(counted) == sorted(ids)


def test_the_hash_is_written_anew_when_redis_came_back_empty(work: Work) -> None:
    worker = work.worker()
    worker.register_birth()
    work.redis.flushall()
    worker._beat(work.redis, 3)
    assert work.redis.hget(worker.key, "held") == b"3"
    assert work.redis.hget(worker.key, "pid") == str(os.getpid()).encode()
    assert work.redis.smembers(keys.WORKERS) == {worker.key.encode()}
    assert 0 < work.redis.ttl(worker.key) <= 90
    assert work.redis.smembers(keys.QUEUES) == {keys.queue(name).encode() for name in QUEUES}
    worker.register_death()


def test_rq_lists_its_queues_before_any_job_came(work: Work) -> None:
    work.off("critical", "high", "medium", "low")
    assert {queue.name for queue in Queue.all(connection=work.redis)} == set(QUEUES)


# --- leases --------------------------------------------------------------------------------------


def test_leases_are_renewed_while_the_worker_is_busy(empty_redis: redis.Redis) -> None:
    work = Work(empty_redis)
    (job_id,) = work.put(body())
    claim = work.transitions.claim("w", ["high"], claim_id="c", lease=0.6)
    assert claim is not None
    beats: list[int] = []
    member = f"{job_id}:c"
    first = empty_redis.zscore(keys.started("high"), member)
    assert first is not None
    with Leases(empty_redis, 0.6, lambda _, held: beats.append(held)) as leases:
        leases.hold(claim)
        wait_until(lambda: (empty_redis.zscore(keys.started("high"), member) or 0) > first + 1)
    assert 1 in beats


def test_a_lease_taken_back_is_known_to_be_lost(empty_redis: redis.Redis) -> None:
    work = Work(empty_redis)
    (job_id,) = work.put(body())
    claim = work.transitions.claim("w", ["high"], claim_id="c", lease=30)
    assert claim is not None
    with Leases(empty_redis, 0.3, lambda _, held: None) as leases:
        leases.hold(claim)
        assert leases.still(claim, job_id)
        work.transitions.release("high", "c", [job_id])
        wait_until(lambda: not leases.still(claim, job_id))


def test_the_renewing_thread_outlives_every_error(empty_redis: redis.Redis) -> None:
    beats: list[int] = []

    def beat(_: redis.Redis, held: int) -> None:
        beats.append(held)
        raise redis.ConnectionError("away") if len(beats) == 1 else ValueError("a bug")

    with Leases(empty_redis, 0.3, beat):
        wait_until(lambda: len(beats) > 3)


# --- the alarm ------------------------------------------------------------------------------------


def test_the_alarm_ends_a_body_at_its_timeout_and_never_after_it() -> None:
    alarm = Alarm()
    with pytest.raises(Overrun), alarm.watch(0.05):
        signal.pause()
    with alarm.watch(60):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_alarm_ends_a_body_when_the_worker_must_stop_and_starts_no_other() -> None:
    alarm = Alarm()
    alarm.halt_in(0.05)
    with pytest.raises(Halt), alarm.watch(60):
        signal.pause()
    assert alarm.halted
    with pytest.raises(Halt), alarm.watch(60):
        pytest.fail("the grace time is over")


def test_rqworker_says_in_one_sentence_that_redis_is_away(tmp_path: Any) -> None:
    environment = {**os.environ, "REDIS_URL": f"unix://{tmp_path}/nothing.sock"}
    program = (
        "import django; django.setup()\n"
        "from ingest.queue import connections; connections.START_DELAYS = (0.01,)\n"
        "from django.core.management import call_command; call_command('rqworker', 'high')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr
