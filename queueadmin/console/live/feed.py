"""The publisher's frames in one web process: one subscription, whatever the number of sockets.

What changed from the frame before is worked out once too, and so are the rows of the history that a socket begins
with or has missed. A reader that is slow gets the latest frame and not a backlog. When no frame comes, because Redis
or the publisher is away, this process reads the snapshot itself, once for all its sockets: while
Redis is away that is the last known one, marked so.

What happens to jobs comes the same way, while `following` asks for it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
import redis
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from ingest.queue.connections import connection
from queueadmin.console.figures import history, metrics
from queueadmin.console.figures.snapshot import Snapshot
from queueadmin.console.live import deltas, lifecycle, publisher
from queueadmin.console.live.ending import end

logger = logging.getLogger(__name__)

#: Three frames missed: somebody is away.
SILENT_SECONDS: Final = 3.0
#: With REDIS=false nobody publishes.
ALONE_SECONDS: Final = 1.0
#: Between attempts to subscribe again.
RETRY_SECONDS: Final = 1.0


#: So long the rows that one socket has got are good for the next: 500 come back at once after a restart.
HISTORY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    #: 1 for the first; the next one's is one more.
    number: int
    #: Unix time of its snapshot, as in the rows of the history.
    at: float
    #: The whole snapshot.
    text: str
    #: {type: delta}: what changed since the frame before. None: there was none, or rows were missed between them.
    delta: str | None


#: Gets each message of the group `jobs`; None: some may have been missed.
Hear = Callable[[dict[str, Any] | None], None]


class Feed:
    """The frames of one event loop. Listens while somebody follows."""

    def __init__(self) -> None:
        self._followers = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._frame: Frame | None = None
        #: The newest frame's members.
        self._members: dict[str, Any] = {}
        #: By the time that they begin after: when they were asked for, and the answer.
        self._histories: dict[float, tuple[float, asyncio.Task[str]]] = {}
        self._channel: str | None = None
        self._hear: Hear | None = None

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Hold this while waiting for frames."""
        self._followers += 1
        if self._task is None:
            # Nobody listened meanwhile: the last frame may be hours old, and numbers would jump back to it.
            self._frame = None
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and (task := self._task) is not None:
                self._task = None
                await end(task)

    async def after(self, number: int) -> Frame:
        """The latest frame, as soon as there is one later than `number`. Begin with 0."""
        while self._frame is None or self._frame.number <= number:
            await self._news.wait()
        return self._frame

    async def history(self, after: float = 0.0) -> str:
        """The frame of the rows later than `after`, read once for all who ask within a second."""
        now = asyncio.get_running_loop().time()
        self._histories = {each: kept for each, kept in self._histories.items() if now - kept[0] < HISTORY_SECONDS}
        if after not in self._histories:
            reading = asyncio.ensure_future(database_sync_to_async(_history, thread_sensitive=False)(after))
            self._histories[after] = (now, reading)
        # The others wait for it too when one of them goes.
        return await asyncio.shield(self._histories[after][1])

    async def tell_of_jobs(self, hear: Hear | None) -> None:
        """From now on tell `hear` what happens to jobs; None: nobody wants to know any more."""
        self._hear = hear
        if self._channel is None:
            return  # joined with the next subscription
        change = _layer().group_add if hear else _layer().group_discard
        with suppress(redis.RedisError, OSError):
            await change(lifecycle.GROUP, self._channel)
        if hear:
            hear(None)

    async def _run(self) -> None:
        while True:
            layer = _layer()
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
        loop = asyncio.get_running_loop()
        channel = await layer.new_channel()
        await layer.group_add(publisher.GROUP, channel)
        self._channel = channel
        waiting = asyncio.ensure_future(layer.receive(channel))
        try:
            await self.tell_of_jobs(self._hear)
            silent = SILENT_SECONDS if settings.REDIS else ALONE_SECONDS
            silent_at = loop.time() + silent
            while True:
                done, _ = await asyncio.wait([waiting], timeout=silent_at - loop.time())
                if not done:
                    await self._read()
                    silent_at = loop.time() + silent
                    continue
                message = waiting.result()
                waiting = asyncio.ensure_future(layer.receive(channel))
                if message["type"] == lifecycle.MESSAGE:
                    if self._hear is not None:
                        self._hear(message)
                    continue
                silent_at = loop.time() + silent
                text = message["text"]
                with suppress(msgspec.MsgspecError):
                    metrics.remember(Snapshot.from_json(text))
                self._tell(text)
        finally:
            self._channel = None
            for group in (publisher.GROUP, lifecycle.GROUP):
                with suppress(redis.RedisError, OSError):
                    await layer.group_discard(group, channel)
            waiting.cancel()
            with suppress(asyncio.CancelledError, redis.RedisError, OSError):
                await waiting

    async def _read(self) -> None:
        # Not on the thread that Django's views share: Redis may take its whole timeout.
        snapshot = await database_sync_to_async(metrics.snapshot, thread_sensitive=False)()
        self._tell(snapshot.as_json().decode())

    def _tell(self, text: str) -> None:
        before, last, members = self._frame, self._members, msgspec.json.decode(text)
        delta = None
        # A number of the publisher's that was never seen here has a row in the history that no socket got.
        if before is not None and members["seq"] <= last["seq"] + 1:
            changed = {"type": "delta", "seq": members["seq"], "changed": deltas.between(last, members)}
            delta = msgspec.json.encode(changed).decode()
        self._members = members
        self._frame = Frame(before.number + 1 if before else 1, members["at"], text, delta)
        news, self._news = self._news, asyncio.Event()
        news.set()


def _history(after: float) -> str:
    return history.frame(connection() if settings.REDIS else None, after=after)


def _layer() -> Any:
    layer = get_channel_layer()
    if layer is None:
        raise ImproperlyConfigured("CHANNEL_LAYERS must have a default.")
    return layer


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, Feed] = WeakKeyDictionary()


def feed() -> Feed:
    """The feed of the running event loop."""
    return _feeds.setdefault(asyncio.get_running_loop(), Feed())
