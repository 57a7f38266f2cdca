"""Seed 003, the chat service: its usage section step by step, and each result (D1-D12); a worker killed under messages.

The words of its own functions stand in the docstrings; docs/python.md has the table.
"""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from ingest import client
from ingest.client import aio
from ingest.kinds import KINDS
from ingest.maintenance import Maintenance
from ingest.models import Event
from ingest.queue import keys
from tests.conftest import wait_until
from tests.flows.test_kill_worker import Ledger
from tests.ingest.worker.conftest import Work, work  # noqa: F401 - a fixture
from tests.instance import REPOSITORY, Instance

#: As its usage section enqueues it.
SAID = {
    "user_id": "user123",
    "message": "Hello, world!",
    "source_type": "telegram",
    "source_id": "chat123",
    "response_token": "bot_token",
    "chat_id": "chat123",
    "chat_type": "private",
    "message_id": "msg123",
}
TOLD: list[dict[str, Any]] = []


def my_callback_function(notice: dict[str, Any]) -> None:
    TOLD.append(notice)


def said(**fields: Any) -> dict[str, Any]:
    return {**SAID, **fields}


def left(*names: str) -> dict[str, Any]:
    statistics = client.statistics("message")
    return {name: getattr(statistics, name) for name in names}


# --- Basic usage -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_request_is_enqueued_found_answered_and_told(work: Work, settings: Any) -> None:  # noqa: F811
    """enqueue_chat_request with its status_callback, get_queue_position, get_queue_length, get_user_request,
    start_queue_processor (a worker), stop_queue_processor (D1, D2, D7, D8).
    """
    TOLD.clear()
    settings.CALLBACKS = (f"{__name__}.my_callback_function",)
    request = client.enqueue("message", **SAID, callback=my_callback_function)
    others = [client.enqueue("message", **said(message_id=f"m{n}", user_id=f"user{n}")) for n in range(2)]

    assert [client.position(each.id) for each in (request, *others)] == [1, 2, 3]
    assert client.counts().queued == 3
    assert client.get_user_request("user123").id == request.id
    assert client.get_user_request("nobody") is None
    again = client.enqueue("message", **SAID)
    assert (again.id, again.outcome, client.counts().queued) == (request.id, "duplicate", 3)

    work.off()  # the processor; a worker in mid-work is stopped by SIGTERM
    job = client.get(request.id)
    assert (job.state, job.result, client.position(request.id)) == ("finished", {"reply": "Hello, world!"}, None)
    assert client.enqueue("message", **SAID).state == "finished", "a copy that comes late is dropped too"
    assert left("pending", "completed", "total", "success_rate") == {
        "pending": 0, "completed": 3, "total": 3, "success_rate": 100.0,
    }  # fmt: skip
    assert 86_300 < work.redis.ttl(keys.job(request.id)) <= 86_400, "D1: from the end of its processing"

    Maintenance(work.redis).round()
    work.off()
    told = {notice["event"]: notice for notice in TOLD}
    assert sorted(told) == ["finished", "queued", "started"], "queued, processing, done"
    assert told["finished"]["result"] == {"reply": "Hello, world!"}
    assert "bot_token" not in str(TOLD)


@pytest.mark.django_db(transaction=True)
def test_its_functions_are_coroutines_too(work: Work) -> None:  # noqa: F811
    from asgiref.sync import async_to_sync

    async def chat() -> tuple[Any, Any, int]:
        receipt = await aio.enqueue("message", **SAID)
        found = await aio.position(receipt.id), await aio.get_user_request("user123"), (await aio.counts()).queued
        await aio.close()
        return found

    position, latest, length = async_to_sync(chat)()
    assert (position, latest.event_id, length) == (1, "msg123", 1)


# --- Advanced usage: RedisQueueManager ---------------------------------------------------------------


