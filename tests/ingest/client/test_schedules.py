"""Events that come again and again (B2), as code says them."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from ingest import client
from ingest.models import Schedule
from tests.conftest import Valkey

pytestmark = pytest.mark.django_db


def test_b2_a_schedule_is_made_and_told(face: Any, empty_redis: redis.Redis) -> None:
    made = face.schedule("nightly", "memo", cron="0 0 * * *", timezone="Europe/Zurich", priority="low", text="clean up")
    assert (made.name, made.kind, made.cron, made.priority) == ("nightly", "memo", "0 0 * * *", "low")
    face.schedule("often", interval_seconds=30)
    assert [found.name for found in face.schedules()] == ["nightly", "often"]
    assert all(found.next_due > datetime.now(UTC) for found in face.schedules())


def test_said_again_it_is_changed_and_stays_paused(face: Any, empty_redis: redis.Redis) -> None:
    first = face.schedule("often", "memo", interval_seconds=3600, text="a")
    face.pause_schedule("often")
    again = face.schedule("often", "memo", interval_seconds=3600, text="b")
    assert (again.body, again.enabled, again.anchor) == ('{"text":"b"}', False, first.anchor)
    face.resume_schedule("often")
    assert face.schedules()[0].enabled
    face.schedule("often", "memo", interval_seconds=7200, anchor=datetime(2026, 1, 1, tzinfo=UTC), text="b")
    assert Schedule.objects.count() == 1


def test_it_can_be_run_now_and_ended(face: Any, empty_redis: redis.Redis) -> None:
    face.schedule("nightly", "memo", cron="0 0 * * *", text="clean up")
    receipt = face.run_schedule("nightly")
    assert face.payload(receipt.id)["text"] == "clean up"
    assert face.unschedule("nightly") is True
    assert face.unschedule("nightly") is False


def test_kinds_for_code_alone_can_be_scheduled(face: Any, empty_redis: redis.Redis) -> None:
    face.schedule("chores", "chore", interval_seconds=60)
    assert face.get(face.run_schedule("chores").id).kind == "chore"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cron": "every day"}, "cron"),
        ({}, "either a cron expression or an interval"),
        ({"interval_seconds": 0}, "interval must be 1 to"),
        ({"cron": "0 0 * * *", "timezone": "Mars"}, "Mars"),
        ({"cron": "0 0 * * *", "priority": "urgent"}, "priority must be one of"),
        ({"cron": "0 0 * * *", "text": ""}, "text must not be empty"),
        ({"cron": "0 0 * * *", "n": float("nan")}, "cannot be sent as JSON"),
    ],
)
def test_what_is_wrong_is_named(face: Any, empty_redis: redis.Redis, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        face.schedule("nightly", "memo", **given)
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("function", ["pause_schedule", "resume_schedule", "run_schedule"])
def test_an_unknown_name_is_not_found(face: Any, empty_redis: redis.Redis, function: str) -> None:
    with pytest.raises(client.NotFound):
        getattr(face, function)("nobody")


def test_without_redis_none_can_be_run(face: Any, mortal: Valkey) -> None:
    face.schedule("nightly", "memo", cron="0 0 * * *")
    mortal.kill()
    with pytest.raises(client.Unavailable):
        face.run_schedule("nightly")
