"""One client a process and purpose, and patience only where it belongs."""

import asyncio
import os
from collections.abc import Iterator

import pytest
import redis
from pytest_django import Settings

from ingest.queue import connections
from ingest.queue.connections import (
    RedisUnavailable,
    acceptance_connection,
    async_acceptance_connection,
    close_async_connections,
    connection,
    ping,
    wait_for_redis,
)
from tests.conftest import Valkey


@pytest.fixture(autouse=True)
def _fresh_clients() -> Iterator[None]:
    connections.close_connections()
    yield
    connections.close_connections()


def test_one_client_a_process(empty_redis: redis.Redis) -> None:
    assert connection() is connection()
    assert acceptance_connection() is acceptance_connection()
    assert connection() is not acceptance_connection()
    assert ping()


def test_the_settings_reach_the_pool(impatient: None, settings: Settings) -> None:
    """A2, A3: pool of 100, 5 s, health check 30 s; taking in waits 0.5 s."""
    settings.REDIS_POOL_MAX_CONNECTIONS = 7
    pool = connection().connection_pool
    assert isinstance(pool, redis.BlockingConnectionPool)
    assert pool.max_connections == 7
    assert pool.connection_kwargs["socket_timeout"] == 5
    assert pool.connection_kwargs["socket_connect_timeout"] == 5
    assert pool.connection_kwargs["health_check_interval"] == 30
    quick = acceptance_connection().connection_pool.connection_kwargs
    assert (quick["socket_timeout"], quick["socket_connect_timeout"], quick["retry"].get_retries()) == (0.5, 0.5, 0)


@pytest.mark.asyncio
async def test_the_loops_client_sends_what_redis_py_would_send(empty_redis: redis.Redis) -> None:
    """Its commands are packed by hiredis, in C; every kind of argument that the scripts get must arrive the same."""
    client = async_acceptance_connection()
    try:
        await client.rpush("sent", "text é", b"\x00bytes\r\n", 7, 0.25, "", "x" * 100_000)  # type: ignore[misc]
        arrived = [b"text \xc3\xa9", b"\x00bytes\r\n", b"7", b"0.25", b"", b"x" * 100_000]
        assert empty_redis.lrange("sent", 0, -1) == arrived
        taken = await client.connection_pool.get_connection()
        plain = redis.asyncio.Connection.pack_command(taken, "CONFIG GET", "maxmemory", 1, 1.5)  # type: ignore[arg-type]
        assert b"".join(taken.pack_command("CONFIG GET", "maxmemory", 1, 1.5)) == b"".join(plain)
        with pytest.raises(redis.DataError):
            await client.set("sent", object())  # type: ignore[arg-type]
        await client.connection_pool.release(taken)
    finally:
        await close_async_connections()


def test_a_forked_child_makes_its_own(empty_redis: redis.Redis) -> None:
    parent = connection()
    child = os.fork()
    if child == 0:
        os._exit(0 if connection() is not parent and ping() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert connection() is parent
    assert ping()


def test_waiting_for_redis_backs_off_and_then_says_so(settings: Settings) -> None:
    """A3: the seed's loop never connects; ours does."""
    settings.REDIS_URL = "redis://user:secret@127.0.0.1:1/0"
    waits: list[float] = []
    said: list[str] = []
    with pytest.raises(RedisUnavailable, match=r"127\.0\.0\.1:1.*6 tries") as caught:
        wait_for_redis(on_wait=said.append, sleep=waits.append)
    assert waits == [0.5, 1, 2, 4, 8]
    assert len(said) == 5
    assert "secret" not in f"{caught.value}{said}"


def test_waiting_ends_as_soon_as_redis_answers(own_valkey: Valkey, settings: Settings) -> None:
    settings.REDIS_URL = own_valkey.url
    own_valkey.kill()
    assert not ping()
    assert wait_for_redis(sleep=lambda delay: own_valkey.start()).ping()


def test_taking_in_survives_a_restart_of_redis(own_valkey: Valkey, settings: Settings) -> None:
    """A pooled connection that the restart broke is replaced before it is used, since there is no second try."""
    settings.REDIS_URL = own_valkey.url
    assert acceptance_connection().ping()
    own_valkey.kill()
    with pytest.raises(redis.ConnectionError):
        acceptance_connection().ping()
    own_valkey.start()
    assert acceptance_connection().ping()


def test_the_async_client_belongs_to_its_loop(empty_redis: redis.Redis) -> None:
    async def use() -> int:
        client = async_acceptance_connection()
        assert client is async_acceptance_connection()
        assert await client.ping()
        await close_async_connections()
        return id(client)

    asyncio.run(use())
    asyncio.run(use())
