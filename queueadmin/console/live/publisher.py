"""One process samples the snapshot once a second for all viewers.

It keeps the latest one and the history in Redis, and sends each to the channel group
that the sockets follow. Beside it, it forwards what happens to jobs (`lifecycle`), and keeps the audit log and the
index of dead letters (`failures`). A second
publisher stands by: the lease is held by one. While Redis is away nothing can be sent; it tries
again every second and says so once.
"""

import asyncio
import logging
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

import redis
from channels.layers import get_channel_layer
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import LockError
from redis.lock import Lock

from ingest.queue import keys
from queueadmin.console import audit
from queueadmin.console.failures import Indexer
from queueadmin.console.figures import counts, history, latencies, metrics, rates, worker_history
from queueadmin.console.figures.beside import Looks
from queueadmin.console.figures.snapshot import DatabaseFacts, DatabaseState, Snapshot
from queueadmin.console.live.lifecycle import Lifecycle

logger = logging.getLogger(__name__)

#: The channel group that every socket's process follows.
GROUP: Final = "console"
#: The type of the group's messages; `text` is the frame.
MESSAGE: Final = "console.frame"
#: Seconds between samples.
STEP: Final = 1.0
#: A publisher that stops is followed within this many seconds.
LEASE_SECONDS: Final = 5
#: A database that takes longer than this to answer is not there for people either.
DATABASE_SECONDS: Final = 3.0


class Publisher:
    """The sampler. Not for use by two threads at once."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._lock = Lock(client, keys.PUBLISHER, timeout=LEASE_SECONDS, blocking=False, thread_local=False)
        self._window = rates.Window()
        self._history = history.Writer(client)
        self._latencies = latencies.Writer(client)
        self._workers = worker_history.Writer(client)
        self._database = _DatabaseWatch()
        self._audit = audit.Keeper(client)
        self._looks = Looks(client)
        self._failures = Indexer(client, lambda: self._led)
        self._led = self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Publish once a second until `stop` is set; outlives every outage of Redis and the database."""
        loop = asyncio.get_running_loop()
        turn = loop.time()
        forwarding = asyncio.create_task(Lifecycle(lambda: self._led, self._failures.hear).run(stop))
        self._audit.start()
        self._failures.start()
        try:
            while not stop.is_set():
                await self._round()
                # A round that took longer skips turns: samples are never sent in a burst.
                turn = max(turn + STEP, loop.time())
                await _until(stop, turn - loop.time())
        finally:
            forwarding.cancel()
            with suppress(asyncio.CancelledError):
                await forwarding
            await asyncio.to_thread(self.close)
            if (layer := get_channel_layer()) is not None:
                await layer.flush()

    async def _round(self) -> None:
        try:
            snapshot = await asyncio.to_thread(self.sample)
            if snapshot is not None:
                await send(snapshot)
            if self._away:
                logger.info("Redis answers again")
                self._away = False
        except (redis.RedisError, OSError) as error:
            if not self._away:
                logger.warning("Redis is away, trying again every second: %s", error)
                self._away = True

    def sample(self) -> Snapshot | None:
        """Read, keep and return one snapshot; None while another publisher leads. Raises redis.RedisError."""
        if not self._leads():
            return None
        read = counts.read(self._client)
        by_queue = self._window.add(rates.sample(read.at, read.queues))
        seq = read.published.seq + 1 if read.published else 1
        snapshot = metrics.build(read, by_queue, self._database.facts(), self._looks.seen(), seq=seq)
        self._history.write(snapshot)
        self._latencies.write(snapshot.at)
        self._workers.write(read.at, read.seen, recovered=sum(queue.recovered for queue in read.queues))
        return snapshot

    def close(self) -> None:
        """Give the lease up, so that the next publisher need not wait for its end."""
        self._audit.stop()
        self._looks.stop()
        self._failures.stop()
        self._database.close()
        with suppress(redis.RedisError, OSError):  # else it lapses by itself
            if self._lock.owned():
                self._lock.release()

    def _leads(self) -> bool:
        try:
            leads = self._lock.reacquire() if self._led else bool(self._lock.acquire())
        except LockError:
            # Lapsed, by an outage or a pause longer than the lease; somebody else may lead by now.
            leads = bool(self._lock.acquire())
        if leads and not self._led:
            logger.info("publishing")
            self._window = rates.Window()
            self._history = history.Writer(self._client)
            self._latencies = latencies.Writer(self._client)
            self._workers = worker_history.Writer(self._client)
        elif not leads and self._led:
            logger.info("another publisher leads; standing by")
        self._led = leads
        return leads


class _DatabaseWatch:
    """Asks the database every second in a thread of its own: one that hangs holds nothing up."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._stop = threading.Event()
        self._answer = (0.0, DatabaseFacts(DatabaseState("disconnected")))
        self._thread: threading.Thread | None = None

    def facts(self) -> DatabaseFacts:
        """The latest answer; disconnected when there was none for DATABASE_SECONDS."""
        if self._thread is None:
            # Not joined at exit: a question may take as long as the network lets it.
            self._thread = threading.Thread(target=self._watch, name="database", daemon=True)
            self._thread.start()
        self._asked.wait(DATABASE_SECONDS)
        at, facts = self._answer
        if time.monotonic() - at <= DATABASE_SECONDS:
            return facts
        return replace(facts, state=DatabaseState("disconnected"))

    def close(self) -> None:
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.is_set():
            facts = metrics.database_facts()
            self._answer = (time.monotonic(), facts)
            self._asked.set()
            self._stop.wait(STEP)
        metrics.close_database()


async def send(snapshot: Snapshot) -> None:
    """To every socket, in every web process."""
    layer = get_channel_layer()
    if layer is None:
        raise ImproperlyConfigured("CHANNEL_LAYERS must have a default.")
    await layer.group_send(GROUP, {"type": MESSAGE, "text": snapshot.as_json().decode()})


async def _until(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
