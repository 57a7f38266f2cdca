"""A Redis of one's own: what is wrong with it is said at the start."""

from collections.abc import Iterator

import pytest
import redis

from ingest.queue.settings_check import Finding
from queueadmin.run import external_redis
from queueadmin.run.errors import CannotStart
from queueadmin.run.external_redis import check_external_redis


@pytest.fixture
def evicting(empty_redis: redis.Redis) -> Iterator[None]:
    empty_redis.config_set("maxmemory-policy", "allkeys-lru")
    yield
    empty_redis.config_set("maxmemory-policy", "noeviction")


@pytest.mark.usefixtures("evicting")
def test_what_is_unsafe_is_said_and_the_start_goes_on() -> None:
    waits: list[str] = []
    assert any("allkeys-lru" in warning for warning in check_external_redis(on_wait=waits.append))
    assert waits == []


@pytest.mark.usefixtures("empty_redis")
def test_what_cannot_serve_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A16: a cluster is refused with the reason."""
    monkeypatch.setattr(external_redis, "unsafe", lambda client: [Finding("cluster", "Redis runs as a cluster.")])
    with pytest.raises(CannotStart, match=r"^Redis runs as a cluster\.$"):
        check_external_redis(on_wait=lambda sentence: None)
