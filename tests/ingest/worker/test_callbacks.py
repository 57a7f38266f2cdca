"""B7: from the change of a job to the receiver, by a real worker and a real round of maintenance."""

import json
from typing import Any

import pytest

from ingest.callbacks import signature
from ingest.kinds import CALLBACK
from ingest.models import Event
from ingest.outbox import dispatch
from ingest.queue import keys
from ingest.reading.runs import attempts
from tests.ingest.callbacks.conftest import Receiver, receiver  # noqa: F401 - a fixture
from tests.ingest.worker.conftest import Work


def settle(work: Work) -> None:
    """Everything done, and everybody told."""
    while work.off() and dispatch(work.redis, work.transitions):
        pass


def test_the_receiver_hears_the_whole_life_of_a_job(work: Work, receiver: Receiver) -> None:  # noqa: F811
    [job_id] = work.put({"title": "x", "fault": "error:1"}, callback=receiver.url)
    settle(work)

    notices = sorted((hit.json for hit in receiver.hits), key=lambda notice: notice["at"])
    told = [(notice["event"], notice["job"]["attempts"]) for notice in notices]
    assert told == [("queued", 0), ("started", 1), ("retrying", 1), ("started", 2), ("finished", 2)]
    assert {notice["job"]["id"] for notice in notices} == {job_id}
    assert notices[2]["error"]["type"] == "FaultError"
    ids = [hit.headers["webhook-id"] for hit in receiver.hits]
    assert len(set(ids)) == 5
    for hit in receiver.hits:
        again = signature.headers(hit.headers["webhook-id"], int(hit.headers["webhook-timestamp"]), hit.body)
        assert hit.headers["webhook-signature"] == again["webhook-signature"]
    assert work.redis.llen(keys.OUTBOX) == 0
    assert Event.objects.filter(kind="callback", processed_at__isnull=False).count() == 5
    assert work.dead("low") == []


def test_what_a_handler_returns_is_told(work: Work, receiver: Receiver, effect: Any) -> None:  # noqa: F811
    def send(payload: Any, context: Any) -> dict[str, Any]:
        return {"sent": 1, "response_token": "hunter2"}

    effect(send)
    work.put({"title": "x"}, kind="mail", callback=receiver.url)
    settle(work)
    results = [hit.json["result"] for hit in receiver.hits if hit.json["event"] == "finished"]
    assert results == [{"sent": 1, "response_token": "•••"}]
    assert all(b"hunter2" not in hit.body for hit in receiver.hits)


def test_d11_what_an_exception_says_reaches_neither_receiver_nor_log(
    work: Work,
    receiver: Receiver,  # noqa: F811
    effect: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(payload: Any, context: Any) -> None:
        raise KeyError("no chat for response_token=hunter2")

    effect(fail)
    work.put({"title": "x"}, kind="mail", callback=receiver.url)
    settle(work)
    assert "KeyError: 'no chat for response_token=•••" in caplog.text
    assert "hunter2" not in caplog.text
    assert all(b"hunter2" not in hit.body for hit in receiver.hits)


def test_a_receiver_that_is_busy_is_told_again(work: Work, receiver: Receiver) -> None:  # noqa: F811
    busy = True
    receiver.answer = lambda hit: 503 if busy else 200
    work.put({"title": "x", "fault": "permanent"}, callback=receiver.url)
    settle(work)
    assert len(receiver.hits) == 3
    waiting = [job_id.decode() for job_id in work.redis.zrange(keys.scheduled("low"), 0, -1)]
    assert len(waiting) == 3
    now = work.redis.time()[0]
    for job_id in waiting:
        assert work.field(job_id, "error_message") == f"http://127.0.0.1:{receiver.port} answered 503"
        assert 5 < float(work.redis.zscore(keys.scheduled("low"), job_id) or 0) - now < 12

    busy = False
    work.transitions.run_now("low", waiting)
    settle(work)
    again = receiver.hits[3:]
    assert sorted(hit.headers["webhook-id"] for hit in again) == sorted(waiting)
    first = {hit.headers["webhook-id"]: hit.body for hit in receiver.hits[:3]}
    assert all(hit.body == first[hit.headers["webhook-id"]] for hit in again)
    assert work.dead("low") == []


def test_one_that_says_no_is_a_dead_letter_that_says_why(
    work: Work,
    receiver: Receiver,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    """D11: neither its path nor its query stands anywhere but in the payload."""
    receiver.answer = lambda hit: 404
    work.put({"title": "x"}, callback=f"{receiver.url}?token=hunter2")
    settle(work)
    dead = work.dead("low")
    assert len(dead) == 3
    for job_id in dead:
        assert work.field(job_id, "reason") == "permanent"
        assert work.field(job_id, "error_message") == f"http://127.0.0.1:{receiver.port} answered 404"
        [attempt] = attempts(work.redis, job_id)
        assert "answered 404" in attempt.traceback
        assert "hunter2" not in attempt.traceback
    assert "hunter2" not in caplog.text


def test_private_addresses_end_as_dead_letters_and_are_not_called(
    work: Work,
    receiver: Receiver,  # noqa: F811
    settings: Any,
) -> None:
    """S9: also when a job's hash was written by somebody else."""
    settings.CALLBACK_ALLOW_NETWORKS = []
    work.put({"title": "x"}, callback=receiver.url)
    work.put({"title": "x"}, callback="os.system")
    settle(work)
    errors = {work.field(job_id, "error_message") for job_id in work.dead("low")}
    assert any("is not a public web server" in str(error) for error in errors)
    assert "the function os.system is not in CALLBACKS" in errors
    assert receiver.connections == 0


def test_many_are_told_at_once(work: Work, receiver: Receiver) -> None:  # noqa: F811
    """Up to ten at a time: more than a hundred slow ones would otherwise take minutes."""
    work.put(*[{"title": "x"}] * 20, callback=receiver.url)
    settle(work)
    assert len(receiver.hits) == 60
    assert json.loads(receiver.hits[0].body)["event"] == "queued"
    assert CALLBACK.concurrency == 10