def test_max_retries_retry_delay_base_and_lock_expiry_are_the_kinds() -> None:
    """D3, D6, D9, D12: five more tries, 10 s doubling; 300 s for one. A worker's lease is renewed, so it is short."""
    kind = KINDS["message"]
    assert (kind.retry_delays, kind.timeout, kind.result_ttl) == ((10, 20, 40, 80, 160), 300, 86_400)


@pytest.mark.django_db(transaction=True)
def test_a_message_is_got_updated_and_removed(work: Work) -> None:  # noqa: F811
    """queue_manager.enqueue with a timestamp, get_message, update_message, remove_message (D12)."""
    sent = {"user_id": "user123", "message": "Hello, world!", "timestamp": time.time()}
    message_id = client.enqueue("message", **sent).id
    assert client.payload(message_id) == {"kind": "message", **sent}
    client.update_payload(message_id, client.payload(message_id) | {"message": "Hello again"})
    removed = client.enqueue("message", **said(message_id="m2")).id
    client.remove(removed)
    assert client.get(removed).state == "trash"
    work.off()
    assert client.get(message_id).result == {"reply": "Hello again"}
    assert not Event.objects.filter(id=removed).exists()
    client.restore(removed)
    work.off()
    assert client.get(removed).state == "finished"


@pytest.mark.django_db(transaction=True)
def test_the_same_without_an_id_is_dropped_for_a_minute(work: Work) -> None:  # noqa: F811
    """D2: the hash of (user, message, where)."""
    without = {name: value for name, value in SAID.items() if name != "message_id"}
    first = client.enqueue("message", **without)
    assert client.enqueue("message", **without, priority="high").id == first.id
    assert client.enqueue("message", **{**without, "message": "Hello"}).id != first.id
    assert client.counts().queued == 2


# --- Retries and the dead letter queue ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_is_retried_five_times_then_inspected_and_reprocessed(work: Work) -> None:  # noqa: F811
    """D3, D4: after 10, 20, 40, 80 and 160 s; a dead letter; reprocessed with the count reset."""
    request = client.enqueue("message", **said(fault="error:6"))
    behind = client.enqueue("message", **said(message_id="m2", ordering_key="chat123"))
    for retry, delay in enumerate((10, 20, 40, 80, 160), start=1):
        work.off()
        job = client.get(request.id)
        assert (job.state, job.attempts, job.attempts_left) == ("retrying", retry, 6 - retry)
        assert job.next_attempt_at is not None
        waits = (job.next_attempt_at - datetime.now(UTC)).total_seconds()
        assert delay * 0.9 - 5 < waits <= delay * 1.1
        assert left("retrying", "dead") == {"retrying": 1, "dead": 0}
        client.run_now(request.id)
    work.off()
    assert client.get(behind.id).state == "finished", "it has no ordering key, so nobody waited for it"

    (dead,) = client.list_jobs("failed", kind="message").items
    assert (dead.id, dead.attempts, dead.error.reason) == (request.id, 6, "error")
    assert [attempt.number for attempt in client.attempts(dead.id)] == [1, 2, 3, 4, 5, 6]
    assert left("dead", "completed", "total", "success_rate") == {
        "dead": 1, "completed": 1, "total": 2, "success_rate": 50.0,
    }  # fmt: skip

    client.retry(dead.id, by="anna")
    job = client.get(dead.id)
    assert (job.state, job.attempts, job.attempts_left, job.moved_by) == ("queued", 6, 6, "anna")
    work.off()
    assert client.get(dead.id).state == "finished"
    assert left("dead", "success_rate") == {"dead": 0, "success_rate": 100.0}


@pytest.mark.django_db(transaction=True)
def test_a_conversation_waits_for_its_retry_and_goes_on_past_a_dead_letter(work: Work) -> None:  # noqa: F811
    """D10."""
    first, second = (
        client.enqueue("message", **said(message_id=f"m{n}", ordering_key="chat123", fault=fault)).id
        for n, fault in enumerate(("error", "none"))
    )
    other = client.enqueue("message", **said(message_id="m9", ordering_key="chat9")).id
    work.off()
    assert [client.get(each).state for each in (first, second, other)] == ["retrying", "queued", "finished"]
    for _ in range(5):
        client.run_now(first)
        work.off()
    assert [client.get(each).state for each in (first, second)] == ["failed", "finished"]


