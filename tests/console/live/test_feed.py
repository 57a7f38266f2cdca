"""The frames of one process: worked out once, whatever the number of sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from channels.testing import WebsocketCommunicator
from django.test import Client

from ingest.queue import connections
from queueadmin.console.figures import history, metrics
from queueadmin.console.live import feed
from tests.conftest import Valkey
from tests.console.live.conftest import SAMPLE, a_socket, frame_of, publish

pytestmark = pytest.mark.asyncio


def _text(seq: int) -> str:
    return replace(SAMPLE, seq=seq, at=1000.0 + seq).as_json().decode()


@asynccontextmanager
async def soon() -> AsyncIterator[None]:
    async with asyncio.timeout(60):
        yield


async def test_a_slow_reader_gets_the_latest_frame_and_no_backlog() -> None:
    source = feed.Feed()
    for seq in range(1, 6):
        source._tell(_text(seq))
    frame = await source.after(0)
    assert (frame.number, frame.at) == (5, 1005.0)
    assert json.loads(frame.delta or "")["changed"] == {"seq": 5, "at": 1005.0}


@pytest.mark.parametrize(
    ("seqs", "has_delta"),
    # A process that reads by itself gives out the last number again; an emptied Redis begins anew.
    [([5], False), ([5, 6], True), ([5, 5], True), ([5, 7], False), ([5, 1], True)],
)
async def test_a_delta_follows_unless_rows_were_missed(seqs: list[int], has_delta: bool) -> None:
    source = feed.Feed()
    for seq in seqs:
        source._tell(_text(seq))
    assert ((await source.after(0)).delta is not None) is has_delta


async def test_who_comes_first_again_gets_no_frame_of_those_who_left(empty_redis: redis.Redis) -> None:
    source = feed.Feed()
    async with source.followed():
        source._tell(_text(1))
    async with source.followed():
        source._task.cancel()  # type: ignore[union-attr]
        waiting = asyncio.ensure_future(source.after(0))
        await asyncio.sleep(0)  # it begins to wait
        source._tell(_text(2))
        assert (await asyncio.wait_for(waiting, 60)).text == _text(2)


async def test_the_history_is_read_once_for_500(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def read(after: float) -> str:
        asked.append(after)
        return f"rows after {after}"

    monkeypatch.setattr(feed, "_history", read)
    source = feed.Feed()
    async with soon():
        assert set(await asyncio.gather(*(source.history() for _ in range(500)))) == {"rows after 0.0"}
        assert await source.history(after=7.0) == "rows after 7.0"
        assert asked == [0.0, 7.0]
        monkeypatch.setattr(feed, "HISTORY_SECONDS", 0.0)
        await source.history()
        assert asked == [0.0, 7.0, 0.0]


async def test_who_asks_for_the_history_and_goes_takes_it_from_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    source = feed.Feed()
    monkeypatch.setattr(feed, "_history", lambda after: "rows")
    async with soon():
        gone, stays = asyncio.ensure_future(source.history()), asyncio.ensure_future(source.history())
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == "rows"


async def test_one_frame_is_for_all_who_follow() -> None:
    """500 viewers for one snapshot's cost: one subscription of the process, one frame for all."""
    source = feed.Feed()
    waiting = [asyncio.ensure_future(source.after(0)) for _ in range(500)]
    await asyncio.sleep(0)
    source._tell(_text(1))
    async with soon():
        frames = await asyncio.gather(*waiting)
    assert len({id(frame) for frame in frames}) == 1


# --- through a socket -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
async def test_with_no_publisher_the_process_reads_for_itself(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENT_SECONDS", 0.2)
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await frame_of(socket)
        frame = await frame_of(socket)
        assert (frame["type"], frame["redis"]["status"]) == ("snapshot", "connected")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_redis")
async def test_without_redis_it_opens_and_shows_the_last_known_numbers(
    session: Client, settings: Any, tmp_path: Path
) -> None:
    layer = dict(settings.CHANNEL_LAYERS["default"])
    layer["CONFIG"] = {**layer["CONFIG"], "hosts": [f"unix://{tmp_path}/nobody.sock"]}
    settings.CHANNEL_LAYERS = {"default": layer}
    metrics.remember(SAMPLE)
    async with a_socket(session) as socket:
        assert (await socket.connect(timeout=60))[0]
        first, second = await frame_of(socket), await frame_of(socket)
    assert first == {"type": "history", "step": 1, "columns": history.columns(), "release": "", "rows": []}
    assert second["redis"]["status"] == "disconnected"
    assert second["verdict"]["status"] == "degraded"
    assert second["totals"] == json.loads(SAMPLE.as_json())["totals"]


@pytest.mark.django_db(transaction=True)
async def test_it_goes_on_by_itself_when_redis_comes_back(
    session: Client, settings: Any, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENT_SECONDS", 0.3)
    layer = dict(settings.CHANNEL_LAYERS["default"])
    layer["CONFIG"] = {**layer["CONFIG"], "hosts": [own_valkey.url]}
    settings.CHANNEL_LAYERS = {"default": layer}
    connections.close_connections()
    settings.REDIS_URL = own_valkey.url
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await frame_of(socket)
        await _frame_with(socket, "connected")
        await asyncio.to_thread(own_valkey.kill)
        await _frame_with(socket, "disconnected")
        await asyncio.to_thread(own_valkey.start)
        await _frame_with(socket, "connected")
        # And it follows the publisher again, not only its own reading.
        async with asyncio.timeout(60):
            while (await frame_of(socket)).get("seq") != SAMPLE.seq:
                await publish()
    connections.close_connections()


async def _frame_with(socket: WebsocketCommunicator, status: str) -> None:
    async with asyncio.timeout(60):
        while (frame := await frame_of(socket))["type"] != "snapshot" or frame["redis"]["status"] != status:
            pass
