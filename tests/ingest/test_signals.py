"""Other apps hear of what was accepted, processed, and died: issue 5 (5)."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.dispatch import Signal

from ingest import jobs
from ingest.accept import accept, accept_async
from ingest.kinds import ALERT
from ingest.maintenance import recover
from ingest.queue.connections import close_async_connections
from ingest.queue.payload import Payload
from ingest.signals import accepted, dead, processed
from queueadmin.console.operations import recover_stalled
from tests.ingest.test_accept import event
from tests.ingest.worker.conftest import Work

Heard = list[dict[str, Any]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What each signal said, after a receiver that raises."""
    said: Heard = []

    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    def listen(signal: Signal, **arguments: Any) -> None:
        said.append({"signal": signal, **arguments})

    for signal in (accepted, processed, dead):
        signal.connect(broken)
        signal.connect(listen)
    yield said
    for signal in (accepted, processed, dead):
        signal.disconnect(broken)
        signal.disconnect(listen)


@pytest.mark.usefixtures("empty_redis")
def test_what_is_new_is_told_as_accepted(heard: Heard) -> None:
    accept([event("a"), event("b")])
    accept([event("a")])
    assert [[receipt.event.event_id for receipt in said["receipts"]] for said in heard] == [["a", "b"]]


@pytest.mark.usefixtures("empty_redis")
def test_also_from_a_coroutine(heard: Heard) -> None:
    async def send() -> None:
        await accept_async([event("a")])
        await close_async_connections()

    asyncio.run(send())
    assert [said["signal"] for said in heard] == [accepted]


@pytest.mark.django_db
@pytest.mark.both_databases
def test_what_was_processed_is_told_once(heard: Heard) -> None:
    payload = Payload("a" * 32, "alert", datetime.now(UTC), "high", "", "", None, b"{}")
    for _ in range(2):
        jobs.process(ALERT, [(payload, 0)])
    assert [(said["sender"], said["payloads"]) for said in heard] == [("alert", [payload])]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", ["maintenance", "an operator"])
def test_one_whose_workers_died_under_it_is_told_by_whoever_takes_it_back(
    heard: Heard, empty_redis: redis.Redis, by: str
) -> None:
    work = Work(empty_redis)
    (job_id,) = work.put({"title": "a"})
    for crash in range(3):
        assert not heard
        work.transitions.claim("dead", ["high"], claim_id=f"c{crash}", lease=-1)
        if by == "maintenance":
            recover(work.transitions, "high")
        else:
            recover_stalled(actor="ada")
    assert [{**said, "signal": None} for said in heard] == [
        {"signal": None, "sender": "high", "job_id": job_id, "reason": "poison", "error_type": "WorkerCrashed",
         "message": "its worker died three times"}
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_dead_letter_is_told_with_its_error(heard: Heard, empty_redis: redis.Redis) -> None:
    work = Work(empty_redis)
    good, bad = work.put({"title": "good"}, {"title": "bad", "fault": "permanent"})
    work.worker().work(burst=True)
    (died,) = [said for said in heard if said["signal"] is dead]
    assert (died["sender"], died["job_id"], died["reason"]) == ("high", bad, "permanent")
    assert died["error_type"].endswith("PermanentError")
    assert [[each.id for each in said["payloads"]] for said in heard if said["signal"] is processed] == [[good]]
