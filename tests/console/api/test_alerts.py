"""Problems through the API: issue 5 (4)."""

from collections.abc import Callable

import pytest
from django.test import Client

from ingest.models import Alert, Report
from queueadmin.console.models import AuditEntry
from tests.console.api.conftest import problem_of
from tests.console.conftest import outcome, report

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.usefixtures("empty_redis")]

ONE = "1" * 32


def test_a_problem_is_listed_and_looked_at(admin: Client) -> None:
    report(ONE, labels={"host": "db-1"}, event="e" * 32)
    report("2" * 32, priority="low")

    listed = admin.get("/api/v1/alerts", {"filter": "severity:high label.host:db-1"}).json()
    assert [each["id"] for each in listed["items"]] == [ONE]
    assert listed["next"] is None
    assert "reports" not in listed["items"][0]
    whole = admin.get(f"/api/v1/alerts/{ONE}").json()
    assert (whole["state"], whole["occurrences"], whole["labels"]) == ("triggered", 1, {"host": "db-1"})
    assert [(each["action"], each["by"], each["job"]) for each in whole["reports"]] == [("trigger", None, "e" * 32)]


def test_pages_follow_their_cursors(admin: Client) -> None:
    for number in range(5):
        report(f"{number:032x}", minutes_ago=number)
    first = admin.get("/api/v1/alerts?limit=3").json()
    second = admin.get("/api/v1/alerts", {"limit": 3, "cursor": first["next"]}).json()
    assert [each["id"][-1] for each in first["items"] + second["items"]] == list("01234")
    assert second["next"] is None


def test_what_is_wrong_is_named(admin: Client) -> None:
    assert problem_of(admin.get("/api/v1/alerts?filter=queue:high"), 422, "invalid_filter")["term"] == "queue:high"
    assert problem_of(admin.get("/api/v1/alerts?cursor=x"), 422, "invalid_field")["field"] == "cursor"
    assert problem_of(admin.get("/api/v1/alerts?limit=0"), 422, "invalid_field")["field"] == "limit"
    problem_of(admin.get("/api/v1/alerts/nobody"), 404, "alert_not_found")
    problem_of(admin.post("/api/v1/alerts/nobody/resolve"), 404, "alert_not_found")


def test_it_is_acknowledged_and_resolved_by_name_and_on_the_record(admin: Client) -> None:
    report(ONE)
    said = {"reason": "on it"}
    answer = admin.post(f"/api/v1/alerts/{ONE}/acknowledge", said, content_type="application/json").json()
    assert (answer["state"], answer["reports"][0]["action"]) == ("acknowledged", "acknowledge")
    assert answer["reports"][0]["by"].startswith("key:")
    assert answer["reports"][0]["job"] is None
    assert (outcome().action, outcome().count, outcome().reason) == ("acknowledge_alert", 1, "on it")
    assert outcome().target == f"alert {ONE}"

    assert admin.post(f"/api/v1/alerts/{ONE}/resolve").json()["state"] == "resolved"
    assert (outcome().action, outcome().count) == ("resolve_alert", 1)
    report(ONE)
    assert admin.get(f"/api/v1/alerts/{ONE}").json()["state"] == "triggered", "it breaks out again"


def test_saying_it_again_changes_nothing(admin: Client) -> None:
    report(ONE)
    for verb, state in (("acknowledge", "acknowledged"), ("resolve", "resolved")):
        for _ in range(2):
            answer = admin.post(f"/api/v1/alerts/{ONE}/{verb}")
            assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert outcome().count == 0
    assert Report.objects.count() == 3
    problem = problem_of(admin.post(f"/api/v1/alerts/{ONE}/acknowledge"), 409, "already_resolved")
    assert problem["state"] == "resolved"


def test_what_is_pressed_counts_though_a_sender_s_clock_is_ahead(admin: Client) -> None:
    report(ONE, minutes_ago=-60)
    assert admin.post(f"/api/v1/alerts/{ONE}/acknowledge").json()["state"] == "acknowledged"
    assert admin.post(f"/api/v1/alerts/{ONE}/resolve").json()["state"] == "resolved"
    assert Alert.objects.get().occurrences == 1


def test_a_reader_may_not_act(with_key: Callable[..., Client]) -> None:
    report(ONE)
    reader = with_key("read")
    assert reader.get(f"/api/v1/alerts/{ONE}").status_code == 200
    assert reader.post(f"/api/v1/alerts/{ONE}/resolve").status_code == 403
    assert not AuditEntry.objects.exists()
