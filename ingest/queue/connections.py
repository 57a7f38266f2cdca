"""The connections to Redis, one client a process and purpose.

`connection` is for workers, maintenance, the console and commands: it waits and tries again.
`acceptance_connection` and its async twin are for taking in: at most 0.5 s, one try, since a sender waits
and an outcome that is not known within that time is settled under the same id later.
"""

import asyncio
import os
import time
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import HiredisRespSerializer
from redis.retry import Retry

from ingest.queue.fail_fast import FailFast

#: How long acceptance waits for Redis, to connect and to answer.
ACCEPTANCE_TIMEOUT: Final = 0.5
#: An idle connection is pinged before its next use after this time: a firewall may have dropped it.
HEALTH_CHECK_INTERVAL: Final = 30
#: Sent again by the client itself; scripts are safe to be sent again, by their request ids.
TRIES: Final = 3
#: Waits of `wait_for_redis`: 0.5 s, doubled each time.
START_DELAYS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)

#: How `connection` tries again; by kind of process, see `fail_fast`.
_retry: type[Retry] = Retry
_SERIALIZER: Final = HiredisRespSerializer()
#: Clients by purpose; made anew after a fork, since parent and child must not share a socket.
_clients: dict[str, redis.Redis] = {}
_async_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]" = (
    weakref.WeakKeyDictionary()
)


class RedisUnavailable(Exception):
    """Redis did not answer; the message is for people and names the address without its password."""


class NeedsRedis(redis.ConnectionError):
    """There is none, by REDIS=false. What handles an outage handles this as well."""

    def __init__(self) -> None:
        super().__init__("This needs Redis, and REDIS=false says that there is none.")


def connection() -> redis.Redis:
    """The shared client that waits up to REDIS_SOCKET_TIMEOUT (5 s) and tries again a few times."""
    return _client(
        "work",
        lambda: _options(
            settings.REDIS_SOCKET_TIMEOUT,
            settings.REDIS_SOCKET_CONNECT_TIMEOUT,
            retry=_retry(ExponentialWithJitterBackoff(base=0.1, cap=1), TRIES),
            health_check_interval=HEALTH_CHECK_INTERVAL,
        ),
    )


def fail_fast() -> None:
    """For the web server: `connection` waits for one answer that does not come, and not again right after it."""
    global _retry
    _retry = FailFast
    close_connections()


def single_try(client: redis.Redis, *, timeout: float = 3, connections: int = 2) -> redis.Redis:
    """A client of its own to the same server, for a loop that does its own waiting: one try, `timeout` seconds.

    So the loop notices a signal in time, also while Redis accepts connections and answers nothing.
    """
    pool = client.connection_pool
    options = {**pool.connection_kwargs, "socket_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
    return redis.Redis(
        connection_pool=redis.ConnectionPool(
            connection_class=pool.connection_class, max_connections=connections, **options
        )
    )


def acceptance_connection() -> redis.Redis:
    """The shared client for taking in: 0.5 s, no second try."""
    return _client("acceptance", lambda: _options(ACCEPTANCE_TIMEOUT, ACCEPTANCE_TIMEOUT, retry=Retry(NoBackoff(), 0)))


def async_acceptance_connection() -> redis.asyncio.Redis:
    """As `acceptance_connection`, for the running event loop; close it with `close_async_connections`."""
    if not settings.REDIS:
        raise NeedsRedis
    loop = asyncio.get_running_loop()
    client = _async_clients.get(loop)
    if client is None:
        options = _options(ACCEPTANCE_TIMEOUT, ACCEPTANCE_TIMEOUT, retry=AsyncRetry(NoBackoff(), 0))
        pool = redis.asyncio.BlockingConnectionPool.from_url(settings.REDIS_URL, **options)
        pool.connection_class = _packing_in_c(pool.connection_class)  # type: ignore[arg-type]
        client = _async_clients[loop] = redis.asyncio.Redis(connection_pool=pool)
    return client


def async_listener() -> redis.asyncio.Redis:
    """A client of its own for a loop that listens to a channel and does its own waiting; the caller closes it."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=settings.REDIS_SOCKET_TIMEOUT,
        socket_connect_timeout=settings.REDIS_SOCKET_CONNECT_TIMEOUT,
        health_check_interval=HEALTH_CHECK_INTERVAL,
        retry=AsyncRetry(NoBackoff(), 0),
    )


async def close_async_connections() -> None:
    """Close the running loop's client; call it when the server stops."""
    client = _async_clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()
        await client.connection_pool.disconnect()


def close_connections() -> None:
    """Close this process's clients; the next use makes new ones."""
    while _clients:
        _, client = _clients.popitem()
        client.close()
        client.connection_pool.disconnect()


def ping(client: redis.Redis | None = None) -> bool:
    """Whether Redis answers."""
    try:
        return bool((client or connection()).ping())
    except redis.RedisError:
        return False


def server_time(client: redis.Redis) -> datetime:
    """Redis' own time, aware: what leases, due times and schedules go by, whatever this machine's clock says."""
    seconds, microseconds = client.time()
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)


def wait_for_redis(
    *, on_wait: Callable[[str], None] | None = None, sleep: Callable[[float], None] = time.sleep
) -> redis.Redis:
    """A client that has answered a ping: five more tries, after 0.5, 1, 2, 4 and 8 s.

    `on_wait` is told, in a sentence, before each wait. Raises RedisUnavailable.
    """
    # No tries of the client's own: the waits below are the only ones.
    probe = _client(
        "probe",
        lambda: _options(
            settings.REDIS_SOCKET_TIMEOUT, settings.REDIS_SOCKET_CONNECT_TIMEOUT, retry=Retry(NoBackoff(), 0)
        ),
    )
    for delay in (*START_DELAYS, None):
        try:
            probe.ping()
        except redis.RedisError as error:
            sentence = f"Redis at {address()} does not answer ({error})"
            if delay is None:
                raise RedisUnavailable(
                    f"{sentence}, after {len(START_DELAYS) + 1} tries. Is it running? See REDIS_URL."
                ) from error
            if on_wait:
                on_wait(f"{sentence}; again in {delay:g} s")
            sleep(delay)
        else:
            return connection()
    raise AssertionError("unreachable")


def address() -> str:
    """Where Redis is, without user and password."""
    scheme, _, rest = settings.REDIS_URL.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _options(timeout: float, connect_timeout: float, **more: Any) -> dict[str, Any]:
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        "max_connections": settings.REDIS_POOL_MAX_CONNECTIONS,
        # How long to wait for a free connection of the pool.
        "timeout": timeout,
        **more,
    }


def _client(purpose: str, options: Callable[[], dict[str, Any]]) -> redis.Redis:
    if not settings.REDIS:
        raise NeedsRedis
    client = _clients.get(purpose)
    if client is None:
        pool = redis.BlockingConnectionPool.from_url(settings.REDIS_URL, **options())
        client = _clients[purpose] = redis.Redis(connection_pool=pool)
    return client


@cache
def _packing_in_c(plain: type[Any]) -> type[Any]:
    """The connection class, packing commands by hiredis as the sync client does.

    redis.asyncio does it in Python: 16 µs for an alert's 19 arguments instead of 6.
    """

    class Packing(plain):  # type: ignore[misc]
        def pack_command(self, *args: Any) -> Any:
            return _SERIALIZER.pack(*args)

    return Packing


def _forget() -> None:
    _clients.clear()
    _async_clients.clear()


os.register_at_fork(after_in_child=_forget)
