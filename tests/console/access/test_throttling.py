"""Guessing passwords: by account and by address, and never so that a stranger keeps somebody out (issue 7.4)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from queueadmin.console.access.throttling import KNOWN, MOST
from tests.console.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 7"
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture(autouse=True)
def ada(make_user: Callable[..., User]) -> User:
    user = make_user("ada", "operator")
    user.set_password(PASSWORD)
    user.save()
    return user


def enter(address: str, *, wrong: bool = False) -> int:
    """302: let in; 200: the wrong password; 429: locked."""
    client = Client(headers={"host": "localhost"}, REMOTE_ADDR=address)
    return client.post("/login/", {"username": "ada", "password": "nope" if wrong else PASSWORD}).status_code


def guessed(address: str, name: str, times: int) -> None:
    """As if somebody had just guessed so often."""
    AccessAttempt.objects.create(
        username=name, ip_address=address, user_agent=f"{address} {name}", failures_since_start=times,
        attempt_time=timezone.now(),
    )  # fmt: skip


def test_a_name_is_locked_at_the_address_that_guesses_and_nowhere_else(settings: Settings) -> None:
    answers = [enter(ELSEWHERE, wrong=True) for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert answers == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    assert enter(ELSEWHERE) == 429
    assert enter(HERE) == 302


def test_an_address_that_guesses_many_names_is_locked_for_all_of_them() -> None:
    for number in range(MOST // 5):
        guessed(ELSEWHERE, f"user-{number}", 5)
    assert enter(ELSEWHERE) == 429
    assert enter(HERE) == 302


def test_a_name_that_is_guessed_from_many_addresses_is_locked_but_where_it_is_known() -> None:
    assert enter(HERE) == 302
    for number in range(MOST // 5):
        guessed(f"203.0.113.{number}", "ada", 5)
    assert enter(ELSEWHERE) == 429
    assert enter(HERE) == 302, "the one on call gets in, however long a stranger goes on"
    AccessLog.objects.update(attempt_time=timezone.now() - KNOWN - timedelta(minutes=1))
    assert enter(HERE) == 429


def test_one_less_is_let_in_and_a_quarter_of_an_hour_later_everybody() -> None:
    guessed(ELSEWHERE, "ada", 4)
    for number in range(MOST - 5):
        guessed(f"203.0.113.{number}", "ada", 1)
    assert enter("203.0.113.200") == 302
    guessed("203.0.113.201", "ada", 1)
    assert enter("203.0.113.202") == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert enter("203.0.113.202") == 302


def test_a_lock_is_taken_away_at_once_by_a_command() -> None:
    from django.core.management import call_command

    guessed(HERE, "ada", 10)
    assert enter(HERE) == 429
    call_command("axes_reset_username", "ada", verbosity=0)
    assert enter(HERE) == 302
