"""What happens to jobs, forwarded from the queue's channel to whoever follows: B7.

The scripts say it at the moment it happens, and only while somebody listens. Here a quarter of a second of it
becomes one message to the channel group `jobs`, for every process that has somebody following a job. Not a group for
each job: at 5,000 jobs a second that would be 15,000 messages, nearly all of them for nobody.

A message is a hint to look, not a record: what is too much is dropped and counted, what happens during an outage is
never heard of, and whoever follows a job looks at it from time to time anyway.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
import redis
from channels.layers import get_channel_layer
from django.core.exceptions import ImproperlyConfigured

from ingest.queue import keys
from ingest.queue.connections import async_listener

logger = logging.getLogger(__name__)

#: The channel group of everything that happens to jobs.
GROUP: Final = "jobs"
#: The type of its messages: `events` is a list of {event, queue, ids} and {event: progress, queue, ids, value, line},
#: `dropped` how many of these were left out.
MESSAGE: Final = "jobs.events"
#: Seconds of events in one message.
STEP: Final = 0.25
#: Bytes of events in one message, about 3,000 ids: one that is left out is dropped.
MOST_BYTES: Final = 128 * 1024
#: Between two tries to listen.
RETRY_SECONDS: Final = 1.0

_EVENT: Final = msgspec.json.Decoder(dict[str, Any])


class Bundle:
    """The events of one message, bounded."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.dropped = 0
        self._room = MOST_BYTES

    def __bool__(self) -> bool:
        return bool(self.events or self.dropped)

    def add(self, raw: bytes) -> dict[str, Any] | None:
        """The event. What is none is dropped too: whoever may write to Redis may publish anything."""
        if len(raw) > self._room:
            self.dropped += 1
            return None
        try:
            event = _EVENT.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.dropped += 1
            return None
        self._room -= len(raw)
        self.events.append(event)
        return event

    def as_message(self) -> dict[str, Any]:
        return {"type": MESSAGE, "events": self.events, "dropped": self.dropped}


class Lifecycle:
    """Listens while `leads()`: of two publishers only one forwards. `heard`, which must be quick, gets each as well."""

    def __init__(self, leads: Callable[[], bool], heard: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self._leads = leads
        self._heard = heard
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Forward until `stop` is set; outlives every outage of Redis."""
        while not stop.is_set():
            if self._leads():
                try:
                    await self._listen(stop)
                except (redis.RedisError, OSError) as error:
                    if not self._away:
                        logger.warning("what happens to jobs is not forwarded at the moment: %s", error)
                    self._away = True
                except Exception:
                    logger.exception("forwarding what happens to jobs begins again")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_SECONDS)

    async def _listen(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        async with async_listener() as client, client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(keys.EVENTS)
            # Nobody can know what happened before: those who follow look once.
            bundle, self._away = Bundle(), False
            bundle.dropped = 1
            while not stop.is_set() and self._leads():
                end = loop.time() + STEP
                while (left := end - loop.time()) > 0:
                    message = await channel.get_message(timeout=left)
                    if message is not None and (event := bundle.add(message["data"])) is not None:
                        self._heard(event)
                if bundle:
                    await send(bundle)
                    bundle = Bundle()


async def send(bundle: Bundle) -> None:
    """To every process that has somebody following."""
    layer = get_channel_layer()
    if layer is None:
        raise ImproperlyConfigured("CHANNEL_LAYERS must have a default.")
    await layer.group_send(GROUP, bundle.as_message())
