"""One job moved, or its event replaced (B1, B16, B17-B19, D4, D12, E4)."""

import os
from collections.abc import Callable
from typing import Any

import pytest
import redis

from ingest import client
from ingest.queue import keys
from ingest.queue.transitions import Transitions
from tests.conftest import Valkey
from tests.ingest.client.conftest import Worker

pytestmark = pytest.mark.django_db


def queued(face: Any, worker: Worker) -> str:
    return str(face.enqueue("memo", text="hello").id)


def scheduled(face: Any, worker: Worker) -> str:
    return str(face.enqueue("memo", text="hello", delay_seconds=60).id)


def retrying(face: Any, worker: Worker) -> str:
    job_id = queued(face, worker)
    worker.fail(retry=True)
    return job_id


def started(face: Any, worker: Worker) -> str:
    job_id = queued(face, worker)
    worker.claim()
    return job_id


def finished(face: Any, worker: Worker) -> str:
    job_id = queued(face, worker)
    worker.complete(result=1)
    return job_id


def failed(face: Any, worker: Worker) -> str:
    job_id = queued(face, worker)
    worker.fail()
    return job_id


def trash(face: Any, worker: Worker) -> str:
    job_id = queued(face, worker)
    face.remove(job_id, by="anna")
    return job_id


def canceled(face: Any, worker: Worker) -> str:
    job_id = queued(face, worker)
    face.cancel(job_id, by="anna")
    return job_id


STATES: list[Callable[[Any, Worker], str]] = [
    queued,
    scheduled,
    retrying,
    started,
    finished,
    failed,
    trash,
    canceled,
]
MOVES: dict[str, tuple[Callable[[Any, str], None], dict[str, str]]] = {
    "retry": (lambda face, job_id: face.retry(job_id), {"failed": "queued"}),
    "run_now": (lambda face, job_id: face.run_now(job_id), {"scheduled": "queued", "retrying": "queued"}),
    "move": (lambda face, job_id: face.move(job_id, "high"), {"queued": "queued"}),
    "cancel": (
        lambda face, job_id: face.cancel(job_id),
        # One that runs is asked to end, which takes its worker's doing.
        dict.fromkeys(["queued", "scheduled", "retrying"], "canceled") | {"started": "started"},
    ),
    "remove": (
        lambda face, job_id: face.remove(job_id),
        dict.fromkeys(["queued", "scheduled", "retrying", "failed"], "trash"),
    ),
    "restore": (lambda face, job_id: face.restore(job_id), {"trash": "queued"}),
}


@pytest.mark.parametrize("make", STATES)
@pytest.mark.parametrize("name", MOVES)
def test_a_job_moves_from_where_it_may_and_from_nowhere_else(
    face: Any, worker: Worker, name: str, make: Callable[[Any, Worker], str]
) -> None:
    move, leads = MOVES[name]
    state = make.__name__
    job_id = make(face, worker)
    if state in leads:
        move(face, job_id)
        job = face.get(job_id)
        assert job.state == leads[state]
        assert job.moved_by.endswith(f"[{os.getpid()}]")
    elif (name, state) != ("remove", "finished"):
        with pytest.raises(client.AlreadyMoved) as refused:
            move(face, job_id)
        assert (refused.value.job_id, refused.value.state) == (job_id, state)
        assert face.get(job_id).state == state


def test_who_was_too_late_is_told_who_was_faster(face: Any, worker: Worker) -> None:
    job_id = failed(face, worker)
    face.retry(job_id, by="anna")
    with pytest.raises(client.AlreadyMoved, match="is queued, moved by anna") as refused:
        face.retry(job_id, by="ben")
    assert (refused.value.moved_by, refused.value.moved_at) == ("anna", face.get(job_id).moved_at)


def test_a_dead_letter_may_go_to_another_queue_with_all_its_retries(face: Any, worker: Worker) -> None:
    job_id = failed(face, worker)
    face.retry(job_id, to="critical")
    job = face.get(job_id)
    assert (job.state, job.queue, job.attempts_left, job.error) == ("queued", "critical", 2, None)


def test_a_restored_job_is_where_it_was(face: Any, worker: Worker) -> None:
    job_id = failed(face, worker)
    face.remove(job_id)
    face.restore(job_id)
    job = face.get(job_id)
    assert (job.state, job.error.message) == ("failed", "no such device")


