"""The pages and their buttons: who may, what they answer, and what they say while Redis is away."""

import json
from collections.abc import Callable

import pytest
import redis
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from ingest.queue import keys
from ingest.queue.transitions import Failure
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db

PAGES = ["/", "/dead-letters/", "/dead-letters/retry-all/", "/jobs/x/", "/account/"]
BUTTONS = ["/recover-stalled/", "/test-event/", "/dead-letters/retry/", "/dead-letters/retry-all/", "/jobs/x/retry/"]
HTMX = {"hx-request": "true"}


@pytest.fixture(autouse=True)
def _plain_static_files(settings: Settings) -> None:
    """Names without hashes: nothing was collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def sign_in(make_user: Callable[..., User]) -> Callable[..., Client]:
    def sign(name: str, group: str | None = None) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(make_user(name, group), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign


@pytest.fixture
def operator(sign_in: Callable[..., Client], empty_redis: redis.Redis) -> Client:
    return sign_in("ada", "operator")


def _text(response: HttpResponse) -> str:
    return response.content.decode()


def _said(response: HttpResponse) -> str:
    """The toast that an answer to htmx brings."""
    text: str = json.loads(response["HX-Trigger"])["said"]["text"]
    return text


def _message(client: Client, response: HttpResponse) -> str:
    """The sentence on the page that a plain form's redirect leads to."""
    assert response.status_code == 302, response.content
    page = _text(client.get(response["Location"]))
    return page.split('id="toast"')[1].split("</div>")[0]


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_strangers_to_sign_in_and_brings_them_back(path: str, client: Client) -> None:
    response = client.get(path, headers={"host": "localhost"})
    assert response.status_code == 302
    assert response["Location"] == f"/login/?next={path}"


@pytest.mark.parametrize("path", BUTTONS)
def test_a_button_does_nothing_for_strangers_viewers_and_get(
    path: str, client: Client, sign_in: Callable[..., Client], jobs: Jobs
) -> None:
    jobs.fail(1)
    assert client.post(path, headers={"host": "localhost"})["Location"].startswith("/login/")
    viewer = sign_in("vera", "viewer")
    assert viewer.post(path).status_code == 403
    if path != "/dead-letters/retry-all/":
        assert viewer.get(path).status_code == 405
    assert not AuditEntry.objects.exists()


def test_a_button_without_the_token_is_refused_in_words(
    make_user: Callable[..., User], empty_redis: redis.Redis
) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    strict.force_login(make_user("ada", "operator"), backend="django.contrib.auth.backends.ModelBackend")
    response = strict.post("/recover-stalled/")
    assert response.status_code == 403
    assert "too old" in _text(response)


def test_a_viewer_sees_no_buttons(sign_in: Callable[..., Client], jobs: Jobs) -> None:
    jobs.fail(1)
    viewer = sign_in("vera", "viewer")
    for path in ("/", "/dead-letters/"):
        page = _text(viewer.get(path))
        assert "no such device" in page
        submits = page.count('type="submit"')
        assert submits == page.count("Sign out</button>"), "a viewer may sign out, and no more"


def test_login_says_what_is_wrong_and_locks_after_ten_tries(
    client: Client, make_user: Callable[..., User], settings: Settings
) -> None:
    make_user("ada")
    wrong = {"username": "ada", "password": "nope"}
    response = client.post("/login/", wrong, headers={"host": "localhost"})
    assert "do not fit together" in _text(response)
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        response = client.post("/login/", wrong, headers={"host": "localhost"})
    assert response.status_code == 429
    assert "Too many wrong passwords" in _text(response)


def test_the_password_is_changed_with_the_old_one(empty_redis: redis.Redis) -> None:
    User.objects.create_user("ada", password="correct horse")
    operator = Client(headers={"host": "localhost"})
    signed = operator.post("/login/", {"username": "ada", "password": "correct horse"})
    assert signed["Location"] == "/"
    fresh = {"new_password1": "lantern-orbit-42", "new_password2": "lantern-orbit-42"}
    assert "entered incorrectly" in _text(operator.post("/account/", {"old_password": "nope", **fresh}))
    response = operator.post("/account/", {"old_password": "correct horse", **fresh})
    assert "Password changed" in _message(operator, response)
    assert User.objects.get(username="ada").check_password(fresh["new_password1"])


# --- pages ---------------------------------------------------------------------------------------


def test_a14_the_overview_shows_the_snapshot_at_first_paint(operator: Client, jobs: Jobs) -> None:
    jobs.fail(2, queue="high")
    jobs.enqueue(3, queue="low")
    page = _text(operator.get("/"))
    assert '<b data-k="backlog">3</b>' in page
    assert '<b data-k="failed">2</b>' in page
    assert '<dd data-k="enqueued">5</dd>' in page
    assert '<dd data-k="failures">2</dd>' in page
    assert "<title>(3) Overview · queueadmin</title>" in page
    assert "no such device" in page


def test_an_empty_overview_offers_a_test_event_and_the_curl_line(operator: Client) -> None:
    page = _text(operator.get("/"))
    assert 'id="first" aria-labelledby="first-h">' in page
    assert "curl http://localhost/api/alerts/event" in page
    response = operator.post("/test-event/")
    assert "accepted: it waits in low" in _message(operator, response)
    assert 'aria-labelledby="first-h" hidden>' in _text(operator.get("/"))


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
    assert "There is no such page" in _text(response)


