"""Contract section 3: which queue an event goes to, and when (rule 9), on both faces."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from tests.ingest.api.conftest import ALERT, EVENTS, Post


@pytest.mark.parametrize(
    ("event", "priority", "by"),
    [
        ({"severity": "Critical"}, "critical", "word"),
        ({"severity": "P2"}, "high", "word"),
        ({"severity": 5, "source": "zabbix"}, "critical", "source"),
        ({"severity": 5, "source": "datadog/eu"}, "low", "source"),
        ({"severity": "low", "priority": "HIGH"}, "high", "priority"),
        ({"severity": "weird", "priority": "low"}, "low", "priority"),
        ({}, "medium", "default"),
        ({"action": "resolve"}, "low", "default"),
        ({"action": "resolve", "severity": "critical"}, "critical", "word"),
    ],
)
def test_priority(post: Post, empty_redis: redis.Redis, event: dict[str, object], priority: str, by: str) -> None:
    """A4, rule 9."""
    answer = post(EVENTS, event).json

    assert (answer["priority"], answer["queue"], answer["warnings"]) == (priority, priority, [])
    assert (answer["severity"]["mapped"], answer["severity"]["by"]) == (priority, by)
    assert empty_redis.llen(f"rq:queue:{priority}") == 1


@pytest.mark.parametrize("severity", ["weird", 5])
def test_an_unknown_severity_is_medium_and_warned(post: Post, severity: object) -> None:
    """Rule 9: it may be the sender's worst, so never low."""
    answer = post(ALERT, {"severity": severity}).json

    assert answer["severity"] == {"raw": str(severity), "mapped": "medium", "by": "default"}
    [warning] = answer["warnings"]
    assert (warning["code"], warning["value"]) == ("severity_unmapped", str(severity))


def test_without_severity_the_alert_endpoint_says_low(post: Post) -> None:
    """Rule 9."""
    answer = post(ALERT, {"title": "x"}).json

    assert answer["severity"] == {"raw": None, "mapped": "low", "by": "default"}


def test_a_delayed_event_is_scheduled(post: Post, empty_redis: redis.Redis) -> None:
    """B1."""
    at = datetime.now(UTC) + timedelta(hours=1)
    by_delay = post(EVENTS, {"delay_seconds": 3600.5})
    by_time = post(EVENTS, {"run_at": at.isoformat()})
    past = post(EVENTS, {"run_at": "2020-01-01T00:00:00Z"})

    assert [answer.json["status"] for answer in (by_delay, by_time, past)] == ["scheduled", "scheduled", "queued"]
    assert empty_redis.zcard("rq:scheduled:medium") == 2
    assert empty_redis.zscore("rq:scheduled:medium", by_time.json["id"]) == pytest.approx(at.timestamp(), abs=30)
    again = post(EVENTS, {"id": "d", "delay_seconds": 60}), post(EVENTS, {"id": "d", "delay_seconds": 60})
    assert (again[1].json["duplicate"], again[1].json["status"]) == (True, "scheduled")
