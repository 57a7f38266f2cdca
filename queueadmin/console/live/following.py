"""The jobs that the sockets of one web process follow: each looked at once, whatever the number of its followers.

A job is looked at as soon as something happened to it, at most once a second, and every LOOK_SECONDS anyway,
since what is forwarded may be dropped. What is sent is what the look found: it cannot be out of order, or wrong.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

import redis
from channels.db import database_sync_to_async

from queueadmin.console.live import job_frames
from queueadmin.console.live.ending import end
from queueadmin.console.live.feed import feed

logger = logging.getLogger(__name__)

#: Between two looks at a job that nothing was heard of.
LOOK_SECONDS: Final = 5.0
#: Between two looks at anything.
SHORTEST: Final = 1.0
Look = Callable[[str], str]


class Follower:
    """The newest frame about one job; one that was not fetched is replaced."""

    def __init__(self) -> None:
        self._frame = ""
        self._there = asyncio.Event()

    def tell(self, frame: str) -> None:
        self._frame = frame
        self._there.set()

    async def next(self) -> str:
        """Waits for one that is newer than the last."""
        await self._there.wait()
        self._there.clear()
        return self._frame


class Following:
    """The followed jobs of one event loop. Whoever follows keeps the loop's feed followed as well."""

    def __init__(self, look: Look = job_frames.frame) -> None:
        self._look = look
        self._followers: dict[str, set[Follower]] = {}
        self._frames: dict[str, str] = {}
        #: Jobs to look at; None stands for all.
        self._due: set[str | None] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def followed(self, job_id: str) -> AsyncIterator[Follower]:
        """Its frames, the present one first."""
        follower = Follower()
        self._followers.setdefault(job_id, set()).add(follower)
        if job_id in self._frames:
            follower.tell(self._frames[job_id])
        self._is_due([job_id])
        if self._task is None:
            self._task = asyncio.create_task(self._look_for_ever())
            await feed().tell_of_jobs(self.heard)
        try:
            yield follower
        finally:
            self._followers[job_id].discard(follower)
            if not self._followers[job_id]:
                del self._followers[job_id]
                self._frames.pop(job_id, None)
            if not self._followers and (task := self._task) is not None:
                self._task = None
                await end(task)
                # Unless somebody came meanwhile.
                if self._task is None:
                    await feed().tell_of_jobs(None)

    def heard(self, message: dict[str, Any] | None) -> None:
        """A message of the group `jobs`; None: some may have been missed."""
        if message is None or message["dropped"]:
            self._is_due([None])
        if message is None:
            return
        for event in message["events"]:
            ids = event.get("ids")
            if isinstance(ids, list):
                self._is_due(job_id for job_id in ids if isinstance(job_id, str) and job_id in self._followers)

    def _is_due(self, ids: Iterable[str | None]) -> None:
        before = len(self._due)
        self._due.update(ids)
        if len(self._due) > before:
            self._wake.set()

    async def _look_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)
            due, self._due = self._due or {None}, set()
            self._wake.clear()
            for job_id in list(self._followers) if None in due else due:
                if job_id in self._followers:
                    await self._look_at(str(job_id))
            await asyncio.sleep(SHORTEST)

    async def _look_at(self, job_id: str) -> None:
        try:
            # Not on the thread that Django's views share: Redis may take its whole timeout.
            frame = await database_sync_to_async(self._look, thread_sensitive=False)(job_id)
        except (redis.RedisError, OSError):
            return  # the page shows that Redis is away; looked at again after LOOK_SECONDS
        except Exception:
            logger.exception("a followed job cannot be looked at")
            return
        if job_id in self._followers and frame != self._frames.get(job_id):
            self._frames[job_id] = frame
            for follower in self._followers[job_id]:
                follower.tell(frame)


_followings: WeakKeyDictionary[asyncio.AbstractEventLoop, Following] = WeakKeyDictionary()


def following() -> Following:
    """That of the running event loop."""
    return _followings.setdefault(asyncio.get_running_loop(), Following())
