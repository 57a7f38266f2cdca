"""/matching-jobs/: what is done with all jobs of a filter."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from queueadmin.console import queries
from queueadmin.console.job_lists import budget
from tests.console.conftest import Jobs, outcome
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db


def _fields(client: Client, text: str) -> dict[str, str]:
    page = client.get("/matching-jobs/", {"filter": text})
    values = {name: text_of(page).split(f'name="{name}" value="')[1].split('"')[0] for name in ("at", "places")}
    return {"filter": text, **values}


def test_the_page_counts_and_the_list_leads_there(operator: Client, jobs: Jobs) -> None:
    jobs.enqueue(60)
    assert "/matching-jobs/?filter=state%3Aqueued%20queue%3Ahigh" in text_of(
        operator.get("/queues/high/?filter=state:queued")
    )
    page = text_of(operator.get("/matching-jobs/?filter=state:queued"))
    for shown in ("60 jobs match", "Move 60", "Cancel 60", "Discard 60"):
        assert shown in page
    assert "There is nothing to act on" in text_of(operator.get("/matching-jobs/?filter=source:nobody"))


def test_exactly_those_that_matched_when_the_page_was_opened_are_moved(operator: Client, jobs: Jobs) -> None:
    ids = jobs.enqueue(120)
    fields = _fields(operator, "state:queued")
    (later,) = jobs.enqueue(1)
    refused = operator.post("/matching-jobs/", fields | {"verb": "cancel"}, headers=HTMX)
    assert refused.status_code == 422
    assert "over 100 need a reason" in said(refused)
    response = operator.post("/matching-jobs/", fields | {"verb": "cancel", "reason": "sent twice"})
    assert response["Location"] == "/jobs/?filter=state%3Aqueued"
    assert "120 jobs canceled." in message_after(operator, response)
    assert (outcome().action, outcome().target, outcome().count) == ("cancel", "state:queued", 120)
    assert queries.several([ids[0], later])[later]["state"] == "queued"


def test_to_another_queue(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    fields = _fields(operator, "") | {"verb": "move"}
    assert operator.post("/matching-jobs/", fields, headers=HTMX).status_code == 422
    assert said(operator.post("/matching-jobs/", fields | {"to": "low"}, headers=HTMX)) == (
        "1 job moved to the back of low."
    )
    assert (outcome().target, queries.several([job_id])[job_id]["queue"]) == ("all jobs", "low")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"at": "x"},
        {"verb": "purge"},
        {"places": "-1"},
        {"places": ""},
        {"at": "9999-12-31T23:59:59.000000-0100"},
        {"at": "0001-01-01T00:00:00.000000+0100"},
        {"filter": "x" * 2001},
    ],
)
def test_wrong_fields_are_refused_in_words(sent: dict[str, str], operator: Client) -> None:
    fields = (
        {"filter": "", "places": "9", "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f%z}", "verb": "cancel"}
        if sent
        else {}
    )
    response = operator.post("/matching-jobs/", fields | sent, headers=HTMX)
    assert response.status_code == 422
    assert said(response)


def test_it_counts_on_from_where_it_came_to(operator: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 7: no page reads all, and each number is of what was counted."""
    monkeypatch.setattr(budget, "SECONDS", 0)
    monkeypatch.setattr(budget, "LEAST", 20)
    jobs.enqueue(50)
    page = operator.get("/matching-jobs/?filter=state:queued")
    for shown in ("20 jobs match so far", "Looked at 20 of 50", "count on", "Cancel 20"):
        assert shown in text_of(page)
    once = operator.get(page.context["further"])
    assert "Looked at 40 of 50" in text_of(once)
    for shown in ("50 jobs match", "Looked at 50 of 50", "Cancel 50"):
        assert shown in text_of(operator.get(once.context["further"]))
    fields = {"filter": "state:queued", "at": page.context["at"].isoformat(), "verb": "cancel", "places": "20"}
    pressed = operator.post("/matching-jobs/", fields | {"at": fields["at"].replace("+00:00", "+0000")})
    assert "20 jobs canceled." in message_after(operator, pressed)


def test_what_was_counted_is_believed_of_this_console_alone(
    operator: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0)
    monkeypatch.setattr(budget, "LEAST", 1)
    jobs.enqueue(3)
    further = operator.get("/matching-jobs/?filter=state:queued").context["further"]
    assert operator.get(further).status_code == 200
    assert operator.get(f"{further}x").status_code == 404
    assert operator.get(further.replace("queued", "failed")).status_code == 404


def test_a_wrong_filter_is_no_page(operator: Client) -> None:
    assert operator.get("/matching-jobs/?filter=state:none").status_code == 404


@pytest.mark.usefixtures("no_redis")
def test_without_redis_it_says_so(sign_in) -> None:  # type: ignore[no-untyped-def]
    assert sign_in("ada", "operator").get("/matching-jobs/").status_code == 503
