"""Schedules through the API: issue 6 (4), B2."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from ingest import schedules as rules
from ingest.models import Schedule
from tests.console.api.conftest import problem_of
from tests.console.conftest import outcome

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.usefixtures("empty_redis")]

URL = "/api/v1/schedules"
NIGHTLY: dict[str, Any] = {"name": "nightly report", "kind": "alert", "cron": "15 3 * * *", "body": {"title": "x"}}
ONE = f"{URL}/nightly%20report"


def send(client: Client, method: str, path: str, body: Any = None) -> HttpResponse:
    answer: HttpResponse = getattr(client, method)(path, body, content_type="application/json")
    return answer


def test_one_is_made_read_changed_and_deleted(admin: Client) -> None:
    made = send(admin, "post", URL, NIGHTLY | {"timezone": "Europe/Berlin", "reason": "asked for"}).json()  # type: ignore[attr-defined]
    assert (made["words"], made["enabled"], made["catch_up"]) == ("At 03:15 every day, Europe/Berlin", True, "skip")
    assert len(made["upcoming"]) == 5
    assert (outcome().action, outcome().reason) == ("create_schedule", "asked for")
    assert admin.get(ONE).json() == made
    assert admin.get(URL).json() == {"items": [made], "next": None}

    changed = send(admin, "put", ONE, {"interval_seconds": 900}).json()  # type: ignore[attr-defined]
    assert (changed["words"], changed["cron"], changed["body"]) == ("Every 15 minutes", None, {"title": "x"})
    back = send(admin, "put", ONE, {"cron": "* * * * *", "source": None}).json()  # type: ignore[attr-defined]
    assert (back["words"], back["interval_seconds"]) == ("Every minute, Europe/Berlin", None)

    assert admin.delete(ONE).json()["deleted"] is True
    problem_of(admin.delete(ONE), 404, "schedule_not_found")


def test_it_is_paused_resumed_and_run_now(admin: Client) -> None:
    send(admin, "post", URL, NIGHTLY)
    paused = admin.post(f"{ONE}/pause").json()
    assert (paused["enabled"], paused["upcoming"]) == (False, [])
    assert admin.post(f"{ONE}/resume").json()["enabled"] is True
    ran = admin.post(f"{ONE}/run-now").json()
    assert admin.get(f"/api/v1/jobs/{ran['id']}").json()["state"] == "queued"
    assert outcome().action == "run_schedule"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("cron", {"cron": "61 * * * *"}),
        ("cron", {"interval_seconds": 5}),
        ("interval_seconds", {"cron": "", "interval_seconds": 0}),
        ("interval_seconds", {"cron": "", "interval_seconds": True}),
        ("interval_seconds", {"cron": "", "interval_seconds": 10**30}),
        ("timezone", {"timezone": "Mars/Olympus"}),
        ("timezone", {"timezone": "\x00"}),
        ("kind", {"kind": "callback"}),
        ("kind", {"kind": None}),
        ("priority", {"priority": "urgent"}),
        ("catch_up", {"catch_up": "all"}),
        ("body", {"body": []}),
        ("body", {"body": "{"}),
        ("body", {"body": {"token": "•••"}}),
        ("body", {"body": {"kind": "alert"}}),
        ("anchor", {"anchor": "yesterday"}),
        ("anchor", {"anchor": "2026-02-31T00:00:00Z"}),
        ("name", {"name": "a/b"}),
        ("name", {"name": "x" * 101}),
        ("name", {"name": 5}),
        ("enabled", {"enabled": 1}),
        ("source", {"source": "x" * 256}),
        ("reason", {"reason": "x" * 501}),
        ("colour", {"colour": "red"}),
    ],
)
def test_what_is_wrong_is_named(admin: Client, field: str, changes: dict[str, Any]) -> None:
    problem = problem_of(send(admin, "post", URL, NIGHTLY | changes), 422, "invalid_field")
    assert problem["field"] == field
    assert not Schedule.objects.exists()
    if field != "kind" or changes["kind"]:
        rules.create("nightly report", kind="alert", body="{}", cron="0 * * * *")
        if changes != {"interval_seconds": 5}:  # which ends the cron expression
            assert problem_of(send(admin, "put", ONE, changes), 422, "invalid_field")["field"] == field


def test_a_name_that_is_taken(admin: Client) -> None:
    send(admin, "post", URL, NIGHTLY)
    problem_of(send(admin, "post", URL, NIGHTLY), 409, "name_taken")
    send(admin, "post", URL, NIGHTLY | {"name": "other"})
    problem_of(send(admin, "put", f"{URL}/other", {"name": "nightly report"}), 409, "name_taken")


def test_what_the_list_is_asked_for(admin: Client) -> None:
    for name in "abc":
        rules.create(name, kind="alert", body="{}", cron="0 * * * *")
    first = admin.get(f"{URL}?limit=2").json()
    second = admin.get(URL, {"limit": 2, "cursor": first["next"]}).json()
    assert [each["name"] for each in first["items"] + second["items"]] == ["a", "b", "c"]
    assert problem_of(admin.get(f"{URL}?limit=0"), 422, "invalid_field")["field"] == "limit"
    problem_of(admin.get(f"{URL}/nobody"), 404, "schedule_not_found")
    problem_of(admin.post(f"{URL}/nobody/run-now"), 404, "schedule_not_found")