# --- Pause, limits, later, statistics ------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_pause_rate_limit_delay_and_statistics(work: Work) -> None:  # noqa: F811
    """D7, D10: get_stats (main, retry, DLQ, total), and what its future section wants: priorities, limits, batches."""
    urgent = client.enqueue("message", **said(message_id="u", priority="critical")).id
    later = client.enqueue("message", **said(message_id="l", delay_seconds=3600)).id
    assert (client.get(later).state, client.counts().delayed) == ("scheduled", 1)
    client.pause()
    work.off()
    assert client.counts().paused == 1
    assert client.enqueue("message", **said(message_id="p")).outcome == "accepted", "taken in, though nothing runs"
    client.resume()
    client.set_rate_limit("source", "telegram", most=1, seconds=3600)
    work.off()
    assert client.get(urgent).state == "finished", "the higher priority first"
    assert left("pending", "completed") == {"pending": 2, "completed": 1}
    client.remove_rate_limit("source", "telegram")
    client.run_now(later)
    receipts = client.enqueue_many({"kind": "message", **said(message_id=f"b{n}")} for n in range(20))
    assert len({receipt.id for receipt in receipts}) == 20
    work.off()
    assert left("pending", "processing", "retrying", "completed", "dead", "total") == {
        "pending": 0, "processing": 0, "retrying": 0, "completed": 23, "dead": 0, "total": 23,
    }  # fmt: skip


# --- A worker dies under it ------------------------------------------------------------------------------

CHATS, EACH = 4, 20


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Instance, Path]]:
    folder = tmp_path_factory.mktemp("chat")
    log = folder / "chat.log"
    more = {"MESSAGE_HANDLER": "tests.flows.chat_bot.answer", "CHAT_LOG": str(log), "PYTHONPATH": str(REPOSITORY)}
    running = Instance(folder, WORKERS="2", LEASE_SECONDS="2", **more)
    try:
        yield running.start(), log
    finally:
        running.discard()


def test_workers_killed_under_messages_lose_and_double_none_and_keep_their_order(
    chatting: tuple[Instance, Path],
) -> None:
    """D5, D6, D10: over HTTP, by real processes. One that was killed in the middle runs again, before the next."""
    instance, log = chatting
    ledger = Ledger(instance)
    ids = []
    for number, chat in itertools.product(range(EACH), range(CHATS)):
        body = said(chat_id=f"chat{chat}", message=str(number), message_id=str(number), ordering_key=f"chat{chat}")
        answer = requests.post(f"{instance.url}/api/messages", json=body, timeout=60)
        assert answer.status_code == 202
        assert answer.json()["position"] is None or answer.json()["position"] >= 1
        ids.append(answer.json()["id"])

    def began() -> int:
        return log.read_text().count("begins") if log.exists() else 0

    for number in range(4):
        goal = 8 + 12 * number
        wait_until(lambda goal=goal: began() >= goal, what=f"{goal} beginnings")  # type: ignore[misc]
        program = f"worker-{number % 2 + 1}"
        instance.kill(program)
    wait_until(lambda: ledger.count("completed") >= len(ids), what="the end of all")

    assert ledger.count("completed") == ledger.count("enqueued") == len(set(ids)) == CHATS * EACH
    assert set(ids) <= ledger.rows()
    assert (ledger.count("dead"), ledger.unfinished()) == (0, 0)
    for chat in range(CHATS):
        lines = [line.split() for line in log.read_text().splitlines() if f" chat{chat} " in line]
        begun = [number for what, _, number in lines if what == "begins"]
        assert [number for number, _ in itertools.groupby(begun)] == [str(n) for n in range(EACH)]
        # Nothing of a conversation begins before the one ahead of it has ended.
        for (what, _, number), (_, _, following) in itertools.pairwise(lines):
            assert what == "ends" or following == number
