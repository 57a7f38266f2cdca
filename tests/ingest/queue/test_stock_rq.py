"""Beside stock RQ: its workers run our jobs, its tools show them, its clients' jobs come to us."""

import json
import subprocess
import sys
import types
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
import rq
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from ingest.queue import keys
from ingest.queue.payload import Payload, Unreadable, decode, encode, from_envelope
from ingest.queue.transitions import Failure, Recovered
from tests.ingest.queue.conftest import Queue, make_job, make_payload

ran: list[Payload] = []


@pytest.fixture(autouse=True)
def _jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ingest.jobs` with a function that notes what it was given."""
    ran.clear()

    def process_event(envelope: dict[str, Any]) -> None:
        job = rq.get_current_job()
        assert job is not None
        event = from_envelope(envelope, job.id)
        if b"boom" in event.body:
            raise ValueError("boom")
        ran.append(event)

    module = types.ModuleType("ingest.jobs")
    module.process_event = process_event  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ingest.jobs", module)
    monkeypatch.setattr("ingest.jobs", module, raising=False)


def work(connection: redis.Redis, *queues: str) -> None:
    worker = rq.SimpleWorker(list(queues), connection=connection, serializer=JSONSerializer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RQ's own deprecations
        worker.work(burst=True, logging_level="ERROR")


def fetch(queue: Queue, job_id: str) -> Job:
    return Job.fetch(job_id, connection=queue.redis, serializer=JSONSerializer)


def stock(queue: Queue, name: str = "high") -> rq.Queue:
    return rq.Queue(name, connection=queue.redis, serializer=JSONSerializer)


def test_a_stock_worker_runs_our_job(queue: Queue) -> None:
    event = make_payload(body=b'{"title":"disk full"}')
    job_id = queue.add(id=event.id, data=encode(event))
    work(queue.redis, "critical", "high")
    assert ran == [event]
    assert queue.places(job_id) == []
    assert not queue.redis.exists(keys.job(job_id)), "result_ttl 0 holds for stock workers too"


def test_a_stock_worker_meets_only_the_job_that_has_the_turn(queue: Queue) -> None:
    events = [make_payload(body=b'{"n":%d}' % n) for n in range(3)]
    for event in events:
        queue.add(id=event.id, data=encode(event), ordering_key="chat")
    for number in range(3):
        work(queue.redis, "high")
        assert ran == events[: number + 1]
        assert queue.transitions.end_turns(["chat"]) == 1


def test_a_stock_worker_retries_our_job_by_our_delays(queue: Queue) -> None:
    event = make_payload(body=b'{"title":"boom"}')
    job_id = queue.add(id=event.id, data=encode(event), retry_delays=(60, 300))
    work(queue.redis, "high")
    assert queue.places(job_id) == ["scheduled"]
    assert fetch(queue, job_id).retries_left == 1
    queue.redis.zadd(keys.scheduled("high"), {job_id: 1})
    assert queue.transitions.promote("high") == 1
    claim = queue.claim()
    assert (claim.jobs[0].ours, claim.jobs[0].retries_left) == (True, 1)


def test_a_stock_workers_dead_letter_can_be_requeued(queue: Queue) -> None:
    event = make_payload(body=b'{"title":"boom"}')
    job_id = queue.add(id=event.id, data=encode(event), retry_delays=())
    work(queue.redis, "high")
    assert queue.places(job_id) == ["failed"]
    assert queue.redis.zscore(keys.failed("high"), job_id) == -1
    assert queue.redis.ttl(keys.job(job_id)) == -1
    assert queue.transitions.requeue("high", [job_id]) == [job_id]
    assert queue.places(job_id) == ["queued"]


@pytest.mark.parametrize("state", ["queued", "scheduled", "started", "retrying", "failed", "recovered", "requeued"])
def test_stock_rq_reads_our_job_in_every_state(queue: Queue, state: str) -> None:
    """One bad date, status or number makes every stock fetch raise."""
    job_id = queue.add(delay=60 if state == "scheduled" else 0)
    if state not in ("queued", "scheduled"):
        claim = queue.lapsed() if state == "recovered" else queue.claim()
    if state == "recovered":
        queue.transitions.recover("high")
    if state in ("retrying", "failed", "requeued"):
        queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "x" * 999, retry=state == "retrying")])
    if state == "requeued":
        queue.transitions.requeue("high", [job_id])
    expected = {"retrying": "scheduled", "recovered": "queued", "requeued": "queued"}.get(state, state)
    job = fetch(queue, job_id)
    assert job.get_status() == JobStatus(expected)
    assert job.func_name == "ingest.jobs.process_event"
    assert (job.timeout, job.result_ttl, job.failure_ttl, job.origin) == (300, 0, -1, "high")
    assert job.retry_intervals == [1, 5, 25]
    assert job.created_at == datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
    assert job.enqueued_at is not None
    assert abs(job.enqueued_at - datetime.now(UTC)) < timedelta(seconds=60)
    job.save()
    assert queue.hash(job_id)["kind"] == "alert", "our fields survive a stock save"
    assert fetch(queue, job_id).get_status() == JobStatus(expected)


def test_stock_registries_show_our_jobs_and_reading_deletes_none(queue: Queue) -> None:
    ids = [queue.add() for _ in range(3)]
    later = queue.add(delay=60)
    claim = queue.claim(limit=2)
    queue.transitions.fail("high", claim.id, "w1", [Failure(ids[0], "boom", retry=False)])
    registry = {"queue": stock(queue)}
    assert FailedJobRegistry(**registry).get_job_ids() == [ids[0]]
    assert StartedJobRegistry(**registry).get_job_ids() == [ids[1]]
    assert ScheduledJobRegistry(**registry).get_job_ids() == [later]
    assert stock(queue).get_job_ids() == [ids[2]]
    assert [queue.places(job_id) for job_id in (*ids, later)] == [["failed"], ["started"], ["queued"], ["scheduled"]]


def test_rq_info_shows_the_queues(queue: Queue) -> None:
    for name in ("critical", "high", "medium", "low"):
        queue.add(queue=name)
    path = queue.redis.connection_pool.connection_kwargs["path"]
    shown = subprocess.run(
        [sys.executable, "-m", "rq.cli", "info", "--url", f"unix://{path}", "--raw", "--only-queues"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    for name in ("critical", "high", "medium", "low"):
        assert f"queue {name} 1" in shown


def test_a_stock_requeue_of_our_dead_letter_is_claimable(queue: Queue) -> None:
    job_id = queue.add()
    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom", retry=False)])
    fetch(queue, job_id).requeue()
    assert queue.places(job_id) == ["queued"]
    (job,) = queue.claim().jobs
    assert (job.id, job.ours, job.attempts) == (job_id, True, 1)
    assert decode(job.data, job.id).kind == "alert"


def test_a_stock_clients_job_is_claimable_and_marked(queue: Queue) -> None:
    job = stock(queue).enqueue("os.system", "touch /tmp/never")
    (claimed,) = queue.claim().jobs
    assert (claimed.id, claimed.ours) == (job.id, False)
    with pytest.raises(Unreadable) as caught:
        decode(claimed.data, claimed.id)
    assert caught.value.reason == "not_allowed"
    assert queue.places(job.id) == ["started"]
    assert queue.counters() == {"foreign_claimed": 1}


def test_a_stock_clients_job_can_fail_and_be_recovered_with_counters_of_its_own(queue: Queue) -> None:
    job = stock(queue).enqueue("ingest.jobs.other", retry=rq.Retry(max=1, interval=30), ttl=500)
    queue.lapsed()
    assert queue.redis.ttl(keys.job(job.id)) == -1, "RQ8: its time to live must not end while it runs"
    assert queue.transitions.recover("high") == Recovered(1)
    claim = queue.claim()
    assert queue.transitions.fail("high", claim.id, "w1", [Failure(job.id, "boom")]) == {job.id: "retry"}
    queue.redis.zadd(keys.scheduled("high"), {job.id: 1})
    queue.transitions.promote("high")
    claim = queue.claim()
    assert queue.transitions.fail("high", claim.id, "w1", [Failure(job.id, "boom")]) == {job.id: "dead"}
    assert queue.transitions.requeue("high", [job.id]) == [job.id]
    claim = queue.claim()
    assert queue.transitions.complete("high", claim.id, "w1", [job.id]) == []
    assert all(name.startswith("foreign_") for name in queue.counters())


def test_a_stock_schedule_is_promoted(queue: Queue) -> None:
    job = stock(queue).enqueue_at(datetime.now(UTC) - timedelta(seconds=5), "ingest.jobs.other")
    assert queue.transitions.promote("high") == 1
    assert [each.id for each in queue.claim().jobs] == [job.id]


def test_a_stock_cancel_of_a_waiting_job_stands(queue: Queue) -> None:
    job_id, other = queue.add(), queue.add()
    fetch(queue, job_id).cancel()
    queue.redis.lpush(keys.queue("high"), job_id)  # as if the stock client's LREM had come too early
    assert [job.id for job in queue.claim().jobs] == [other]
    assert queue.hash(job_id)["status"] == "canceled"


@pytest.mark.parametrize(
    ("field", "value"),
    [("retries_left", "many"), ("retry_intervals", "{"), ("retry_intervals", "7"), ("attempts", "x"), ("crashes", "")],
)
def test_what_another_client_wrote_never_stops_a_script_half_way(queue: Queue, field: str, value: str) -> None:
    """RQ9, RQ30: one malformed hash must not stop the others."""
    bad, good = make_job(), make_job()
    queue.transitions.enqueue([bad, good])
    queue.redis.hset(keys.job(bad.id), field, value)
    claim = queue.lapsed()
    queue.transitions.recover("high")
    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(job.id, "boom", retry=False) for job in claim.jobs])
    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(job.id, "boom") for job in claim.jobs])
    queue.transitions.requeue("high", [bad.id, good.id])
    for job in (bad, good):
        assert len(queue.places(job.id)) == 1


def test_a_pickle_is_no_payload(queue: Queue) -> None:
    job = rq.Queue("high", connection=queue.redis).enqueue("os.system", "touch /tmp/never")
    (claimed,) = queue.claim().jobs
    with pytest.raises(Unreadable):
        decode(claimed.data, claimed.id)
    assert claimed.id == job.id


def test_our_data_is_json_for_stock_tools(queue: Queue) -> None:
    job = fetch(queue, queue.add())
    assert json.loads(job.data)[0] == job.func_name
    assert job.args[0]["kind"] == "alert"
