"""How a task of the sockets is ended."""

import asyncio
from contextlib import suppress
from typing import Any, Final

#: Seconds after which it is told once more: longer than its own tidying may take while Redis hangs.
AGAIN: Final = 10.0


async def end(task: asyncio.Task[Any] | None) -> None:
    """Cancel it and return when it is over. Raises what it raised.

    Told once, it may go on for ever: `asyncio.wait_for`, by which redis-py sends, swallows a cancellation that comes
    as what it waits for is done (before Python 3.12).
    """
    if task is None:
        return
    task.cancel()
    while not (await asyncio.wait({task}, timeout=AGAIN))[0]:
        task.cancel()
    with suppress(asyncio.CancelledError):
        task.result()
