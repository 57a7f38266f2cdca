"""What an alert says about its problem."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.kinds import alerts
from ingest.kinds.errors import Invalid, PermanentError
from ingest.models import Alert
from ingest.queue.payload import Payload

RECEIVED = datetime(2026, 11, 22, 8, tzinfo=UTC)


def payload(event: dict[str, Any] | bytes, **more: Any) -> Payload:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    values = {"id": "1" * 32, "kind": "alert", "priority": "high", "source": "edge", "tenant": "t", "event_id": None}
    return Payload(received_at=RECEIVED, body=body, **(values | more))


def identity(event: dict[str, Any], **more: Any) -> str:
    return alerts.said_by(payload(event, **more)).identity


def test_alerts_with_the_same_dedup_key_are_about_one_problem() -> None:
    assert identity({"dedup_key": "k", "title": "a"}) == identity({"dedup_key": "k", "title": "b"})
    assert identity({"dedup_key": "k"}) != identity({"dedup_key": "k"}, source="other")
    assert identity({"dedup_key": "k"}) != identity({"dedup_key": "k"}, tenant="other")


def test_without_a_key_title_and_labels_make_the_problem() -> None:
    first = {"title": "disk", "labels": {"host": "a", "disk": 2**70}, "severity": "low", "timestamp": 1}

    assert identity(first) == identity({"title": "disk", "labels": {"disk": 2**70, "host": "a"}, "severity": "high"})
    assert identity(first) != identity(first | {"labels": {"host": "b"}})
    assert identity({"title": "k"}) != identity({"dedup_key": "k"})
    assert identity({"title": None, "labels": None}) == identity({})


def test_a_vendors_fingerprint_names_the_problem_where_there_is_no_key() -> None:
    """Issue 5 (3)."""
    assert identity({"fingerprint": "f", "title": "a"}) == identity({"fingerprint": "f", "title": "b"})
    assert identity({"fingerprint": "f"}) != identity({"dedup_key": "f"})
    assert identity({"fingerprint": "f", "dedup_key": "k"}) == identity({"dedup_key": "k"})


@pytest.mark.parametrize(
    ("action", "said"),
    [(None, "TRIGGER"), ("trigger", "TRIGGER"), ("acknowledge", "ACKNOWLEDGE"), ("resolve", "RESOLVE")],
)
def test_what_an_alert_does_to_its_problem(action: str | None, said: str) -> None:
    assert alerts.said_by(payload({"action": action})).action.name == said


def test_an_alert_happened_when_it_says_else_when_it_came() -> None:
    said = alerts.said_by(payload({"occurred_at": "2026-11-22T09:00:00+02:00"}))

    assert said.at == datetime(2026, 11, 22, 7, tzinfo=UTC)
    assert alerts.said_by(payload({})).at == RECEIVED


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a":', b'"\xff"'])
def test_a_body_that_cannot_be_read_is_a_permanent_error(body: bytes) -> None:
    with pytest.raises(PermanentError):
        alerts.said_by(payload(body))


def test_an_unknown_action_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        alerts.validate({"action": "close"})
    assert refused.value.field == "action"
    assert "trigger, acknowledge, resolve" in refused.value.detail


@pytest.mark.parametrize(("value", "code"), [(7, "wrong_type"), ("x" * 256, "too_long")])
def test_a_fingerprint_is_a_short_text(value: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        alerts.validate({"fingerprint": value})
    assert (refused.value.field, refused.value.code) == ("fingerprint", code)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_occurrences_are_counted_and_the_newest_word_stays() -> None:
    first = [
        payload({"dedup_key": "k", "title": "disk full"}),
        payload({"dedup_key": "k", "title": "disk"}, id="2" * 32),
    ]
    alerts.handle(first)
    resolve = {"dedup_key": "k", "action": "resolve", "occurred_at": "2026-11-22T08:05:00Z"}
    alerts.handle([payload(resolve, id="3" * 32)])
    alerts.handle(first)

    [alert] = Alert.objects.all()
    assert (alert.occurrences, alert.state, alert.title) == (2, "resolved", "disk")
    assert alert.first_seen == RECEIVED