def test_the_find_box_leads_to_the_job(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    assert operator.get("/jobs/", {"id": f" {job_id} "})["Location"] == reverse("console:job", args=[job_id])
    for nonsense in ("", "../../etc", ".."):
        assert operator.get("/jobs/", {"id": nonsense})["Location"] == "/"


def test_a_job_page_shows_its_life_and_masks_its_secrets(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    (job_id,) = jobs.fail(1)
    page = _text(operator.get(f"/jobs/{job_id}/"))
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
    page = _text(operator.get(f"/jobs/{job_id}/"))
    assert page.index("Attempt 2") < page.index("Attempt 1")
    assert page.count("<details") == 2
    assert "the end: first, token=•••" in page
    assert "the end: second &lt;b&gt;" in page
    assert "the-worker" in page
    assert "s3cret" not in page


def test_b6_a_job_page_shows_progress_and_log(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    assert 'id="job-progress" hidden' in _text(operator.get(f"/jobs/{job_id}/"))
    claim = jobs.start()
    jobs.transitions.progress("high", claim, job_id, value=40, line="<b>nearly")
    page = _text(operator.get(f"/jobs/{job_id}/"))
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
    page = _text(operator.get(f"/jobs/{sent.json()['id']}/"))  # type: ignore[attr-defined]
    assert "s3cret" not in page
    assert "masked, 8 characters" in page


def test_djangos_admin_manages_users_and_brings_no_second_console(make_user: Callable[..., User]) -> None:
    admin = Client(headers={"host": "localhost"})
    user = make_user("root", superuser=True)
    user.is_staff = True
    user.save()
    admin.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert admin.get("/django-admin/auth/user/").status_code == 200
    assert "django_rq" not in _text(admin.get("/django-admin/"))
    assert admin.get("/django-admin/django_rq/dashboard/").status_code == 404
    assert admin.get("/favicon.ico")["Location"] == "/static/console/favicon.svg"


# --- buttons -------------------------------------------------------------------------------------


def test_retry_moves_what_was_ticked_and_says_how_many(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(3)
    response = operator.post("/dead-letters/retry/", {"ids": [*ids[:2], "gone"]})
    assert "2 jobs put back into the queue; 1 job had moved already (gone)." in _message(operator, response)
    assert empty_redis.zcard(keys.failed("high")) == 1
    assert AuditEntry.objects.filter(actor="ada", action="retry", step="outcome", count=2).count() == 1


def test_retry_for_htmx_answers_with_the_fresh_list_and_a_toast(operator: Client, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    response = operator.post("/dead-letters/retry/", {"ids": ids[:1]}, headers=HTMX)
    assert _said(response) == "1 job put back into the queue."
    page = _text(response)
    assert page.startswith('<section class="card" id="dead"')
    assert ids[0] not in page
    assert ids[1] in page


def test_retrying_one_job_twice_says_that_it_had_moved(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail(1)
    assert _said(operator.post(f"/jobs/{job_id}/retry/", headers=HTMX)) == "1 job put back into the queue."
    assert "had moved already (queued, by ada at " in _said(operator.post(f"/jobs/{job_id}/retry/", headers=HTMX))


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [([], "No job was selected."), (["a b"], "is not a job id"), (["a"] * 501, "At most 500 jobs")],
)
def test_a_bad_selection_is_refused_with_the_limit(ids: list[str], sentence: str, operator: Client) -> None:
    response = operator.post("/dead-letters/retry/", {"ids": ids}, headers=HTMX)
    assert response.status_code == 422
    assert sentence in _said(response)


def test_retry_all_asks_first_then_moves_one_queue_or_all(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    jobs.fail(2, queue="high")
    jobs.fail(3, queue="low")
    assert "Retry all 2 dead letters of high?" in _text(operator.get("/dead-letters/retry-all/?queue=high"))
    response = operator.post("/dead-letters/retry-all/", {"queue": "high", "next": "/dead-letters/?queue=high"})
    assert response["Location"] == "/dead-letters/?queue=high"
    assert empty_redis.zcard(keys.failed("low")) == 3
    assert _said(operator.post("/dead-letters/retry-all/", headers=HTMX)) == "3 jobs put back into the queue."


def test_a_button_never_leads_to_another_site(operator: Client) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        response = operator.post("/dead-letters/retry-all/", {"next": elsewhere})
        assert response["Location"] == "/dead-letters/"


def test_a10_recover_stalled_says_what_it_took_back(operator: Client, jobs: Jobs) -> None:
    assert "No job was stalled" in _message(operator, operator.post("/recover-stalled/"))
    jobs.enqueue(2)
    jobs.start(lease=0)
    assert "2 jobs taken back to the front of high." in _said(operator.post("/recover-stalled/", headers=HTMX))


# --- Redis is away ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_redis")
def test_pages_stand_while_redis_is_away(sign_in: Callable[..., Client]) -> None:
    operator = sign_in("ada", "operator")
    page = _text(operator.get("/"))
    assert "Redis does not answer" in page
    assert '<b data-k="backlog">–</b>' in page
    for path in ("/dead-letters/", "/jobs/x/"):
        response = operator.get(path)
        assert response.status_code == 503
        assert "Redis does not answer" in _text(response)
    response = operator.post("/recover-stalled/", headers=HTMX)
    assert response.status_code == 503
    assert "Redis stopped answering" in _said(response)
