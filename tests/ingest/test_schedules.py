"""Schedules as code in the same project makes, changes, pauses and fires them (B2)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.core.exceptions import ValidationError

from ingest import schedules
from ingest.accept import Unavailable, breaker
from ingest.kinds import KINDS, Kind
from ingest.kinds.errors import Invalid
from ingest.models import Schedule
from ingest.queue import keys
from ingest.queue.connections import server_time
from tests.conftest import Valkey

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

HOURLY: dict[str, Any] = {"kind": "alert", "body": {"title": "hourly"}, "cron": "0 * * * *"}


def test_one_is_made_with_its_next_due_time() -> None:
    before = datetime.now(UTC)
    schedule = schedules.create("hourly", **HOURLY, timezone="Asia/Kolkata")
    assert schedule.next_due is not None
    assert timedelta(0) < schedule.next_due - before <= timedelta(hours=1, seconds=1)
    assert schedule.next_due.minute == 30, "a whole hour there"
    saved = Schedule.objects.get()
    assert (saved.body, saved.priority, saved.catch_up, saved.enabled) == (
        '{"title": "hourly"}',
        "medium",
        "skip",
        True,
    )


def test_an_interval_counts_from_its_anchor(empty_redis: redis.Redis) -> None:
    anchor = datetime(2026, 1, 1, 0, 0, 7, 5, tzinfo=UTC)
    schedule = schedules.create("often", kind="alert", body="{}", interval_seconds=600, anchor=anchor)
    assert schedule.next_due is not None
    assert (schedule.next_due.minute % 10, schedule.next_due.second) == (0, 7)
    assert schedule.next_due > server_time(empty_redis)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": ""}),
        ("name", {"name": " "}),
        ("name", {"name": "a\x00b"}),
        ("name", {"name": "x" * 101}),
        ("name", {"name": "taken"}),
        ("cron", {"cron": "61 * * * *"}),
        ("cron", {"cron": "* * * * * *"}),
        ("cron", {"cron": "0 0 31 2 *"}),
        ("__all__", {"cron": ""}),
        ("__all__", {"interval_seconds": 5}),
        ("interval_seconds", {"cron": "", "interval_seconds": 0}),
        ("interval_seconds", {"cron": "", "interval_seconds": -5}),
        ("interval_seconds", {"cron": "", "interval_seconds": "often"}),
        ("interval_seconds", {"cron": "", "interval_seconds": 400 * 86_400}),
        ("timezone", {"timezone": "Mars/Base"}),
        ("timezone", {"timezone": ""}),
        ("timezone", {"timezone": None}),
        ("kind", {"kind": "nothing"}),
        ("kind", {"kind": ""}),
        ("priority", {"priority": "urgent"}),
        ("source", {"source": "a\nb"}),
        ("source", {"source": "x" * 256}),
        ("tenant", {"tenant": "a\x7fb"}),
        ("catch_up", {"catch_up": "all"}),
        ("anchor", {"anchor": datetime(2026, 1, 1)}),  # noqa: DTZ001 - that is what is refused
        ("anchor", {"anchor": "now"}),
        ("body", {"body": "[]"}),
        ("body", {"body": ""}),
        ("body", {"body": '{"a": NaN}'}),
        ("body", {"body": '{"a": 1, "a": 2}'}),
        ("body", {"body": '{"a": "\\u0000"}'}),
        ("body", {"body": '{"a": "\ud800"}'}),
        ("body", {"body": {"a": object()}}),
        ("body", {"body": {"a": float("nan")}}),
        ("body", {"body": {"title": "x" * 300_000}}),
        ("body", {"body": {"action": "explode"}}),
        ("body", {"body": {"id": "mine"}}),
        ("body", {"body": {"priority": "low"}}),
        ("body", {"body": {"delay_seconds": 5}}),
        ("body", {"body": {"fault": "crash"}}),
    ],
)
def test_what_is_wrong_is_refused_with_its_field(field: str, changes: dict[str, Any]) -> None:
    schedules.create("taken", **HOURLY)
    with pytest.raises(ValidationError) as refused:
        schedules.create(**{"name": "new", **HOURLY, **changes})
    assert field in refused.value.message_dict
    other = {key: value for key, value in changes.items() if value != "taken"}
    schedules.create("changed", **HOURLY)
    before = Schedule.objects.filter(name="changed").values().get()
    if other:
        with pytest.raises(ValidationError):
            schedules.update("changed", **other)
    assert Schedule.objects.filter(name="changed").values().get() == before


def test_a_change_of_its_times_counts_from_now_on_and_any_other_leaves_them() -> None:
    schedules.create("hourly", **HOURLY)
    passed = datetime(2026, 1, 1, tzinfo=UTC)
    Schedule.objects.update(next_due=passed)
    assert schedules.update("hourly", body={"title": "new"}, name="renamed").next_due == passed
    changed = schedules.update("renamed", cron="", interval_seconds=10)
    assert changed.next_due is not None
    assert changed.next_due > passed + timedelta(days=1)
    assert (changed.revision, Schedule.objects.get().interval_seconds) == (2, 10)


def test_only_its_own_fields_can_be_changed() -> None:
    schedules.create("hourly", **HOURLY)
    with pytest.raises(TypeError, match="last_due, next_due"):
        schedules.update("hourly", next_due=None, last_due=None)
    with pytest.raises(Schedule.DoesNotExist):
        schedules.update("nightly", enabled=False)


def test_it_is_paused_resumed_and_deleted() -> None:
    schedules.create("hourly", **HOURLY)
    assert not schedules.pause("hourly").enabled
    Schedule.objects.update(next_due=datetime(2026, 1, 1, tzinfo=UTC))
    resumed = schedules.resume("hourly")
    assert resumed.enabled
    assert resumed.next_due is not None
    assert resumed.next_due.year > 2025
    assert schedules.delete("hourly")
    assert not schedules.delete("hourly")


def test_it_is_sent_at_once_beside_its_due_times(empty_redis: redis.Redis) -> None:
    schedule = schedules.create("hourly", **HOURLY, priority="high", source="cron", enabled=False)
    receipts = [schedules.run_now("hourly") for _ in range(2)]
    assert empty_redis.lrange(keys.queue("high"), 0, -1) == [receipt.id.encode() for receipt in receipts]
    assert empty_redis.hget(keys.job(receipts[0].id), "source") == b"cron"
    after = Schedule.objects.get()
    assert (after.next_due, after.last_due) == (schedule.next_due, None)


def test_without_redis_one_can_be_made_but_not_sent(mortal: Valkey) -> None:
    mortal.kill()
    before = datetime.now(UTC)
    schedule = schedules.create("hourly", **HOURLY)
    assert schedule.next_due is not None
    assert schedule.next_due > before
    try:
        with pytest.raises(Unavailable):
            schedules.run_now("hourly")
    finally:
        breaker.reset()


def test_a_kind_that_senders_do_not_know_can_be_scheduled_by_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(event: Mapping[str, Any]) -> None:
        if "month" not in event:
            raise Invalid("month", "missing", "month must be given.")

    monkeypatch.setitem(KINDS, "invoices", Kind("invoices", validate, lambda payloads: None, internal=True))
    assert schedules.create("monthly", kind="invoices", body={"month": "this"}, cron="0 0 1 * *").kind == "invoices"
    with pytest.raises(ValidationError, match="month must be given"):
        schedules.update("monthly", body={})


def test_its_job_is_as_its_body_says(empty_redis: redis.Redis) -> None:
    schedules.create("hourly", **HOURLY | {"body": {"title": "x", "callback_url": "https://example.org/done"}})
    job = keys.job(schedules.run_now("hourly").id)
    assert empty_redis.hget(job, keys.CALLBACK) == b"https://example.org/done"
    schedules.update("hourly", body={"title": "x"})
    assert empty_redis.hget(keys.job(schedules.run_now("hourly").id), keys.CALLBACK) is None


def test_a_full_queue_is_said(settings: Any) -> None:
    settings.QUEUE_LIMITS = {**settings.QUEUE_LIMITS, "medium": 1}
    schedules.create("hourly", **HOURLY)
    schedules.run_now("hourly")
    with pytest.raises(Unavailable, match="full"):
        schedules.run_now("hourly")
