"""Looking at jobs (B6, B13-B16, D4, D8, D12, E1, E4)."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from ingest import client
from ingest.models import Event
from ingest.queue import keys
from ingest.reading import lists, several
from tests.conftest import Valkey
from tests.ingest.client.conftest import WORKER, Worker

pytestmark = pytest.mark.django_db


def pages(face: Any, state: str, **options: Any) -> list[str]:
    """The ids on all pages."""
    found, cursor = [], None
    while True:
        page = face.list_jobs(state, cursor=cursor, **options)
        found += [job.id for job in page.items]
        cursor = page.next
        if cursor is None:
            return found


# --- one job -------------------------------------------------------------------------------------


def test_a_job_is_told_with_its_place(face: Any, empty_redis: redis.Redis) -> None:
    ids = [face.enqueue("memo", id=f"m{n}", source="bot").id for n in range(3)]
    face.enqueue("alert", priority="critical")
    job = face.get(ids[1])
    assert (job.id, job.event_id, job.kind, job.source, job.state) == (ids[1], "m1", "memo", "bot", "queued")
    assert (job.queue, job.position, job.ahead, job.attempts, job.attempts_left) == ("medium", 2, 2, 0, 2)


def test_d8_position_is_the_place_in_the_queue_and_none_once_it_left(face: Any, worker: Worker) -> None:
    first, second = (face.enqueue("memo").id for _ in range(2))
    assert [face.position(first), face.position(second)] == [1, 2]
    worker.complete()
    assert face.position(second) == 1
    worker.claim()
    assert face.position(second) is None


def test_d10_what_waits_for_its_turn_has_the_places_behind_the_queue(face: Any, worker: Worker) -> None:
    words = {"text": "hello", "thread": "chat-7"}
    ids = [face.enqueue("memo", **words).id for _ in range(3)]
    other = face.enqueue("memo").id
    in_order = [ids[0], other, *ids[1:]]
    assert [face.position(job_id) for job_id in in_order] == [1, 2, 3, 4]
    assert [job.position for job in several.read(in_order).values()] == [1, 2, 3, 4]
    assert [face.get(job_id).waits_for for job_id in in_order] == [None, None, ids[0], ids[0]]
    for limit in (1, 2, 3, 50):
        assert pages(face, "queued", limit=limit) == in_order
    assert face.counts().queued == 4
    worker.complete()
    assert pages(face, "queued") == [other, *ids[1:]]
    assert [face.position(job_id) for job_id in ids[1:]] == [2, 3]


def test_a_far_place_is_a_number_too(face: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.reading.jobs.POSITION_CAP", 2)
    ids = [face.enqueue("memo").id for _ in range(4)]
    assert [face.position(job_id) for job_id in ids] == [1, 2, 10_001, 10_001]


def test_b6_progress_and_log_are_what_the_handler_said(face: Any, worker: Worker) -> None:
    job_id = face.enqueue("memo").id
    assert (face.progress(job_id), face.log(job_id)) == (None, [])
    claim = worker.claim()
    worker.transitions.progress("medium", claim.id, job_id, value={"done": 3, "of": 4}, line="nearly")
    worker.transitions.progress("medium", claim.id, job_id, line="there")
    assert face.progress(job_id) == {"done": 3, "of": 4}
    assert face.get(job_id).progress == {"done": 3, "of": 4}
    assert face.log(job_id) == ["nearly", "there"]


def test_b11_a_result_is_told_while_it_is_kept(face: Any, worker: Worker) -> None:
    job_id = face.enqueue("memo").id
    assert face.get(job_id).result is None
    worker.complete(result={"rows": [1, 2]})
    job = face.get(job_id)
    assert (job.state, job.result, job.attempts) == ("finished", {"rows": [1, 2]}, 1)


def test_failed_executions_are_told_with_their_tracebacks(face: Any, worker: Worker) -> None:
    job_id = face.enqueue("memo").id
    worker.fail(retry=True)
    face.run_now(job_id)
    worker.fail()
    first, second = face.attempts(job_id)
    assert (first.number, first.retried, first.reason, first.error_type) == (1, True, "error", "ValueError")
    assert (second.number, second.retried, second.message, second.worker) == (2, False, "no such device", WORKER)
    assert first.traceback.startswith("Traceback (most recent call last):")
    assert first.started_at is not None
    assert first.started_at <= first.ended_at <= second.ended_at
    error = face.get(job_id).error
    assert (error.type, error.message, error.reason) == ("ValueError", "no such device", "error")


def test_a_finished_job_is_told_from_its_row(face: Any, empty_redis: redis.Redis) -> None:
    received = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    Event.objects.create(
        id="e1", received_at=received, kind="memo", priority="high", body='{"n":1}', processed_at=received
    )
    assert (face.get("e1").state, face.payload("e1")) == ("finished", {"n": 1})


@pytest.mark.parametrize("function", ["get", "position", "progress", "payload", "retry", "remove", "cancel", "restore"])
@pytest.mark.parametrize("job_id", ["nobody", "\0", "é:*"])
def test_an_unknown_id_is_not_found(face: Any, empty_redis: redis.Redis, function: str, job_id: str) -> None:
    with pytest.raises(client.NotFound):
        getattr(face, function)(job_id)


def test_d12_the_event_is_read_as_it_was_sent(face: Any, empty_redis: redis.Redis) -> None:
    job_id = face.enqueue("memo", text="hello", response_token="secret", n=2**70).id
    assert face.payload(job_id) == {"kind": "memo", "text": "hello", "response_token": "secret", "n": 2**70}


def test_data_that_cannot_be_read_is_no_event(face: Any, empty_redis: redis.Redis) -> None:
    job_id = face.enqueue("memo").id
    empty_redis.hset(keys.job(job_id), "data", b"\xff")
    with pytest.raises(client.NotFound):
        face.payload(job_id)


def test_d8_a_users_latest_message(face: Any, worker: Worker) -> None:
    assert face.get_user_request("u1", kind="memo") is None
    face.enqueue("memo", user_id="u1")
    latest = face.enqueue("memo", user_id="u1").id
    face.enqueue("memo", user_id="u2")
    face.enqueue("memo", user_id="u1", tenant="acme")
    assert face.get_user_request("u1", kind="memo").id == latest
    worker.claim()
    assert face.get_user_request("u1", kind="memo").state == "queued"
    assert face.get_user_request("u1", kind="memo", tenant="acme").id != latest
    with pytest.raises(ValueError, match="alert have no user"):
        face.get_user_request("u1", kind="alert")
    with pytest.raises(ValueError, match="kind must be one of"):
        face.get_user_request("u1", kind="poem")


@pytest.mark.parametrize(
    "look",
    [
        lambda face: face.get("x"),
        lambda face: face.payload("x"),
        lambda face: face.list_jobs("queued"),
        lambda face: face.counts(),
        lambda face: face.statistics(),
        lambda face: face.is_paused(),
        lambda face: face.log("x"),
    ],
)
def test_without_redis_whoever_looks_is_told(face: Any, mortal: Valkey, look: Any) -> None:
    mortal.kill()
    with pytest.raises(client.Unavailable) as refused:
        look(face)
    assert not refused.value.unknown


# --- lists ---------------------------------------------------------------------------------------


def test_b13_queued_jobs_are_listed_in_the_order_in_which_they_will_run(face: Any, empty_redis: redis.Redis) -> None:
    low = [receipt.id for receipt in face.enqueue_many([{"kind": "memo", "priority": "low"}] * 7)]
    high = [receipt.id for receipt in face.enqueue_many([{"kind": "memo", "priority": "high"}] * 5)]
    assert pages(face, "queued", limit=3) == high + low
    assert pages(face, "queued", limit=100) == high + low
    assert pages(face, "queued", queue="low", limit=2) == low
    page = face.list_jobs("queued", limit=12)
    assert (page.next, page.scanned, page.complete) == (None, 12, True)


def test_a_list_goes_on_when_its_head_was_claimed(face: Any, worker: Worker) -> None:
    ids = [receipt.id for receipt in face.enqueue_many([{"kind": "alert"}] * 10)]
    page = face.list_jobs("queued", limit=4)
    worker.claim(limit=2)
    assert [job.id for job in face.list_jobs("queued", limit=4, cursor=page.next).items] == ids[4:8]


def test_a_list_begins_anew_when_all_it_showed_was_claimed(face: Any, worker: Worker) -> None:
    ids = [receipt.id for receipt in face.enqueue_many([{"kind": "alert"}] * 10)]
    page = face.list_jobs("queued", limit=4)
    worker.claim(limit=6)
    assert [job.id for job in face.list_jobs("queued", limit=10, cursor=page.next).items] == ids[6:]


def test_a_list_leaves_no_job_out_when_the_last_one_shown_was_removed(face: Any, empty_redis: redis.Redis) -> None:
    ids = [receipt.id for receipt in face.enqueue_many([{"kind": "alert"}] * 10)]
    page = face.list_jobs("queued", limit=4)
    face.remove(ids[3])
    rest = [job.id for job in face.list_jobs("queued", limit=10, cursor=page.next).items]
    assert set(ids[4:]) <= set(rest) <= set(ids) - {ids[3]}


def test_tombstones_are_not_listed(face: Any, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.queue.calls.NEAR", 0)
    ids = [receipt.id for receipt in face.enqueue_many([{"kind": "alert"}] * 4)]
    face.remove(ids[1])
    face.cancel(ids[2])
    assert pages(face, "queued", limit=1) == [ids[0], ids[3]]
    assert pages(face, "trash") == [ids[1]]
    assert pages(face, "canceled") == [ids[2]]


def test_what_a_rate_limit_holds_back_is_listed_before_its_queue(face: Any, worker: Worker) -> None:
    face.set_rate_limit("source", "busy", most=1, seconds=3600)
    busy = [face.enqueue("alert", source="busy").id for _ in range(3)]
    calm = [face.enqueue("alert", source="calm").id for _ in range(2)]
    worker.claim(limit=2)
    assert pages(face, "queued", limit=1) == [*busy[1:], calm[1]]
    face.remove_rate_limit("source", "busy")
    page = face.list_jobs("queued", limit=2)
    worker.claim(limit=2)  # both held back ones: their list is gone
    assert [job.id for job in face.list_jobs("queued", cursor=page.next).items] == [calm[1]]


def test_delayed_and_retrying_jobs_are_told_apart(face: Any, worker: Worker) -> None:
    late, soon = face.enqueue("memo", delay_seconds=90).id, face.enqueue("memo", delay_seconds=30).id
    retrying = face.enqueue("memo").id
    worker.fail(retry=True)
    assert pages(face, "scheduled", limit=1) == [soon, late]
    assert pages(face, "retrying") == [retrying]
    (job,) = face.list_jobs("retrying").items
    assert timedelta(seconds=30) < job.next_attempt_at - datetime.now(UTC) < timedelta(seconds=70)


def test_started_jobs_are_listed(face: Any, worker: Worker) -> None:
    ids = {face.enqueue("alert", priority=queue).id for queue in ("high", "low", "low")}
    worker.claim("high")
    worker.claim("low")
    assert set(pages(face, "started", limit=1)) == ids
    assert len(pages(face, "started", queue="low")) == 2


def test_d4_e4_dead_letters_are_listed_with_their_errors_the_newest_first(face: Any, worker: Worker) -> None:
    ids = []
    for queue in ("high", "low", "high"):
        ids.append(face.enqueue("alert", priority=queue).id)
        worker.fail(queue)
    assert pages(face, "failed", limit=1) == ids[::-1]
    assert pages(face, "failed", limit=2) == ids[::-1]
    job = face.list_jobs("failed").items[0]
    assert (job.error.message, job.error.at.tzinfo) == ("no such device", UTC)


def test_a_list_of_one_kind_looks_at_so_many_and_goes_on(
    face: Any, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LOOKED_AT", 10)
    face.enqueue_many([{"kind": "alert"}] * 25)
    wanted = [face.enqueue("memo").id for _ in range(3)]
    page = face.list_jobs("queued", kind="memo")
    assert (page.items, page.scanned) == ((), 10)
    assert page.next is not None
    assert pages(face, "queued", kind="memo", limit=2) == wanted


def test_a_long_queue_is_listed_to_its_bound(
    face: Any, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "DEPTH", 5)
    ids = [receipt.id for receipt in face.enqueue_many([{"kind": "alert"}] * 8)]
    assert pages(face, "queued", limit=2) == ids[:5]
    assert not face.list_jobs("queued").complete


@pytest.mark.both_databases
def test_finished_jobs_are_listed_from_their_rows_the_newest_first(face: Any, empty_redis: redis.Redis) -> None:
    start = datetime(2026, 11, 22, 10, 0, 0, 123457, tzinfo=UTC)

    def row(number: int, kind: str = "alert", priority: str = "high", **more: Any) -> str:
        at = start + timedelta(seconds=number // 2)  # two of each instant
        more = {"processed_at": at} | more
        Event.objects.create(id=f"e{number:02}", received_at=at, kind=kind, priority=priority, body="{}", **more)
        return f"e{number:02}"

    alerts = [row(number) for number in range(9)]
    memo, low = row(10, kind="memo"), row(12, priority="low")
    row(14, processed_at=None)  # its handler is not done
    newest_first = [low, memo, *reversed(alerts)]
    for limit in (1, 3, 50):
        assert pages(face, "finished", limit=limit) == newest_first
    assert pages(face, "finished", kind="memo") == [memo]
    assert pages(face, "finished", queue="low", limit=1) == [low]


def test_wrong_arguments_are_named_with_their_limits(face: Any, empty_redis: redis.Redis) -> None:
    for arguments, sentence in (
        ({"state": "waiting"}, "state must be one of queued, scheduled"),
        ({"state": "queued", "queue": "urgent"}, "queue must be one of critical, high, medium, low"),
        ({"state": "queued", "kind": "poem"}, "kind must be one of"),
        ({"state": "queued", "limit": 501}, "limit must be from 1 to 500, not 501"),
        ({"state": "queued", "limit": 0}, "limit must be from 1 to 500"),
    ):
        with pytest.raises(ValueError, match=sentence):
            face.list_jobs(**arguments)


@pytest.mark.parametrize("state", lists.STATES)
@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        base64.urlsafe_b64encode(b'{"high": [NaN, "x"]}').decode(),
        base64.urlsafe_b64encode(b'{"high": [1, "\\ud800"]}').decode(),
        base64.urlsafe_b64encode(b'{"alert": [1e300, "x"]}').decode(),
    ],
)
def test_a_cursor_made_by_hand_is_refused_or_harmless(
    face: Any, empty_redis: redis.Redis, state: str, cursor: str
) -> None:
    try:
        face.list_jobs(state, cursor=cursor)
    except client.BadCursor:
        return
    assert "1e300" in base64.urlsafe_b64decode(cursor).decode()
