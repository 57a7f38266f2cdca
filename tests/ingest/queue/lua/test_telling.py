"""What the scripts tell beside moving a job: attempts, progress, the outbox, the live channel, times, results."""

import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from ingest.queue import keys
from ingest.queue.transitions import Failure, new_id
from tests.ingest.queue.conftest import Queue


def attempts(queue: Queue, job_id: str) -> list[dict[str, str]]:
    return [
        {name.decode(): value.decode() for name, value in entry.items()}
        for _, entry in queue.redis.xrange(keys.results(job_id))
    ]


def outbox(queue: Queue) -> list[dict[str, Any]]:
    return [json.loads(line) for line in queue.redis.lrange(keys.OUTBOX, 0, -1)]


@pytest.fixture
def events(queue: Queue) -> Iterator[Any]:
    """What is said on the live channel since the last look."""
    with queue.redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(keys.EVENTS)
        listener.get_message(timeout=5)

        def heard() -> list[dict[str, Any]]:
            found = []
            while message := listener.get_message(timeout=0.1):
                found.append(json.loads(message["data"]))
            return found

        yield heard


def test_each_failed_execution_is_kept_with_its_traceback_and_times(queue: Queue) -> None:
    job_id = queue.add(retry_delays=(0,))
    for number in range(2):
        claim = queue.claim(worker=f"w{number}")
        failure = Failure(job_id, f"Traceback {number}", reason="error", error_type="KeyError", message=f"m{number}")
        queue.transitions.fail("high", claim.id, f"w{number}", [failure])
    first, second = attempts(queue, job_id)
    assert (first["type"], second["type"]) == ("4", "2")
    assert (first["attempt"], second["attempt"]) == ("1", "2")
    assert (first["worker_name"], first["error_type"], first["error_message"]) == ("w0", "KeyError", "m0")
    assert zlib.decompress(base64.b64decode(second["exc_string"])).decode() == "Traceback 1"
    assert float(first["execution_started_at"]) <= float(first["execution_ended_at"])


def test_a_crash_is_an_attempt_too(queue: Queue) -> None:
    job_id = queue.add()
    claim = queue.lapsed()
    queue.transitions.recover("high")
    (attempt,) = attempts(queue, job_id)
    assert (attempt["reason"], attempt["worker_name"], attempt["execution_id"]) == ("crash", "w1", claim.id)
    for _ in range(2):
        queue.lapsed()
        queue.transitions.recover("high")
    assert [attempt["reason"] for attempt in attempts(queue, job_id)] == ["crash", "crash", "poison"]


def test_stock_rq_reads_attempts_and_results(queue: Queue) -> None:
    job_id = queue.add(result_ttl=60, retry_delays=(0,))
    queue.transitions.fail("high", queue.claim().id, "w1", [Failure(job_id, "boom")])
    queue.transitions.complete("high", queue.claim().id, "w1", [job_id], results={job_id: {"n": [1, None, "ü"]}})
    job = Job.fetch(job_id, connection=queue.redis, serializer=JSONSerializer)
    newest, oldest = job.results()
    assert newest.return_value == {"n": [1, None, "ü"]}
    assert (oldest.type.name, oldest.exc_string) == ("RETRIED", "boom")
    assert job.return_value() == {"n": [1, None, "ü"]}


