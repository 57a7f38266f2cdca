"""Who may see pages and press buttons."""

from collections.abc import Callable

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs
from tests.console.pages.conftest import message_after, text_of

pytestmark = pytest.mark.django_db

#: Pages that ask before they do; the button sends to the same path.
ASKING = [
    "/jobs/x/edit/",
    "/matching-jobs/",
    "/ingest/fields/",
    "/schedules/new/",
    "/replays/new/",
    "/dead-letters/retry-all/",
    "/queues/pause/",
    "/queues/low/pause/",
    "/queues/low/empty/",
]
PAGES = [
    "/",
    "/dead-letters/",
    "/dead-letters/0123456789ab/",
    "/jobs/",
    "/job-rows/",
    "/jobs/x/",
    "/jobs/x/raw/",
    "/queues/low/",
    "/account/",
    "/ingest/",
    "/alerts/",
    "/alerts/x/",
    "/devices/",
    "/schedules/",
    "/schedules/1/",
    "/replays/",
    "/replays/1/",
    "/workers/",
    "/audit/",
    "/audit/export.csv",
    "/settings/",
    *ASKING,
]
BUTTONS = [
    "/recover-stalled/",
    "/test-event/",
    "/loss/understood/",
    "/queues/resume/",
    "/queues/low/resume/",
    "/ingest/severities/map/",
    "/ingest/fields/unmap/",
    *(f"/dead-letters/{verb}/" for verb in ("retry", "discard", "restore")),
    *(f"/dead-letters/0123456789ab/{verb}/" for verb in ("acknowledge", "resolve", "reopen", "note", "assign")),
    *(
        f"/jobs/x/{verb}/"
        for verb in ("retry", "run-now", "cancel", "discard", "restore", "duplicate", "move", "reveal")
    ),
    *(f"/schedules/1/{verb}/" for verb in ("pause", "resume", "run-now")),
    *(f"/replays/1/{verb}/" for verb in ("pause", "resume", "cancel")),
    *(f"/chosen-jobs/{verb}/" for verb in ("retry", "run-now", "move", "restore", "cancel", "discard")),
    "/finished-jobs/clean/",
    *(f"/workers/x/{verb}/" for verb in ("drain", "resume", "restart")),
    *(f"/alerts/x/{verb}/" for verb in ("acknowledge", "resolve")),
    *ASKING,
]


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
    if path not in ASKING:
        assert viewer.get(path).status_code == 405
    assert not AuditEntry.objects.exists()


def test_a_button_without_the_token_is_refused_in_words(
    make_user: Callable[..., User], empty_redis: redis.Redis
) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    strict.force_login(make_user("ada", "operator"), backend="django.contrib.auth.backends.ModelBackend")
    response = strict.post("/recover-stalled/")
    assert response.status_code == 403
    assert "too old" in text_of(response)


def test_a_viewer_sees_no_buttons(sign_in: Callable[..., Client], jobs: Jobs) -> None:
    jobs.fail(1)
    viewer = sign_in("vera", "viewer")
    for path in ("/", "/dead-letters/"):
        page = text_of(viewer.get(path))
        assert "no such device" in page
        submits = page.count('type="submit"')
        allowed = page.count("Sign out</button>") + page.count('aria-label="Filter dead letters"')
        assert submits == allowed, "a viewer may sign out and search, and no more"


def test_login_says_what_is_wrong_and_locks_after_ten_tries(
    client: Client, make_user: Callable[..., User], settings: Settings
) -> None:
    make_user("ada")
    wrong = {"username": "ada", "password": "nope"}
    response = client.post("/login/", wrong, headers={"host": "localhost"})
    assert "do not fit together" in text_of(response)
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        response = client.post("/login/", wrong, headers={"host": "localhost"})
    assert response.status_code == 429
    assert "Too many wrong passwords" in text_of(response)


def test_the_password_is_changed_with_the_old_one(empty_redis: redis.Redis) -> None:
    User.objects.create_user("ada", password="correct horse")
    operator = Client(headers={"host": "localhost"})
    signed = operator.post("/login/", {"username": "ada", "password": "correct horse"})
    assert signed["Location"] == "/"
    fresh = {"new_password1": "lantern-orbit-42", "new_password2": "lantern-orbit-42"}
    assert "entered incorrectly" in text_of(operator.post("/account/", {"old_password": "nope", **fresh}))
    response = operator.post("/account/", {"old_password": "correct horse", **fresh})
    assert "Password changed" in message_after(operator, response)
    assert User.objects.get(username="ada").check_password(fresh["new_password1"])


def test_a_button_never_leads_to_another_site(operator: Client) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        response = operator.post("/dead-letters/retry-all/", {"next": elsewhere})
        assert response["Location"] == "/dead-letters/"
