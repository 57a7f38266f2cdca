"""The frames of one process: worked out once, whatever the number of sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from queueadmin.console.figures.snapshot import Snapshot
from queueadmin.console.live import feed

pytestmark = pytest.mark.asyncio

SAMPLE = Snapshot.from_json((Path(__file__).parents[1] / "samples" / "snapshot.json").read_bytes())


def _text(seq: int) -> str:
    return replace(SAMPLE, seq=seq, at=1000.0 + seq).as_json().decode()


@asynccontextmanager
async def soon() -> AsyncIterator[None]:
    async with asyncio.timeout(10):
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
        assert (await asyncio.wait_for(waiting, 10)).text == _text(2)


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
