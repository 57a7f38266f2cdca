"""What is no longer kept is removed, in batches and on the record, and never what may still be needed: issue 5 (6)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.core.checks import Warning
from django.db import OperationalError, transaction

from ingest import checks, problems
from ingest.maintenance import retention
from ingest.maintenance.retention import Retention, days, horizon
from ingest.models import Alert, Event, Report, SpooledEvent
from ingest.problems import RESOLVE, TRIGGER, Said
from ingest.signals import removal
from queueadmin.console.models import AuditEntry
from tests.ingest.worker.conftest import Work

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NOW = datetime.now(UTC)


def event(number: int, age: timedelta, kind: str = "alert") -> None:
    Event.objects.create(
        id=f"{number:032x}", received_at=NOW - age, kind=kind, priority="high", source="", tenant="", body="{}"
    )


def report(identity: str, action: Report.Action, age: timedelta) -> None:
    said = Said(identity, "", "", "x", "", "high", action, NOW - age, f"{identity}{action}{age.days}")
    with transaction.atomic():
        problems.save_reports([said])


def run(client: redis.Redis | None = None) -> None:
    part = Retention(client)
    part.step()
    assert part._left is None, "all of it"


def left() -> set[int]:
    return {int(each, 16) for each in Event.objects.values_list("id", flat=True)}


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    def listen(**said: Any) -> None:
        heard.append({name: said[name] for name in ("sender", "what", "count")})

    removal.connect(listen)
    yield heard
    removal.disconnect(listen)


def test_alerts_are_kept_for_7_days_and_others_for_30(settings: Any) -> None:
    for number, (kind, age) in enumerate([("alert", 6), ("alert", 8), ("task", 8), ("task", 29), ("task", 31)]):
        event(number, timedelta(days=age), kind)
    run()
    assert left() == {0, 2, 3}
    settings.RETENTION_DAYS = {"task": 20, "odd_kind": 3}
    run()
    assert left() == {0, 2}
    assert (days("odd-kind"), days("alert"), days("point")) == (3, 7, 30)


def test_batches_go_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]]) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    for number in range(7):
        event(number, timedelta(days=9))
    run()
    assert left() == set()
    assert told == [
        {"sender": "alert", "what": "events", "count": None},
        {"sender": "alert", "what": "events", "count": 7},
    ]
    intent, outcome = AuditEntry.objects.order_by("id")
    assert (intent.action, intent.actor, intent.count) == ("retention", "maintenance", None)
    assert (outcome.step, outcome.count, outcome.outcome) == ("outcome", 7, "7 events are gone.")
    run()
    assert AuditEntry.objects.count() == 2, "nothing to remove is nothing to write down"


def test_never_younger_than_copies_are_recognised(settings: Any) -> None:
    settings.RETENTION_DAYS = {"alert": 1}
    settings.INGEST_DEDUP_SECONDS = 5 * 86_400
    event(1, timedelta(days=4))
    event(2, timedelta(days=6))
    run()
    assert left() == {1}


def test_never_younger_than_what_a_worker_holds(work: Work) -> None:
    (held,) = work.put({"title": "x"})
    claim = work.transitions.claim("w", ["high"], claim_id="c", lease=30)
    assert claim is not None
    received = NOW - timedelta(days=20)
    work.redis.hset(f"rq:job:{held}", "created_at", received.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    event(1, timedelta(days=19))
    event(2, timedelta(days=21))
    run(work.redis)
    assert left() == {1}


def test_never_younger_than_the_oldest_in_the_spool() -> None:
    SpooledEvent.objects.create(
        id="s", rank=1, place=1, due_at=NOW, kind="alert", received_at=NOW - timedelta(days=20), data=b"", job="{}"
    )
    event(1, timedelta(days=19))
    event(2, timedelta(days=21))
    run()
    assert left() == {1}


def test_while_redis_is_away_nothing_is_removed(empty_redis: redis.Redis) -> None:
    event(1, timedelta(days=9))
    with pytest.raises(redis.RedisError):
        Retention(redis.Redis(host="127.0.0.1", port=1)).step()
    assert left() == {1}


def test_without_a_record_nothing_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    from queueadmin.console import audit

    def away(self: AuditEntry, **_: Any) -> None:
        raise OperationalError("gone")

    event(1, timedelta(days=9))
    monkeypatch.setattr(AuditEntry, "save", away)
    with pytest.raises(audit.AuditUnavailable):
        Retention(None).step()
    assert left() == {1}
    monkeypatch.undo()
    run()
    assert left() == set()


def test_problems_that_are_over_go_and_open_ones_stay_without_their_old_reports(
    told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PROBLEMS", 1)
    old, young = timedelta(days=9), timedelta(days=2)
    for identity in ("over", "open", "again"):
        report(identity, TRIGGER, old)
    report("over", RESOLVE, timedelta(days=8))
    report("again", RESOLVE, timedelta(days=8))
    report("again", TRIGGER, young)
    run()
    assert set(Alert.objects.values_list("identity", "state")) == {("open", "triggered"), ("again", "triggered")}
    assert [each.problem for each in Report.objects.all()] == ["again"]
    assert Alert.objects.get(identity="open").occurrences == 1
    assert told[-1] == {"sender": "alert", "what": "alerts", "count": 1}


def test_an_hour_lies_between_two_looks() -> None:
    part = Retention(None)
    part.step()
    event(1, timedelta(days=9))
    part.step()
    assert left() == {1}


def test_the_horizon_is_the_earliest_of_all() -> None:
    needed = NOW - timedelta(days=40)
    assert horizon("alert", NOW, []) == NOW - timedelta(days=7)
    assert horizon("alert", NOW, [needed, NOW]) == needed


def test_a_setting_for_no_kind_is_a_warning(settings: Any) -> None:
    settings.RETENTION_DAYS = {"alert": 3, "alrets": 3}
    (found,) = [each for each in checks.check_settings(None) if each.id == "ingest.W005"]
    assert isinstance(found, Warning)
    assert "RETENTION_DAYS_ALRETS names no kind" in str(found.msg)
