"""Who may see pages and press buttons."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
import redis
from django.contrib.auth.models import Group, User
from django.contrib.auth.models import Permission as Stored
from django.test import Client
from pytest_django.fixtures import Settings

from queueadmin.console.access.permissions import PERMISSIONS
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/jobs/x/", "/audit/?filter=by", "/queues/low/empty/"])
def test_a_page_asks_strangers_to_sign_in_and_brings_them_back(path: str, client: Client) -> None:
    response = client.get(path, headers={"host": "localhost"})
    assert response.status_code == 302
    assert response["Location"] == f"/login/?next={quote(path)}"


def test_a_button_that_is_refused_says_what_is_missing_and_who_has_it(
    sign_in: Callable[..., Client], jobs: Jobs
) -> None:
    """X16. On a page of its own, and for htmx as a toast; nothing is done either way."""
    (job_id,) = jobs.fail(1)
    viewer = sign_in("vera", "viewer")
    sentence = (
        "vera may not discard jobs into the trash: that needs the permission console.discard_jobs, which the groups"
        " admin and operator have."
    )
    page = viewer.post(f"/jobs/{job_id}/discard/")
    assert page.status_code == 403
    assert sentence in text_of(page)
    assert "/account/#may" in text_of(page)
    toast = viewer.post(f"/jobs/{job_id}/discard/", headers=HTMX)
    assert toast.status_code == 403
    assert said(toast) == sentence
    assert not AuditEntry.objects.exists()


def test_to_retry_elsewhere_and_to_edit_takes_what_each_part_of_it_takes(
    sign_in: Callable[..., Client], jobs: Jobs
) -> None:
    (job_id,) = jobs.fail(1)
    mover = sign_in("mo", "movers")
    held = Stored.objects.filter(codename__in=["view_console", "move_jobs", "edit_jobs"])
    Group.objects.get(name="movers").permissions.set(held)
    page = text_of(mover.get(f"/jobs/{job_id}/"))
    assert "Retry there" not in page
    assert ">Edit<" in page.replace("</svg>", ">")
    response = mover.post(f"/jobs/{job_id}/move/", {"to": "low", "retry": "on"})
    assert "console.retry_jobs" in text_of(response)
    Group.objects.get(name="movers").permissions.add(Stored.objects.get(codename="retry_jobs"))
    assert "Retry there" in text_of(mover.get(f"/jobs/{job_id}/"))
    assert mover.post(f"/jobs/{job_id}/move/", {"to": "low", "retry": "on"}).status_code == 302


def test_the_account_shows_what_one_may(sign_in: Callable[..., Client]) -> None:
    page = text_of(sign_in("vera", "viewer").get("/account/"))
    assert f"4 of {len(PERMISSIONS)} things" in page
    assert all(each.name in page for each in PERMISSIONS)
    assert "superuser: may all" not in page


def test_somebody_who_may_not_even_look_has_an_account_and_sees_no_numbers(
    sign_in: Callable[..., Client], jobs: Jobs
) -> None:
    jobs.fail(7)
    stranger = sign_in("stan", "newcomers")
    page = text_of(stranger.get("/account/"))
    assert f"0 of {len(PERMISSIONS)} things" in page
    assert "/audit/" not in page
    assert "/dead-letters/" not in page
    assert "<title>Account" in page, "no depth stands before it"
    refused = stranger.get("/")
    assert refused.status_code == 403
    assert "console.view_console" in text_of(refused)


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
        allowed += page.count(">Save</button>")  # views of their own
        assert submits == allowed, "a viewer may sign out, search and save views, and no more"


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
