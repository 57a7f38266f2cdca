"""A task that was ended is over, also when its first cancellation was lost."""

import asyncio

import pytest

from queueadmin.console.live import ending
from queueadmin.console.live.ending import end

pytestmark = pytest.mark.asyncio


async def test_one_whose_cancellation_was_swallowed_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN", 0.01)
    began, told = asyncio.Event(), 0

    async def deaf() -> None:
        nonlocal told
        while told < 3:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told += 1

    task = asyncio.create_task(deaf())
    await began.wait()
    async with asyncio.timeout(60):
        await end(task)
    assert (task.done(), told) == (True, 3)


async def test_what_it_raised_is_raised_and_its_cancellation_is_not() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    task = asyncio.create_task(broken())
    await asyncio.wait({task})
    with pytest.raises(ValueError, match="broken"):
        await end(task)
    await end(asyncio.create_task(asyncio.sleep(600)))
    await end(None)
