"""The frames of the page /ingest/ in one web process: one reading a second, whatever the number of its sockets.

Nobody publishes them: while nobody looks, nothing is read. A reader that is slow gets the latest and not a backlog.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from queueadmin.console import door
from queueadmin.console.live.ending import end
from queueadmin.console.sources import Reader

logger = logging.getLogger(__name__)

#: Between two readings.
SECONDS: Final = 1.0


class DoorFeed:
    """The frames of one event loop. Reads while somebody follows."""

    def __init__(self, read: Callable[[Reader], str] = door.frame) -> None:
        self._read = read
        self._followers = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._number = 0
        self._text = ""

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Hold this while waiting for frames."""
        self._followers += 1
        if self._task is None:
            self._number = 0  # the last frame may be hours old
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and (task := self._task) is not None:
                self._task = None
                await end(task)

    async def after(self, number: int) -> tuple[int, str]:
        """The latest frame and its number, as soon as there is one later than `number`. Begin with 0."""
        async with self._news:
            await self._news.wait_for(lambda: self._number > number)
            return self._number, self._text

    async def _run(self) -> None:
        reader = Reader()
        while True:
            try:
                # Not on the thread that Django's views share: Redis may take its whole timeout.
                text = await database_sync_to_async(self._read, thread_sensitive=False)(reader)
                async with self._news:
                    self._number += 1
                    self._text = text
                    self._news.notify_all()
            except Exception:
                # Every socket that follows hangs on this task.
                logger.exception("what came in cannot be read")
            await asyncio.sleep(SECONDS)


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, DoorFeed] = WeakKeyDictionary()


def door_feed() -> DoorFeed:
    """That of the running event loop."""
    return _feeds.setdefault(asyncio.get_running_loop(), DoorFeed())
