"""From a job's changes to callback jobs: each once, none lost, whatever happens in between (B7)."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import redis

from ingest import outbox
from ingest.callbacks import notice
from ingest.kinds.callbacks import Task
from ingest.outbox import dispatch
from ingest.queue import keys, payload
from ingest.queue.transitions import Failure, NewJob, Transitions, new_id

URL = "https://hooks.example.org/told?token=hunter2"


class Told:
    """Jobs with callbacks, and the callback jobs that came of them."""

    def __init__(self, client: redis.Redis) -> None:
        self.redis = client
        self.transitions = Transitions(client)

    def job(self, **changes: Any) -> str:
        job_id = new_id()
        event = payload.Payload(job_id, "alert", datetime.now(UTC), "high", "edge", "acme", "client-1", b"{}")
        values = {
            "id": job_id, "queue": "high", "data": payload.encode(event), "kind": "alert", "source": "edge",
            "tenant": "acme", "event_id": "client-1", "callback": URL,
        }  # fmt: skip
        assert self.transitions.enqueue([NewJob(**(values | changes))])[0].accepted
        return job_id

    def claim(self, queue: str = "high") -> tuple[str, list[str]]:
        claim = self.transitions.claim("w1", [queue], claim_id=new_id(), lease=30)
        assert claim is not None
        return claim.id, [job.id for job in claim.jobs]

    def dispatch(self) -> int:
        return dispatch(self.redis, self.transitions)

    def waiting(self) -> list[str]:
        return [job_id.decode() for job_id in self.redis.lrange(keys.queue("low"), 0, -1)]

    def tasks(self) -> list[Task]:
        return [msgspec.json.decode(self.payload(job_id).body, type=Task) for job_id in self.waiting()]

    def payload(self, job_id: str) -> payload.Payload:
        data = self.redis.hget(keys.job(job_id), "data")
        assert isinstance(data, bytes)
        return payload.decode(data, job_id)

    def notices(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(task.notice) for task in self.tasks()]


@pytest.fixture
def told(empty_redis: redis.Redis) -> Told:
    return Told(empty_redis)


def fail(told: Told, *, retry: bool) -> str:
    claim, [job_id] = told.claim()
    message = "no chat for {'response_token': 'hunter2'}"
    told.transitions.fail("high", claim, "w1", [Failure(job_id, "Traceback", "error", retry, "KeyError", message)])
    return job_id


def test_every_change_of_a_job_is_told(told: Told) -> None:
    """B7: queued, started, retrying, failed, and once more after a requeue, to the end."""
    job_id = told.job(retry_delays=(0,))
    fail(told, retry=True)
    fail(told, retry=True)
    told.transitions.requeue("high", [job_id])
    claim, _ = told.claim()
    told.transitions.complete("high", claim, "w1", [job_id], results={job_id: {"n": 1, "response_token": "hunter2"}})

    assert told.dispatch() == 8
    notices = told.notices()
    events = [(notice["event"], notice["job"]["attempts"]) for notice in notices]
    assert events == [
        ("queued", 0), ("started", 1), ("retrying", 1), ("started", 2), ("failed", 2), ("queued", 2), ("started", 3),
        ("finished", 3),
    ]  # fmt: skip
    assert {notice["job"]["id"] for notice in notices} == {job_id}
    assert notices[-1]["result"] == {"n": 1, "response_token": "•••"}
    assert notices[4]["error"] == {
        "type": "KeyError",
        "message": "no chat for {'response_token': •••}",
        "reason": "error",
    }
    assert [notice["at"] for notice in notices] == sorted(notice["at"] for notice in notices)
    assert told.redis.llen(keys.OUTBOX) == 0


def test_trash_and_canceled_are_told_each_time_they_happen(told: Told) -> None:
    job_id = told.job()
    told.transitions.discard("high", [job_id])
    told.transitions.restore("high", [job_id])
    told.transitions.discard("high", [job_id])
    told.transitions.restore("high", [job_id])
    told.transitions.cancel("high", [job_id])

    told.dispatch()
    assert [notice["event"] for notice in told.notices()] == [
        "queued",
        "trash",
        "queued",
        "trash",
        "queued",
        "canceled",
    ]


def test_a_large_result_does_not_fill_the_outbox(told: Told) -> None:
    """A hundred of 1 MiB, the most that a handler may return, would be read at once."""
    for size, is_told in ((notice.RESULT_BYTES - 2, True), (notice.RESULT_BYTES + 2, False)):
        told.job()
        claim, [job_id] = told.claim()
        told.redis.delete(keys.OUTBOX)
        told.transitions.complete("high", claim, "w1", [job_id], results={job_id: "x" * size})
        [line] = told.redis.lrange(keys.OUTBOX, 0, -1)
        assert (len(line) > notice.RESULT_BYTES) is is_told
        assert (notice.notice(notice.read(line))["result"] is not None) is is_told


def test_a_job_without_a_callback_is_told_to_nobody(told: Told) -> None:
    told.job(callback="")
    claim, ids = told.claim()
    told.transitions.complete("high", claim, "w1", ids)
    assert told.dispatch() == 0
    assert told.waiting() == []


def test_the_job_says_who_is_told_without_the_secret_part_of_the_address(told: Told) -> None:
    job_id = told.job()
    told.dispatch()
    [task] = told.tasks()
    assert task.callback == URL
    assert task.title == f"queued: alert {job_id}, told to https://hooks.example.org:443"
    [callback_id] = told.waiting()
    found = told.payload(callback_id)
    assert (found.kind, found.tenant, found.source, found.priority) == ("callback", "acme", "", "low")
    hashed = told.redis.hgetall(keys.job(callback_id))
    assert (hashed[b"mode"], hashed[b"timeout"], hashed[b"retry_intervals"]) == (b"async", b"60", b"[10,20,40,80,160]")
    assert b"callback" not in hashed  # nobody is told of a telling


def test_a_crash_between_enqueueing_and_trimming_doubles_nothing(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.job()
    lines = told.redis.lrange(keys.OUTBOX, 0, -1)
    told.dispatch()
    told.redis.rpush(keys.OUTBOX, *lines)  # as if it had died before the lines were taken out
    told.dispatch()
    assert len(told.waiting()) == 1

    # Also when the callback's job has ended meanwhile.
    claim, ids = told.claim("low")
    told.transitions.complete("low", claim, "w1", ids)
    told.redis.rpush(keys.OUTBOX, *lines)
    assert told.dispatch() == 1
    assert told.waiting() == []


def test_a_crash_before_enqueueing_loses_nothing(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.job()

    def die(*args: Any, **more: Any) -> None:
        raise redis.ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(told.transitions, "enqueue", die)
        with pytest.raises(redis.ConnectionError):
            told.dispatch()
    assert told.redis.llen(keys.OUTBOX) == 1
    assert told.dispatch() == 1
    assert len(told.waiting()) == 1


def test_two_leaders_at_once_take_out_only_what_they_enqueued(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease of one lapsed while it was in the middle."""
    told.job()
    other = Transitions(told.redis)
    real = told.transitions.enqueue

    def enqueue(jobs: Any, **more: Any) -> Any:
        done = real(jobs, **more)
        monkeypatch.undo()
        assert dispatch(told.redis, other) == 1
        told.job()  # a line that the first leader has not seen
        return done

    monkeypatch.setattr(told.transitions, "enqueue", enqueue)
    assert told.dispatch() == 0
    assert told.redis.llen(keys.OUTBOX) == 1
    assert told.dispatch() == 1
    assert len(told.waiting()) == 2


def test_what_is_no_line_is_dropped_and_holds_nobody_up(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.redis.rpush(keys.OUTBOX, b"\xff", b"{}", b'["hunter2"]')
    told.job()
    assert told.dispatch() == 4
    assert len(told.waiting()) == 1
    assert "cannot be read and was dropped" in caplog.text
    assert "hunter2" not in caplog.text


def test_one_call_is_bounded_and_the_next_goes_on(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "STEP", 4)
    monkeypatch.setattr(outbox, "STEPS", 2)
    for _ in range(10):
        told.job()
    assert [told.dispatch(), told.dispatch(), told.dispatch()] == [8, 2, 0]
    ids = [notice["job"]["id"] for notice in told.notices()]
    assert ids == sorted(ids)
    assert len(ids) == 10


def test_a_callback_that_fails_for_good_tells_nobody_else(told: Told) -> None:
    told.job()
    told.dispatch()
    claim, [callback_id] = told.claim("low")
    told.transitions.fail("low", claim, "w1", [Failure(callback_id, "Traceback", "permanent", False)])
    assert told.redis.llen(keys.OUTBOX) == 0
    assert told.redis.zscore(keys.failed("low"), callback_id) is not None
