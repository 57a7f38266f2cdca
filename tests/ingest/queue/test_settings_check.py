"""An unsafe Redis is told from a safe one."""

from typing import Any

import pytest
import redis

from ingest.queue import settings_check
from ingest.queue.settings_check import unsafe
from tests.conftest import Valkey


def codes(connection: redis.Redis) -> list[str]:
    return [finding.code for finding in unsafe(connection)]


def test_the_embedded_server_is_safe(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url) as connection:
        assert unsafe(connection) == []


@pytest.mark.parametrize(
    ("setting", "value", "code", "names"),
    [
        ("maxmemory-policy", "allkeys-lru", "maxmemory_policy", "allkeys-lru"),
        ("appendonly", "no", "aof_off", "appendonly"),
        ("appendfsync", "everysec", "fsync", "everysec"),
        ("appendfsync", "no", "fsync", "is no"),
    ],
)
def test_a_wrong_setting_is_named(own_valkey: Valkey, setting: str, value: str, code: str, names: str) -> None:
    """RQ12: allkeys-lru evicts queued jobs; RQ13: without the append-only file a crash loses them all."""
    with redis.Redis.from_url(own_valkey.url) as connection:
        connection.config_set(setting, value)
        (finding,) = unsafe(connection)
    assert finding.code == code
    assert names in finding.sentence


def test_a_replica_is_refused(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url) as connection:
        connection.replicaof("127.0.0.1", "1")
        assert codes(connection) == ["role"]


def test_a_clock_that_differs_is_told(own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    real = settings_check.time.time
    with redis.Redis.from_url(own_valkey.url) as connection:
        monkeypatch.setattr(settings_check.time, "time", lambda: real() - 60)
        (finding,) = unsafe(connection)
    assert finding.code == "skew"
    assert "60 s ahead of" in finding.sentence


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"redis_version": "6.0.16"}, "version"),
        ({"redis_version": "5.0"}, "version"),
        ({"cluster_enabled": 1}, "cluster"),
        ({"aof_last_write_status": "err"}, "aof_failing"),
    ],
)
def test_what_a_test_server_cannot_be(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, info: dict[str, Any], code: str
) -> None:
    with redis.Redis.from_url(own_valkey.url) as connection:
        good: dict[str, Any] = connection.info("everything")
        clock = connection.time()

        class Answers:
            def info(self, section: str) -> None: ...
            def config_get(self, name: str) -> None: ...
            def time(self) -> None: ...
            def execute(self, raise_on_error: bool) -> list[Any]:
                return [*[good | info] * 5, redis.ResponseError("CONFIG is forbidden"), clock]

        monkeypatch.setattr(connection, "pipeline", lambda transaction: Answers())
        assert codes(connection) == [code]


def test_redis_away_is_an_error_and_no_finding(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url, retry=None) as connection:
        own_valkey.kill()
        with pytest.raises(redis.ConnectionError):
            unsafe(connection)
        own_valkey.start()
