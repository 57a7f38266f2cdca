"""B7: what happens to jobs reaches the group `jobs`, bounded, also after Redis was gone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from channels.layers import get_channel_layer

from ingest.queue import connections, keys
from queueadmin.console.live import lifecycle
from queueadmin.console.live.lifecycle import Bundle, Lifecycle
from tests.conftest import Valkey, wait_until
from tests.console.conftest import Jobs

pytestmark = pytest.mark.asyncio


class Group:
    """What a process that follows jobs gets."""

    def __init__(self, layer: Any, channel: str) -> None:
        self._layer, self._channel = layer, channel
        self._events: list[dict[str, Any]] = []
        self.dropped = 0

    async def next(self, event: str) -> dict[str, Any]:
        """The next event of this name; others are passed over."""
        async with asyncio.timeout(60):
            while True:
                while self._events:
                    if (each := self._events.pop(0))["event"] == event:
                        return each
                message = await self._layer.receive(self._channel)
                self.dropped += message["dropped"]
                self._events += message["events"]


@asynccontextmanager
async def forwarding(client: redis.Redis, *, leads: Callable[[], bool] = lambda: True) -> AsyncIterator[Group]:
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    await layer.group_add(lifecycle.GROUP, channel)
    stop = asyncio.Event()
    task = asyncio.create_task(Lifecycle(leads).run(stop))
    try:
        await asyncio.to_thread(wait_until, lambda: listeners(client) == (1 if leads() else 0), what="listening")
        yield Group(layer, channel)
    finally:
        stop.set()
        await task
        await layer.flush()
    assert listeners(client) == 0


def listeners(client: redis.Redis) -> int:
    try:
        return int(client.pubsub_numsub(keys.EVENTS)[0][1])
    except redis.RedisError:
        return -1


async def test_what_happens_to_jobs_is_forwarded(empty_redis: redis.Redis, jobs: Jobs) -> None:
    async with forwarding(empty_redis) as group:
        ids = jobs.enqueue(3)
        assert await group.next("queued") == {"event": "queued", "queue": "high", "ids": ids}
        claim = jobs.start(limit=2)
        assert (await group.next("started"))["ids"] == ids[:2]
        jobs.transitions.progress("high", claim, ids[0], value={"done": 3}, line="three done")
        assert await group.next("progress") == {
            "event": "progress",
            "queue": "high",
            "ids": ids[:1],
            "value": '{"done": 3}',
            "line": "three done",
        }
        jobs.transitions.complete("high", claim, "w", ids[:1])
        jobs.transitions.fail("high", claim, "w", [jobs.failure(ids[1])])
        assert (await group.next("finished"))["ids"] == ids[:1]
        assert (await group.next("failed"))["ids"] == ids[1:2]
        assert group.dropped == 1  # at its beginning: before that nobody listened


async def test_only_the_leader_forwards(empty_redis: redis.Redis) -> None:
    async with forwarding(empty_redis, leads=lambda: False):
        assert listeners(empty_redis) == 0


async def test_a_flood_is_dropped_and_counted(empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MOST_BYTES", 1000)
    async with forwarding(empty_redis) as group:
        pipe = empty_redis.pipeline(transaction=False)
        for _ in range(100):
            pipe.publish(keys.EVENTS, json.dumps({"event": "queued", "queue": "low", "ids": ["0" * 32]}))
        pipe.publish(keys.EVENTS, b"\xff")
        pipe.execute()
        await group.next("queued")
        empty_redis.publish(keys.EVENTS, json.dumps({"event": "last", "queue": "low", "ids": []}))
        await group.next("last")
        assert group.dropped > 50


async def test_it_goes_on_when_redis_comes_back(own_valkey: Valkey, settings: Any) -> None:
    layer = dict(settings.CHANNEL_LAYERS["default"])
    layer["CONFIG"] = {**layer["CONFIG"], "hosts": [own_valkey.url]}
    settings.CHANNEL_LAYERS = {"default": layer}
    settings.REDIS_URL = own_valkey.url
    connections.close_connections()
    with redis.Redis.from_url(own_valkey.url) as client:
        async with forwarding(client) as group:
            Jobs(client).enqueue(1)
            await group.next("queued")
            await asyncio.to_thread(own_valkey.kill)
            await asyncio.to_thread(own_valkey.start)
            await asyncio.to_thread(wait_until, lambda: listeners(client) == 1, what="listening again")
            # The group's own subscription may come back later than the listener.
            async with asyncio.timeout(60):
                while True:
                    client.publish(keys.EVENTS, json.dumps({"event": "again", "queue": "high", "ids": []}))
                    try:
                        async with asyncio.timeout(1):
                            await group.next("again")
                            break
                    except TimeoutError:
                        continue
    connections.close_connections()


@pytest.mark.parametrize("raw", [b"", b"7", b"[]", b"\xff", b"[" * 100_000])
async def test_what_is_no_event_is_dropped(raw: bytes) -> None:
    bundle = Bundle()
    bundle.add(raw)
    assert (bundle.events, bundle.dropped) == ([], 1)
