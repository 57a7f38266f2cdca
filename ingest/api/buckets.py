"""A token bucket for each key that has a rate: in Redis, so that all web processes share it.

What this process knows of a bucket is kept here as well: others only take more out, so a refusal by it needs no call
to Redis, and while Redis is away it stands in for it, for each process alone then.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import redis
import redis.asyncio
from django.conf import settings

from ingest.accept import breaker
from ingest.api.sender import Sender
from ingest.queue import keys
from ingest.queue.connections import acceptance_connection, async_acceptance_connection

_SCRIPT: Final = (Path(__file__).parent / "bucket.lua").read_text()

#: Key id → when its bucket is full again, by the monotonic clock; at least, since other processes take as well.
_full_at: dict[int, float] = {}


@dataclass(frozen=True, slots=True)
class Bucket:
    """One look at a key's bucket. `wait` seconds until what was wanted may be taken; 0: it was taken, or may be."""

    wait: float
    #: Events that are left, and the seconds until it is full.
    left: int
    full_in: float


def look(sender: Sender, wanted: int) -> Bucket:
    """By what is known here, without asking. A wait is certain; none is a reason to ask."""
    return _seen(sender, wanted, _known_full_in(sender))


def take(sender: Sender, wanted: int) -> Bucket:
    """Take so many events out, or none when that is too many now. Never fails: without Redis the count is ours."""
    if settings.REDIS and breaker.lets_through():
        asked_at = time.monotonic()
        try:
            answer = _script(acceptance_connection())(*_call(sender, wanted))
        except redis.RedisError as error:
            breaker.trip(error)
        else:
            breaker.reset()
            return _answered(sender, wanted, asked_at, answer)
    return _take_here(sender, wanted)


async def take_async(sender: Sender, wanted: int) -> Bucket:
    """The same on an event loop."""
    if settings.REDIS and breaker.lets_through():
        asked_at = time.monotonic()
        try:
            answer = await _async_script(async_acceptance_connection())(*_call(sender, wanted))
        except redis.RedisError as error:
            breaker.trip(error)
        else:
            breaker.reset()
            return _answered(sender, wanted, asked_at, answer)
    return _take_here(sender, wanted)


def forget() -> None:
    """Know of no bucket."""
    _full_at.clear()


@lru_cache(maxsize=2)
def _script(client: redis.Redis) -> Any:
    return client.register_script(_SCRIPT)


@lru_cache(maxsize=2)
def _async_script(client: redis.asyncio.Redis) -> Any:
    return client.register_script(_SCRIPT)


def _call(sender: Sender, wanted: int) -> tuple[list[str], list[float]]:
    return [keys.rate(_id(sender))], [1_000_000 / sender.rate, sender.burst, wanted]


def _answered(sender: Sender, wanted: int, asked_at: float, answer: tuple[int, int]) -> Bucket:
    taken, microseconds = answer
    full_in = microseconds / 1_000_000
    # By the time of asking: the bucket is full then at the earliest, so no refusal by it is wrong.
    _full_at[_id(sender)] = asked_at + full_in
    return _seen(sender, 0 if taken else wanted, full_in)


def _take_here(sender: Sender, wanted: int) -> Bucket:
    full_in = _known_full_in(sender)
    seen = _seen(sender, wanted, full_in)
    if seen.wait:
        return seen
    full_in += wanted / sender.rate
    _full_at[_id(sender)] = time.monotonic() + full_in
    return _seen(sender, 0, full_in)


def _known_full_in(sender: Sender) -> float:
    full_at = _full_at.get(_id(sender))
    return 0.0 if full_at is None else max(0.0, full_at - time.monotonic())


def _seen(sender: Sender, wanted: int, full_in: float) -> Bucket:
    left = sender.burst - full_in * sender.rate
    missing = min(wanted, sender.burst) - left if wanted else 0.0
    # As in the script: half a microsecond is rounding.
    wait = missing / sender.rate if missing > 0.5e-6 * sender.rate else 0.0
    return Bucket(wait, max(0, int(left + 1e-6)), full_in)


def _id(sender: Sender) -> int:
    if sender.key_id is None:
        raise ValueError("a sender without a key has no rate")
    return sender.key_id
