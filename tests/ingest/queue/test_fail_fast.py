"""A Redis that hangs, connected and silent, is asked once and then left alone for a while."""

import socket
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff

from ingest.queue import fail_fast
from ingest.queue.fail_fast import FailFast


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Takes connections, in its backlog, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def client_of(server: socket.socket) -> redis.Redis:
    port: int = server.getsockname()[1]
    return redis.Redis(port=port, socket_timeout=0.05, socket_connect_timeout=0.05, retry=FailFast(NoBackoff(), 3))


def came(server: socket.socket) -> int:
    """Connections since the last look."""
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_what_nobody_answers_is_asked_once_and_not_again_right_after(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fail_fast, "REST", 600.0)
    client = client_of(silent)
    with pytest.raises(redis.TimeoutError):
        client.ping()
    assert came(silent) == 1
    pipe = client.pipeline(transaction=False)
    pipe.ping()
    for ask in (client.ping, pipe.execute):
        with pytest.raises(redis.TimeoutError, match="just now"):
            ask()
    assert came(silent) == 0


def test_after_a_rest_it_is_asked_again(silent: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fail_fast, "REST", 0.0)
    client = client_of(silent)
    for _ in range(2):
        with pytest.raises(redis.TimeoutError):
            client.ping()
    assert came(silent) == 2


def test_what_is_refused_is_tried_again(empty_redis: redis.Redis) -> None:
    """As after a restart: the connections of before are gone."""
    pool = empty_redis.connection_pool
    options = {**pool.connection_kwargs, "retry": FailFast(NoBackoff(), 3)}
    client = redis.Redis(connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **options))
    client.ping()
    empty_redis.client_kill_filter(_id=str(client.client_id()))
    assert client.ping()
