"""Questions to Redis beside an event's own way: within 0.5 s, one try, and none while it is known to be away.

They share the breaker of acceptance, so a request waits at most once for a Redis that does not answer.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis
import redis.asyncio
from django.conf import settings

from ingest.accept import breaker
from ingest.queue.connections import acceptance_connection, async_acceptance_connection

T = TypeVar("T")


class Away(Exception):
    """Redis was not asked, or did not answer."""


def ask(question: Callable[[redis.Redis], T]) -> T:
    """Raises Away."""
    _check()
    try:
        answer = question(acceptance_connection())
    except redis.RedisError as error:
        raise _failed(error) from error
    breaker.reset()
    return answer


async def ask_async(question: Callable[[Any], Awaitable[T]]) -> T:
    """The same on an event loop. The question is about the same for both: a pipeline's or a script's call."""
    _check()
    try:
        answer = await question(async_acceptance_connection())
    except redis.RedisError as error:
        raise _failed(error) from error
    breaker.reset()
    return answer


def _check() -> None:
    if not settings.REDIS or not breaker.lets_through():
        raise Away


def _failed(error: redis.RedisError) -> Away:
    breaker.trip(error)
    return Away(str(error))
