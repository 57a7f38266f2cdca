"""The socket: what it sends, to whom, and what it takes."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.test import Client

from queueadmin.console.figures import history
from queueadmin.console.figures.snapshot import Workers
from queueadmin.console.live import consumers, door_feed
from queueadmin.console.live.consumers import NOT_LOGGED_IN, same_origin
from tests.conftest import wait_until
from tests.console.live.conftest import (
    HOST,
    SAMPLE,
    a_socket,
    closed_as_signed_out,
    frame_of,
    told,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


async def test_history_first_then_snapshots_as_they_were_sent(session: Client, empty_redis: redis.Redis) -> None:
    await sync_to_async(history.Writer(empty_redis).write)(SAMPLE)
    async with a_socket(session) as socket:
        assert (await socket.connect(timeout=60))[0]
        first = await frame_of(socket)
        assert (first["type"], len(first["rows"])) == ("history", 1)
        second = await told(socket, SAMPLE)
        assert second == json.loads(SAMPLE.as_json())


@pytest.mark.parametrize(
    ("query", "rows"), [("", 3), ("?after=x", 3), ("?after={0}", 2), ("?after={2}", 0), ("?rows=0", 0)]
)
async def test_a_page_gets_the_rows_of_the_history_that_it_lacks(
    session: Client, empty_redis: redis.Redis, query: str, rows: int
) -> None:
    moments = [round(time.time()) + n for n in range(3)]
    for at in moments:
        await sync_to_async(history.Writer(empty_redis).write)(replace(SAMPLE, at=at))
    async with a_socket(session, query=query.format(*moments)) as socket:
        await socket.connect(timeout=60)
        assert [row[0] for row in (await frame_of(socket))["rows"]] == moments[3 - rows :]


async def test_without_a_login_it_closes_with_4401(empty_redis: redis.Redis) -> None:
    async with a_socket() as socket:
        assert (await socket.connect(timeout=60))[0]
        closed = await socket.receive_output(timeout=60)
        assert (closed["type"], closed["code"]) == ("websocket.close", NOT_LOGGED_IN)


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null", b"http://localhost:9000", b""])
async def test_another_origin_is_refused(session: Client, empty_redis: redis.Redis, origin: bytes) -> None:
    headers = [HOST, (b"origin", origin)] if origin else [HOST]
    async with a_socket(session, *headers) as socket:
        assert not (await socket.connect(timeout=60))[0]


async def test_a_database_that_hangs_holds_up_no_numbers(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at the session waits for it; once it answers, its answer counts."""
    monkeypatch.setattr(consumers, "SESSION_SECONDS", 0.0)
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.01)
    back = asyncio.Event()

    async def hang(_: object) -> int:
        await back.wait()
        return NOT_LOGGED_IN

    monkeypatch.setattr(consumers.ConsoleConsumer, "_refused_by_now", hang)
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await frame_of(socket)  # the history
        for seq in (5, 6, 7):
            # On a slow machine it misses some, and gets their rows first.
            while (await told(socket, replace(SAMPLE, seq=seq)))["type"] == "history":
                pass
        back.set()
        await closed_as_signed_out(socket)


async def test_a_page_is_told_what_comes_in_until_it_wants_no_more(session: Client, empty_redis: redis.Redis) -> None:
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await socket.send_json_to({"door": True})
        async with asyncio.timeout(60):
            while (frame := await frame_of(socket))["type"] != "door":
                pass
            assert frame["verdict"]["reason"] == "The door is open."
            while (await frame_of(socket))["type"] != "door":
                pass
        await socket.send_json_to({"follow": None})
        left = door_feed.door_feed()
        await asyncio.to_thread(wait_until, lambda: not left._followers)


async def test_with_deltas_only_what_changed_is_sent_and_it_adds_up(session: Client, empty_redis: redis.Redis) -> None:
    async with a_socket(session, query="?deltas=1") as socket:
        await socket.connect(timeout=60)
        await frame_of(socket)
        whole = await told(socket, SAMPLE)
        assert whole == json.loads(SAMPLE.as_json())
        later = replace(SAMPLE, seq=SAMPLE.seq + 1, at=SAMPLE.at + 1, workers=Workers(9, 7))
        delta = await told(socket, later)
        assert delta == {
            "type": "delta",
            "seq": later.seq,
            "changed": {"seq": later.seq, "at": later.at, "workers": {"total": 9, "busy": 7}},
        }


async def test_a_socket_that_missed_rows_gets_them_before_the_next_whole_snapshot(
    session: Client, empty_redis: redis.Redis
) -> None:
    writer = history.Writer(empty_redis)
    first, missed, last = (replace(SAMPLE, seq=SAMPLE.seq + n, at=round(time.time()) + n) for n in range(3))
    async with a_socket(session, query="?deltas=1") as socket:
        await socket.connect(timeout=60)
        assert (await frame_of(socket))["rows"] == []
        for snapshot in (first, missed, last):
            await sync_to_async(writer.write)(snapshot)
        await told(socket, first)
        rows = await told(socket, last)
        assert [row[0] for row in rows["rows"]] == [missed.at, last.at]
        assert (await frame_of(socket))["seq"] == last.seq


async def test_who_takes_nothing_is_dropped(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SLOW_SECONDS", 0.05)
    sent = consumers.ConsoleConsumer.send

    async def stuck(self: Any, text_data: str) -> None:
        await sent(self, text_data)
        await asyncio.Event().wait()

    monkeypatch.setattr(consumers.ConsoleConsumer, "send", stuck)
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        assert (await frame_of(socket))["type"] == "history"
        closed = await socket.receive_output(timeout=60)
        assert (closed["type"], closed["code"]) == ("websocket.close", consumers.TOO_SLOW)


@pytest.mark.parametrize(
    ("host", "origin", "same"),
    [
        ("console.example", "https://console.example", True),
        ("console.example:443", "https://console.example", True),
        ("console.example", "http://console.example:80", True),
        ("Console.Example", "https://console.example", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("console.example", "https://console.example.evil", False),
        ("console.example", "file://", False),
        ("console.example", "https://", False),
        ("", "https://", False),
    ],
)
async def test_same_origin(host: str, origin: str, same: bool) -> None:
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    assert same_origin({"headers": headers}) is same
