"""`/api/v2/alerts` in the place of an Alertmanager: what Prometheus posts, and an Alertmanager's answers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from ingest.queue.payload import decode
from tests.ingest.api.conftest import Post, stored_ids
from tests.ingest.api.hooks.conftest import body

POSTED = "/api/v2/alerts"
LABELS = {"alertname": "A", "severity": "critical"}


def actions(client: redis.Redis) -> dict[str, str]:
    """Of the stored events: instance → action."""
    bodies = [json.loads(decode(client.hget(f"rq:job:{job}", "data") or b"", job).body) for job in stored_ids(client)]
    return {each["labels"].get("instance", ""): each["action"] for each in bodies}


def test_200_without_a_body(post: Post, empty_redis: redis.Redis) -> None:
    answer = post(POSTED, body("posted"))
    assert (answer.status, answer.body) == (200, b"")
    assert actions(empty_redis) == {"web-2:9100": "trigger", "web-3:9100": "resolve"}
    # Prometheus says it again each minute.
    assert post(POSTED, body("posted")).status == 200
    assert len(stored_ids(empty_redis)) == 2
    assert post(POSTED, b"[]").status == 200


def test_it_is_resolved_once_its_end_has_passed(post: Post, empty_redis: redis.Redis) -> None:
    now = datetime.now(UTC)
    ends: dict[str, Any] = {
        "past": (now - timedelta(seconds=1)).isoformat(),
        "future": (now + timedelta(minutes=4)).isoformat(),
        "zero": "0001-01-01T00:00:00Z",
        "none": None,
        "odd": "soon",
    }
    alerts = [
        {"labels": {**LABELS, "instance": name}, "startsAt": "2026-11-27T08:00:00Z", "endsAt": end}
        for name, end in ends.items()
    ]
    assert post(POSTED, alerts).status == 200
    assert actions(empty_redis) == {name: "resolve" if name == "past" else "trigger" for name in ends}


def test_one_good_alert_is_enough_and_none_is_400_with_a_text(post: Post, empty_redis: redis.Redis) -> None:
    mixed = post(POSTED, [{"labels": LABELS}, {"labels": 7}])
    assert (mixed.status, mixed.body) == (200, b"")
    none = post(POSTED, [{"labels": 7}, 8])
    assert (none.status, none.headers["content-type"]) == (400, "application/json")
    assert none.json == "alert 0: labels must be an object.; alert 1: An event must be a JSON object."
    assert len(stored_ids(empty_redis)) == 1
    broken = post(POSTED, b"[{")
    assert (broken.status, type(broken.json)) == (400, str)


@pytest.mark.parametrize("path", [POSTED, "/api/v1/hooks/alertmanager"])
def test_overload_is_503_since_prometheus_and_alertmanager_never_repeat_a_429(
    post: Post, make_key: Any, path: str
) -> None:
    """Rule 10."""
    headers = {"authorization": f"Bearer {make_key('prometheus', 'ingest', '--rate=1', '--burst=1')}"}
    sent = body("posted") if path == POSTED else body("alertmanager-truncated")
    small = json.dumps(json.loads(sent)[:1]).encode() if path == POSTED else sent
    assert post(path, small, headers=headers).status in (200, 202)
    over = post(path, small, headers=headers)
    assert (over.status, over.json["code"]) == (503, "rate_limited")
    assert over.headers["retry-after"]


def test_a_wrong_key_is_a_problem(post: Post) -> None:
    answer = post(POSTED, b"[]", peer="192.0.2.7")
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
