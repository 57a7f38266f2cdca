"""One reading a second for all sockets of a process, and none while nobody looks."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from queueadmin.console.live import door_feed
from queueadmin.console.live.door_feed import DoorFeed
from queueadmin.console.sources import Reader

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


class Frames:
    def __init__(self) -> None:
        self.read = 0
        self.failures = 0

    def __call__(self, reader: Reader) -> str:
        self.read += 1
        if self.read <= self.failures:
            raise RuntimeError("not now")
        return f"frame {self.read}"


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> Frames:
    monkeypatch.setattr(door_feed, "SECONDS", 0.01)
    return Frames()


async def test_all_followers_get_the_same_reading(frames: Frames) -> None:
    feed = DoorFeed(frames)
    async with asyncio.timeout(60), feed.followed(), feed.followed():
        (number, text), same = await asyncio.gather(feed.after(0), feed.after(0))
        assert (number, text) == same == (1, "frame 1")
        later, text = await feed.after(number)
        assert later > number
        assert text == f"frame {later}"


async def test_nothing_is_read_while_nobody_looks(frames: Frames) -> None:
    with ThreadPoolExecutor(1) as thread:
        asyncio.get_running_loop().set_default_executor(thread)
        feed = DoorFeed(frames)
        async with asyncio.timeout(60), feed.followed():
            await feed.after(0)
        await asyncio.to_thread(lambda: None)  # a reading that had begun is over
        await _nothing_is_read(feed, frames)


async def _nothing_is_read(feed: DoorFeed, frames: Frames) -> None:
    read = frames.read
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert frames.read == read
    async with asyncio.timeout(60), feed.followed():
        assert await feed.after(0) == (1, f"frame {read + 1}")


async def test_a_reading_that_fails_is_followed_by_the_next(frames: Frames, caplog: pytest.LogCaptureFixture) -> None:
    frames.failures = 3
    feed = DoorFeed(frames)
    async with asyncio.timeout(60), feed.followed():
        assert await feed.after(0) == (1, "frame 4")
    assert "what came in cannot be read" in caplog.text
