"""The publisher's frames in one web process: one subscription, whatever the number of sockets.

A reader that is slow gets the latest frame and not a backlog. When no frame comes, because Redis
or the publisher is away, this process reads the snapshot itself, once for all its sockets: while
Redis is away that is the last known one, marked so.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
import redis
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.core.exceptions import ImproperlyConfigured

from queueadmin.console import metrics, publisher
from queueadmin.console.snapshot import Snapshot

logger = logging.getLogger(__name__)

#: Three frames missed: somebody is away.
SILENT_SECONDS: Final = 3.0
#: Between attempts to subscribe again.
RETRY_SECONDS: Final = 1.0


class Feed:
    """The frames of one event loop. Listens while somebody follows."""

    def __init__(self) -> None:
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
            # Nobody listened meanwhile: the last frame may be hours old, and numbers would jump back to it.
            self._number = 0
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and (task := self._task) is not None:
                self._task = None
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def after(self, number: int) -> tuple[int, str]:
        """The latest frame and its number, as soon as there is one later than `number`. Begin with 0."""
        async with self._news:
            await self._news.wait_for(lambda: self._number > number)
            return self._number, self._text

    async def _run(self) -> None:
        while True:
            layer = get_channel_layer()
            if layer is None:
                raise ImproperlyConfigured("CHANNEL_LAYERS must have a default.")
            try:
                try:
                    await self._listen(layer)
                except (redis.RedisError, OSError) as error:
                    logger.debug("the sockets cannot follow the publisher: %s", error)
                    # It keeps every channel that it could not subscribe to.
                    with suppress(redis.RedisError, OSError):
                        await layer.flush()
                    await self._read()
            except Exception:
                # Every socket of the process hangs on this task.
                logger.exception("the feed of the sockets begins again")
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, layer: Any) -> None:
        channel = await layer.new_channel()
        await layer.group_add(publisher.GROUP, channel)
        waiting = asyncio.ensure_future(layer.receive(channel))
        try:
            while True:
                done, _ = await asyncio.wait([waiting], timeout=SILENT_SECONDS)
                if not done:
                    await self._read()
                    continue
                text = waiting.result()["text"]
                waiting = asyncio.ensure_future(layer.receive(channel))
                with suppress(msgspec.MsgspecError):
                    metrics.remember(Snapshot.from_json(text))
                await self._tell(text)
        finally:
            with suppress(redis.RedisError, OSError):
                await layer.group_discard(publisher.GROUP, channel)
            waiting.cancel()
            with suppress(asyncio.CancelledError, redis.RedisError, OSError):
                await waiting

    async def _read(self) -> None:
        # Not on the thread that Django's views share: Redis may take its whole timeout.
        snapshot = await database_sync_to_async(metrics.snapshot, thread_sensitive=False)()
        await self._tell(snapshot.as_json().decode())

    async def _tell(self, text: str) -> None:
        async with self._news:
            self._number += 1
            self._text = text
            self._news.notify_all()


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, Feed] = WeakKeyDictionary()


def feed() -> Feed:
    """The feed of the running event loop."""
    return _feeds.setdefault(asyncio.get_running_loop(), Feed())
