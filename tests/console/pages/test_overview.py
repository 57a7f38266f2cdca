"""The pages: what they show, and what they say while Redis is away."""

import json
from collections.abc import Callable
from unittest.mock import Mock

import pytest
import redis
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.urls import reverse

from ingest.queue.transitions import Failure
from queueadmin.console.pages import overview
from tests.console.conftest import Jobs
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db


def test_a14_the_overview_shows_the_snapshot_at_first_paint(operator: Client, jobs: Jobs) -> None:
    jobs.fail(2, queue="high")
    jobs.enqueue(3, queue="low")
    page = text_of(operator.get("/"))
    assert '<b data-k="backlog">3</b>' in page
    assert '<b data-k="failed">2</b>' in page
    assert '<dd data-k="enqueued">5</dd>' in page
    assert '<dd data-k="failures">2</dd>' in page
    assert "<title>(3) Overview · queueadmin</title>" in page
    assert "no such device" in page


def test_an_empty_overview_offers_a_test_event_and_the_curl_line(operator: Client) -> None:
    page = text_of(operator.get("/"))
    assert 'id="first" aria-labelledby="first-h">' in page
    assert "curl http://localhost/api/alerts/event" in page
    response = operator.post("/test-event/")
    assert "accepted: it waits in low" in message_after(operator, response)
    assert 'aria-labelledby="first-h" hidden>' in text_of(operator.get("/"))


def test_dead_letters_are_paged_by_key_and_filtered_by_queue(operator: Client, jobs: Jobs) -> None:
    high = jobs.fail(55, queue="high")
    low = jobs.fail(1, queue="low")
    first = operator.get("/dead-letters/?queue=high")
    seen = [item.id for item in first.context["rows"].items]
    assert len(seen) == 50
    rest = operator.get("/dead-letters/", {"queue": "high", "cursor": first.context["rows"].next})
    seen += [item.id for item in rest.context["rows"].items]
    assert sorted(seen) == sorted(high)
    assert not set(low) & set(seen)


@pytest.mark.parametrize("query", ["queue=none", "cursor=%00", "cursor=rubbish", "cursor=" + "a" * 5000])
def test_a_list_that_does_not_exist_is_a_page_that_says_so(query: str, operator: Client) -> None:
    response = operator.get(f"/dead-letters/?{query}")
    assert response.status_code == 404
    assert "There is no such page" in text_of(response)


def test_the_find_box_leads_to_the_job(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    assert operator.get("/jobs/", {"id": f" {job_id} "})["Location"] == reverse("console:job", args=[job_id])
    assert operator.get("/jobs/", {"id": ""})["Location"] == "/"
    for odd in ("../../etc", ".."):  # RQ lets a client name its jobs so; no address goes up by them
        assert operator.get("/jobs/", {"id": odd})["Location"] == reverse("console:job", args=[odd])
        assert reverse("console:job", args=[odd]).startswith("/jobs/~")


def test_a_job_page_shows_its_life_and_masks_its_secrets(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    (job_id,) = jobs.fail(1)
    page = text_of(operator.get(f"/jobs/{job_id}/"))
    assert "Dead letter" in page
    assert "ValueError" in page
    assert "Problem 1" in page
    assert operator.get("/jobs/nobody/").status_code == 404


def test_a_job_page_shows_every_failed_attempt_with_its_traceback(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1, retries=(0,))
    for message in ("first, token=s3cret", "second <b>"):
        claim = jobs.start()
        error = f"Traceback\n  the end: {message}"
        failure = Failure(job_id, error, retry=True, error_type="KeyError", message=message)
        jobs.transitions.fail("high", claim, "the-worker", [failure])
    page = text_of(operator.get(f"/jobs/{job_id}/"))
    assert page.index("Attempt 2") < page.index("Attempt 1")
    assert page.count('<details class="att" id="attempt-') == 2
    assert "the end: first, token=•••" in page
    assert "the end: second &lt;b&gt;" in page
    assert "the-worker" in page
    assert "s3cret" not in page


def test_b6_a_job_page_shows_progress_and_log(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    assert 'id="job-progress" hidden' in text_of(operator.get(f"/jobs/{job_id}/"))
    claim = jobs.start()
    jobs.transitions.progress("high", claim, job_id, value=40, line="<b>nearly")
    page = text_of(operator.get(f"/jobs/{job_id}/"))
    assert 'id="job-progress">' in page
    assert 'value="40"' in page
    assert "40 %" in page
    assert "<li>&lt;b&gt;nearly</li>" in page


def test_d11_what_is_a_credential_does_not_reach_the_page(operator: Client) -> None:
    body = {
        "title": "t",
        "labels": {"response_token": "s3cret-1", "link": "https://u:s3cret-2@x/?token=s3cret-3"},
        "callback_url": "https://hooks.example/?token=s3cret-4",
    }
    sent = operator.post("/api/v1/events", json.dumps(body), content_type="application/json")
    page = text_of(operator.get(f"/jobs/{sent.json()['id']}/"))  # type: ignore[attr-defined]
    assert "s3cret" not in page
    assert "masked, 8 characters" in page


def test_djangos_admin_manages_users_and_brings_no_second_console(make_user: Callable[..., User]) -> None:
    admin = Client(headers={"host": "localhost"})
    user = make_user("root", superuser=True)
    user.is_staff = True
    user.save()
    admin.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert admin.get("/django-admin/auth/user/").status_code == 200
    assert "django_rq" not in text_of(admin.get("/django-admin/"))
    assert admin.get("/django-admin/django_rq/dashboard/").status_code == 404
    assert admin.get("/favicon.ico")["Location"] == "/static/console/favicon.svg"


def test_an_overview_stands_while_its_causes_cannot_be_read(
    operator: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database went away between who is signed in and why jobs die: it was a 500."""
    jobs.fail(2, queue="high")
    for error in (OperationalError, InterfaceError):
        monkeypatch.setattr(overview, "largest", Mock(side_effect=error))
        response = operator.get("/")
        assert response.status_code == 200
        assert 'id="why" hidden' in text_of(response)


@pytest.mark.usefixtures("no_redis")
def test_pages_stand_while_redis_is_away(sign_in: Callable[..., Client]) -> None:
    operator = sign_in("ada", "operator")
    page = text_of(operator.get("/"))
    assert "Redis does not answer" in page
    assert '<b data-k="backlog">–</b>' in page
    for path in ("/dead-letters/", "/jobs/x/", "/queues/low/empty/"):
        response = operator.get(path)
        assert response.status_code == 503
        assert "Redis does not answer" in text_of(response)
    response = operator.post("/recover-stalled/", headers=HTMX)
    assert response.status_code == 503
    assert "Redis stopped answering" in said(response)
