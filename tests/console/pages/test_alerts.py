"""The pages /alerts/ and /alerts/<id>/, and their buttons: issue 5 (4)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import OperationalError
from django.test import Client

from ingest.models import Alert, Event
from queueadmin.console import alerts
from tests.console.conftest import outcome, report
from tests.console.pages.conftest import message_after, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

ONE, TWO = "1" * 32, "2" * 32


def test_open_problems_come_first_and_tabs_count_all_states(operator: Client) -> None:
    report(ONE, title="Disk full on <db-1>", labels={"host": "db-1", "token": "hunter2"})
    report(TWO, "resolve", title="Bygone")
    page = text_of(operator.get("/alerts/"))
    assert "Disk full on &lt;db-1&gt;" in page
    assert "host=db-1" in page
    assert "hunter2" not in page
    assert "Bygone" not in page
    assert ">Open<span>1</span>" in page
    assert ">Resolved<span>1</span>" in page
    assert ">All<span>2</span>" in page
    assert "Bygone" in text_of(operator.get("/alerts/?state=resolved"))


def test_many_are_counted_up_to_a_point(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueadmin.console.alerts.reading.COUNTED", 2)
    monkeypatch.setattr("queueadmin.console.alerts.COUNTED", 2)
    for number in range(3):
        report(f"{number:032x}")
    report(ONE, "resolve")
    page = text_of(operator.get("/alerts/"))
    assert ">Open<span>2+</span>" in page
    assert ">Resolved<span>1</span>" in page
    assert ">All<span>3+</span>" in page


def test_a_filter_finds_and_a_wrong_one_is_named(operator: Client) -> None:
    report(ONE, title="Disk full", labels={"host": "db-1"})
    report(TWO, title="Latency", priority="low")
    found = text_of(operator.get("/alerts/", {"filter": "label.host:db-1 disk", "severity": "high"}))
    assert "Disk full" in found
    assert "Latency" not in found
    assert "No open alert matches this filter." in text_of(operator.get("/alerts/?filter=nothing-like-it"))
    wrong = operator.get("/alerts/?filter=queue:high")
    assert wrong.status_code == 422
    assert "there is no key queue" in text_of(wrong)


def test_pages_follow(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueadmin.console.pages.alerts.PAGE_SIZE", 2)
    for number in range(3):
        report(f"{number:032x}", minutes_ago=number, title=f"problem {number}")
    first = text_of(operator.get("/alerts/?severity=high"))
    assert "problem 1" in first
    assert "problem 2" not in first
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "problem 2" in text_of(operator.get(older))
    assert operator.get("/alerts/?cursor=x").status_code == 404


def test_what_changed_since_is_counted_for_the_live_page(operator: Client) -> None:
    report(ONE, minutes_ago=5)
    since = datetime.now(UTC).isoformat()
    htmx = {"HX-Request": "true"}
    quiet = text_of(operator.get("/alerts/", {"since": since}, headers=htmx))
    assert "new</span>" not in quiet
    assert ">Open<span>1</span>" in quiet
    report(TWO)
    assert "1 new" in text_of(operator.get("/alerts/", {"since": since}, headers=htmx))
    assert operator.get("/alerts/", {"since": "x"}, headers=htmx).status_code == 404


def test_one_problem_its_timeline_payload_and_job(operator: Client) -> None:
    event = "e" * 32
    body = json.dumps({"title": "Disk full", "n": 2**70, "api_key": "hunter2"})
    Event.objects.create(
        id=event, received_at=datetime.now(UTC), kind="alert", priority="high", source="test", tenant="", body=body
    )
    report(ONE, minutes_ago=9, event=event)
    for minutes in (8, 7, 6):
        report(ONE, minutes_ago=minutes, title="")
    report(ONE, "resolve", minutes_ago=5)
    page = text_of(operator.get(f"/alerts/{ONE}/"))
    assert "Triggered again, 3 times" in page
    assert page.count("Resolved</") >= 1
    assert f'href="/jobs/{event}/"' in page
    assert str(2**70) in page
    assert "hunter2" not in page
    assert operator.get(f"/alerts/{TWO}/").status_code == 404


def test_buttons_say_what_they_did_and_are_on_the_record(operator: Client) -> None:
    report(ONE, title="Disk full")
    said = message_after(operator, operator.post(f"/alerts/{ONE}/acknowledge/"))
    assert "“Disk full” is acknowledged." in said
    assert (outcome().action, outcome().actor, outcome().count) == ("acknowledge_alert", "ada", 1)
    page = text_of(operator.get(f"/alerts/{ONE}/"))
    assert "by ada" in page
    assert "Acknowledge</button>" not in page
    assert "is resolved." in message_after(operator, operator.post(f"/alerts/{ONE}/resolve/"))
    assert "was resolved already" in message_after(operator, operator.post(f"/alerts/{ONE}/resolve/"))
    assert Alert.objects.get().state == "resolved"
    assert operator.post(f"/alerts/{TWO}/resolve/").status_code == 404


def test_a_viewer_sees_no_buttons(sign_in: Callable[..., Client]) -> None:
    report(ONE)
    page = text_of(sign_in("vera", "viewer").get(f"/alerts/{ONE}/"))
    assert "Resolve</button>" not in page
    assert "Acknowledge</button>" not in page


def test_without_the_database_the_page_says_so(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(alerts, "counts", away)
    response = operator.get("/alerts/")
    assert response.status_code == 503
    assert "The database does not answer" in text_of(response)


def test_a_list_without_any_offers_a_test_event(operator: Client) -> None:
    assert "Send a test event" in text_of(operator.get("/alerts/"))
    assert "Send a test event" not in text_of(operator.get("/alerts/", {"filter": "source:x"}))