def test_progress_and_lines_are_the_holders_alone(queue: Queue) -> None:
    """B6."""
    job_id = queue.add()
    claim = queue.claim()
    for number in range(105):
        assert queue.transitions.progress("high", claim.id, job_id, value={"done": number}, line=f"line {number}")
    assert json.loads(queue.hash(job_id)["progress"]) == {"done": 104}
    lines = queue.redis.lrange(keys.log(job_id), 0, -1)
    assert (len(lines), lines[0], lines[-1]) == (100, b"line 5", b"line 104")
    assert not queue.transitions.progress("high", new_id(), job_id, value=1)
    queue.transitions.complete("high", claim.id, "w1", [job_id])
    assert not queue.transitions.progress("high", claim.id, job_id, line="late")
    assert not queue.redis.exists(keys.log(job_id), keys.job(job_id))


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_progress_that_is_no_json_is_refused(queue: Queue, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        queue.transitions.progress("high", "c", "j", value=value)


def test_the_outbox_tells_a_job_with_a_callback_step_by_step(queue: Queue) -> None:
    """B7, D2: in the same step as the change itself."""
    transitions = queue.transitions
    job_id = queue.add(callback="https://example.org/hook", result_ttl=60, retry_delays=(0.001,))
    silent = queue.add()
    claim = queue.claim()
    transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom", error_type="E", message="m")])
    transitions.complete("high", claim.id, "w1", [silent])
    while not transitions.promote("high"):
        pass
    claim = queue.claim()
    transitions.complete("high", claim.id, "w1", [job_id], results={job_id: 42})
    told = outbox(queue)
    assert [line["event"] for line in told] == ["queued", "started", "retrying", "queued", "started", "finished"]
    assert {line["id"] for line in told} == {job_id}
    assert told[2]["error"] == {"type": "E", "message": "m", "reason": "error"}
    assert json.loads(base64.b64decode(told[5]["result"])) == 42
    assert told[5]["source"] == "prometheus"
    assert told[5]["callback"] == "https://example.org/hook"


def test_the_outbox_tells_what_operators_do(queue: Queue) -> None:
    job_id = queue.add(callback="https://example.org/hook")
    queue.transitions.discard("high", [job_id])
    queue.transitions.restore("high", [job_id])
    queue.transitions.cancel("high", [job_id])
    assert [line["event"] for line in outbox(queue)] == ["queued", "trash", "queued", "canceled"]


def test_a_repeated_call_tells_once(queue: Queue) -> None:
    job_id = queue.add(callback="https://example.org/hook", retry_delays=())
    claim, request = queue.claim(), new_id()
    for _ in range(2):
        queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")], request_id=request)
    assert [line["event"] for line in outbox(queue)] == ["queued", "started", "failed"]


def test_the_live_channel_names_the_jobs_of_a_call(queue: Queue, events: Any) -> None:
    ids = [queue.add(), queue.add()]
    assert events() == [{"event": "queued", "queue": "high", "ids": [job_id]} for job_id in ids]
    claim = queue.claim()
    queue.transitions.progress("high", claim.id, ids[0], value=50, line="half")
    queue.transitions.complete("high", claim.id, "w1", ids)
    assert events() == [
        {"event": "started", "queue": "high", "ids": ids},
        {"event": "progress", "queue": "high", "ids": ids[:1], "value": "50", "line": "half"},
        {"event": "finished", "queue": "high", "ids": ids},
    ]


def test_times_are_counted_in_buckets(queue: Queue) -> None:
    """E17: waiting from being queued to the claim, running from the claim to the end."""
    ids = [queue.add(), queue.add()]
    queue.redis.hset(keys.job(ids[0]), "enqueued_at", "2020-02-29T23:59:59.999999Z")
    claim = queue.claim()
    queue.transitions.complete("high", claim.id, "w1", ids)
    wait = {name.decode(): int(value) for name, value in queue.redis.hgetall(keys.WAIT).items()}
    run = {name.decode(): int(value) for name, value in queue.redis.hgetall(keys.RUN).items()}
    assert wait[f"high|alert|{len(keys.BUCKETS)}"] == 1
    assert sum(number for name, number in wait.items() if not name.endswith("sum")) == 2
    assert sum(number for name, number in run.items() if not name.endswith("sum")) == 2
    seconds, _ = queue.redis.time()
    expected = seconds - 1_583_020_799.999999  # 2020-02-29T23:59:59.999999Z
    assert abs(wait["high|alert|sum"] / 1000 - expected) < 60


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-99T99:99:99Z", "2026-11-27"])
def test_a_time_that_a_stock_client_wrote_wrongly_harms_nothing(queue: Queue, text: str) -> None:
    job_id = queue.add()
    queue.redis.hset(keys.job(job_id), "enqueued_at", text)
    claim = queue.claim()
    queue.redis.hset(keys.job(job_id), "started_at", text)
    assert queue.transitions.complete("high", claim.id, "w1", [job_id]) == []


def test_the_last_claim_of_a_queue_is_dated(queue: Queue) -> None:
    queue.add()
    queue.claim("critical", "high")
    seconds, _ = queue.redis.time()
    served = queue.redis.hgetall(keys.SERVED)
    assert list(served) == [b"high"]
    assert seconds - 5 <= int(served[b"high"]) <= seconds
