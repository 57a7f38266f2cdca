"""The pages /schedules/ and their buttons: issue 6 (4), B2."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from ingest import schedules as rules
from ingest.models import Schedule
from queueadmin.console import schedules
from tests.console.conftest import outcome
from tests.console.pages.conftest import message_after, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

FORM = {
    "name": "nightly", "kind": "alert", "cron": "15 3 * * *", "interval_seconds": "", "timezone": "Europe/Berlin",
    "source": "", "tenant": "", "priority": "low", "catch_up": "once", "body": '{"title": "Report", "n": 1.10}',
}  # fmt: skip


def make(name: str = "nightly", **fields: Any) -> Schedule:
    return rules.create(name, **{"kind": "alert", "body": '{"title": "x"}', "cron": "15 3 * * *"} | fields)


def test_an_empty_page_teaches(operator: Client, sign_in: Callable[..., Client]) -> None:
    page = text_of(operator.get("/schedules/"))
    assert "Nothing is scheduled." in page
    assert "client.schedule(" in page
    assert "New schedule" in page
    assert "Operators can make one here." in text_of(sign_in("vera", "viewer").get("/schedules/"))


def test_each_is_listed_with_its_times_in_words_and_its_last_job(operator: Client) -> None:
    make("<nightly>")
    Schedule.objects.update(last_due=datetime.now(UTC), last_job="a" * 32)
    make("often", cron="", interval_seconds=900)
    page = text_of(operator.get("/schedules/"))
    assert "&lt;nightly&gt;" in page
    assert "At 03:15 every day, UTC" in page
    assert "Every 15 minutes" in page
    assert f'href="/jobs/{"a" * 32}/"' in page
    assert "Nothing fires:" in page, "no maintenance leads"


def test_one_that_did_not_fire_says_why(operator: Client) -> None:
    pk = make().pk
    Schedule.objects.update(problem="Its queue is full.")
    assert "Its queue is full." in text_of(operator.get("/schedules/"))
    assert "Its queue is full." in text_of(operator.get(f"/schedules/{pk}/"))


def test_one_schedule_its_next_five_times_and_its_event(operator: Client) -> None:
    pk = make(body='{"title": "x", "api_key": "hunter2"}', timezone="Asia/Kolkata", catch_up="once").pk
    page = text_of(operator.get(f"/schedules/{pk}/"))
    assert "It has not been due yet." in page
    assert page.count("21:45:00 UTC</time>") == 5
    assert "hunter2" not in page
    assert "the last time that passed fires, once" in page
    assert operator.get("/schedules/99999999999999999999/").status_code == 404


def test_one_is_made_by_the_form(operator: Client) -> None:
    assert 'name="cron"' in text_of(operator.get("/schedules/new/"))
    said = message_after(operator, operator.post("/schedules/new/", FORM))
    assert "“nightly” sends an alert: At 03:15 every day, Europe/Berlin." in said
    made = Schedule.objects.get()
    assert (made.body, made.priority, made.catch_up) == (FORM["body"], "low", "once")
    assert (outcome().action, outcome().actor) == ("create_schedule", "ada")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cron": "61 * * * *"}, "not valid"),
        ({"interval_seconds": "60"}, "either a cron expression or an interval"),
        ({"cron": ""}, "either a cron expression or an interval"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"body": "[]"}, "one JSON object"),
        ({"name": "taken"}, "already exists"),
        ({"name": ""}, "required"),
        ({"kind": "callback"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_in_the_form(operator: Client, changes: dict[str, str], said: str) -> None:
    make("taken")
    response = operator.post("/schedules/new/", FORM | changes)
    assert response.status_code == 422
    assert said in text_of(response)
    assert Schedule.objects.count() == 1


def test_one_is_edited_and_only_what_differs_changes(operator: Client) -> None:
    pk = make(body=FORM["body"], timezone="Europe/Berlin", priority="low").pk
    page = text_of(operator.get(f"/schedules/{pk}/edit/"))
    assert "1.10" in page
    laid_out = '{\r\n  "title": "Report",\r\n  "n": 1.10\r\n}'
    said = message_after(operator, operator.post(f"/schedules/{pk}/edit/", FORM | {"body": laid_out}))
    assert "“nightly”: catch_up changed." in said
    assert Schedule.objects.get().body == FORM["body"]


def test_a_body_with_credentials_is_not_shown_and_stays(operator: Client) -> None:
    body = '{"token": "hunter2"}'
    pk = make(body=body).pk
    page = text_of(operator.get(f"/schedules/{pk}/edit/"))
    assert "hunter2" not in page
    assert "left empty it stays as it is" in page
    operator.post(f"/schedules/{pk}/edit/", FORM | {"body": ""})
    assert Schedule.objects.get().body == body


def test_buttons_pause_resume_run_and_delete(operator: Client) -> None:
    pk = make().pk
    assert "“nightly” is paused." in message_after(operator, operator.post(f"/schedules/{pk}/pause/"))
    assert "Resume" in text_of(operator.get("/schedules/"))
    assert "“nightly” is on." in message_after(operator, operator.post(f"/schedules/{pk}/resume/"))
    there = f"/schedules/{pk}/"
    ran = operator.post(f"/schedules/{pk}/run-now/", {"next": there})
    assert ran["Location"] == there
    assert "sent its event: job" in message_after(operator, ran)
    assert operator.post(f"/schedules/{pk}/run-now/", {"next": "//evil"})["Location"] == "/schedules/"
    assert "there is no way back" in text_of(operator.get(f"/schedules/{pk}/delete/"))
    said = message_after(operator, operator.post(f"/schedules/{pk}/delete/", {"reason": "done with"}))
    assert "“nightly” is deleted" in said
    assert outcome().reason == "done with"
    assert operator.post(f"/schedules/{pk}/pause/").status_code == 404


def test_a_viewer_sees_no_buttons(sign_in: Callable[..., Client]) -> None:
    pk = make().pk
    viewer = sign_in("vera", "viewer")
    for path in ("/schedules/", f"/schedules/{pk}/"):
        page = text_of(viewer.get(path))
        assert "Run now" not in page
        assert "nightly" in page
    assert viewer.get(f"/schedules/{pk}/edit/").status_code == 403
    assert viewer.post(f"/schedules/{pk}/delete/").status_code == 403


def test_while_it_is_typed_it_says_what_it_means(operator: Client) -> None:
    def preview(**given: str) -> str:
        return text_of(operator.get("/schedules/preview/", given))

    assert "At 08:00 on Monday through Friday, Europe/Berlin." in preview(cron="0 8 * * 1-5", timezone="Europe/Berlin")
    assert preview(cron="0 8 * * 1-5").count("<time") == 5
    assert "Every 15 minutes." in preview(interval_seconds="900")
    assert "not valid" in preview(cron="99 * * * *")
    assert "either" in preview(cron="* * * * *", interval_seconds="5")
    assert "five fields" in preview(cron="a").lower()
    assert "whole number" in preview(interval_seconds="x")
    assert "Five fields" in preview()


def test_more_than_a_page_and_the_database_away(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        make(f"s{number}")
    monkeypatch.setattr("queueadmin.console.pages.schedules.PAGE_SIZE", 2)
    first = text_of(operator.get("/schedules/"))
    assert 'href="/schedules/?cursor=s1"' in first
    assert "s2" in text_of(operator.get("/schedules/?cursor=s1"))

    def away(**_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(schedules, "page", away)
    response = operator.get("/schedules/")
    assert response.status_code == 503
    assert "The database does not answer" in text_of(response)