def test_b19_of_a_finished_job_the_result_goes(face: Any, worker: Worker) -> None:
    job_id = finished(face, worker)
    face.remove(job_id)
    assert not worker.redis.exists(keys.job(job_id), keys.results(job_id))


@pytest.mark.parametrize("function", ["move", "retry"])
def test_a_queue_that_is_none_is_named(face: Any, worker: Worker, function: str) -> None:
    job_id = failed(face, worker)
    with pytest.raises(ValueError, match="to must be one of critical, high, medium, low, not 'urgent'"):
        getattr(face, function)(job_id, to="urgent")


def test_a_job_that_changes_its_queue_meanwhile_is_found(
    face: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = queued(face, worker)
    cancel = Transitions.cancel

    def moved_first(self: Transitions, queue: str, ids: list[str], **more: Any) -> list[str]:
        if queue == "medium":
            self.move("medium", ids, to="low")
        return cancel(self, queue, ids, **more)

    monkeypatch.setattr(Transitions, "cancel", moved_first)
    face.cancel(job_id)
    assert (face.get(job_id).state, face.get(job_id).queue) == ("canceled", "low")


def test_without_redis_whoever_moves_is_told_that_it_is_not_known(
    face: Any, mortal: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    mortal.kill()
    with pytest.raises(client.Unavailable) as refused:
        face.cancel("x")
    assert refused.value.unknown


# --- another event -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [queued, scheduled, retrying, failed])
def test_d12_the_event_is_replaced_before_its_next_execution(
    face: Any, worker: Worker, make: Callable[[Any, Worker], str]
) -> None:
    job_id = make(face, worker)
    before = face.get(job_id)
    face.update_payload(job_id, face.payload(job_id) | {"text": "goodbye", "priority": "low"})
    assert face.payload(job_id) == {"kind": "memo", "text": "goodbye", "priority": "low"} | (
        {"delay_seconds": 60} if make is scheduled else {}
    )
    assert face.get(job_id) == before


@pytest.mark.parametrize("make", [started, finished, trash, canceled])
def test_what_runs_or_is_over_keeps_its_event(face: Any, worker: Worker, make: Callable[[Any, Worker], str]) -> None:
    job_id = make(face, worker)
    with pytest.raises(client.AlreadyMoved) as refused:
        face.update_payload(job_id, {"text": "goodbye"})
    assert refused.value.state == make.__name__
    assert face.payload(job_id) == {"kind": "memo", "text": "hello"}


def test_kind_id_source_and_tenant_stay(face: Any, worker: Worker) -> None:
    job_id = face.enqueue("memo", id="m1", source="bot", tenant="acme").id
    face.update_payload(job_id, {"text": "goodbye", "source": "other", "tenant": "other", "id": "m2"})
    job = face.get(job_id)
    assert (job.kind, job.event_id, job.source, job.tenant) == ("memo", "m1", "bot", "acme")
    with pytest.raises(ValueError, match="kind must stay memo, not become alert"):
        face.update_payload(job_id, {"kind": "alert"})


def test_the_new_event_is_checked_as_the_first_was(face: Any, worker: Worker) -> None:
    job_id = queued(face, worker)
    with pytest.raises(ValueError, match="text must not be empty"):
        face.update_payload(job_id, {"text": ""})
    with pytest.raises(ValueError, match="cannot be sent as JSON"):
        face.update_payload(job_id, {"text": {1, 2}})
    assert face.payload(job_id)["text"] == "hello"


def test_a_copy_of_the_new_event_is_the_duplicate(face: Any, worker: Worker) -> None:
    job_id = face.enqueue("memo", id="m1", text="hello").id
    face.update_payload(job_id, {"kind": "memo", "id": "m1", "text": "goodbye"})
    assert face.enqueue("memo", id="m1", text="goodbye").outcome == "duplicate"
    with pytest.raises(client.IdReused):
        face.enqueue("memo", id="m1", text="hello")


def test_an_event_that_nobody_can_read_is_not_replaced(face: Any, worker: Worker, empty_redis: redis.Redis) -> None:
    job_id = queued(face, worker)
    empty_redis.hset(keys.job(job_id), "data", b"\xff")
    with pytest.raises(ValueError, match="cannot be read"):
        face.update_payload(job_id, {"text": "goodbye"})
    with pytest.raises(client.NotFound):
        face.update_payload("nobody", {"text": "goodbye"})
