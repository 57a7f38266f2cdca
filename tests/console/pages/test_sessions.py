"""Where somebody is signed in (issue 7.4)."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from queueadmin.console.access import sessions
from tests.console.pages.conftest import text_of

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
)


def signed_in(user: User, agent: str) -> Client:
    client = Client(headers={"host": "localhost", "user-agent": agent}, REMOTE_ADDR="192.0.2.7")
    answer = client.post("/login/", {"username": user.username, "password": "correct horse 7"})
    assert answer.status_code == 302
    return client


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    user = make_user("ada", "operator")
    user.set_password("correct horse 7")
    user.save()
    return user


def test_each_browser_is_shown_and_can_be_signed_out(ada: User, make_user: Callable[..., User]) -> None:
    here, there = signed_in(ada, FIREFOX), signed_in(ada, CHROME)
    page = text_of(here.get("/account/"))
    assert "Firefox on Linux" in page
    assert "Chrome on macOS" in page
    assert "192.0.2.7" in page
    assert here.session.session_key not in page
    mine, other = sessions.of_user(ada, here.session.session_key)
    assert (mine.here, mine.browser, other.here, other.browser) == (True, "Firefox on Linux", False, "Chrome on macOS")
    here.post("/account/sign-out/", {"session": other.id})
    assert there.get("/account/").status_code == 302
    assert here.get("/account/").status_code == 200


def test_all_others_end_and_nobody_elses(ada: User, make_user: Callable[..., User]) -> None:
    bob = make_user("bob")
    bob.set_password("correct horse 7")
    bob.save()
    here, there, of_bob = signed_in(ada, FIREFOX), signed_in(ada, CHROME), signed_in(bob, CHROME)
    (his,) = sessions.of_user(bob, None)
    assert "It has ended already." in text_of(here.post("/account/sign-out/", {"session": his.id}, follow=True))
    assert "1 session ended." in text_of(here.post("/account/sign-out/", follow=True))
    assert [client.get("/account/").status_code for client in (here, there, of_bob)] == [200, 302, 200]


def test_strangers_and_get_end_nothing(client: Client, ada: User) -> None:
    assert client.post("/account/sign-out/", headers={"host": "localhost"}).status_code == 302
    assert signed_in(ada, FIREFOX).get("/account/sign-out/").status_code == 405


def test_a_new_password_signs_out_everywhere_else(ada: User) -> None:
    here, there = signed_in(ada, FIREFOX), signed_in(ada, CHROME)
    fresh = {"new_password1": "lantern-orbit-42", "new_password2": "lantern-orbit-42"}
    assert here.post("/account/", {"old_password": "correct horse 7", **fresh}).status_code == 302
    assert [client.get("/account/").status_code for client in (here, there)] == [200, 302]
