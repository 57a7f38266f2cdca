"""The first administrator, and the password that is shown once."""

import os
import shutil
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.test import override_settings

from queueadmin.run import first_start
from queueadmin.run.errors import CannotStart


def admin():  # type: ignore[no-untyped-def]
    return get_user_model().objects.get(username="admin")


@pytest.mark.django_db
def test_without_a_given_password_it_still_needs_one() -> None:
    assert first_start.ensure_admin(None)
    assert admin().is_superuser
    assert not admin().has_usable_password()
    # A start that ended before the password was shown: the next one shows it.
    assert first_start.ensure_admin(None)


@pytest.mark.django_db
def test_the_one_time_password_works_and_is_given_once() -> None:
    first_start.ensure_admin(None)
    password = first_start.give_one_time_password()
    assert len(password) >= 16
    assert admin().check_password(password)
    assert not first_start.ensure_admin(None)


@pytest.mark.django_db
def test_a_given_password_is_set_once_and_never_again() -> None:
    assert not first_start.ensure_admin("lantern-orbit-42")
    assert admin().check_password("lantern-orbit-42")
    assert not first_start.ensure_admin("another-one-77")
    assert admin().check_password("lantern-orbit-42")


def test_the_given_password_does_not_reach_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUEADMIN_ADMIN_PASSWORD", "lantern-orbit-42")
    assert first_start.take_given_password() == "lantern-orbit-42"
    assert "QUEUEADMIN_ADMIN_PASSWORD" not in os.environ


@pytest.mark.parametrize("weak", ["short", "password123", ""])
def test_a_weak_password_stops_the_start(monkeypatch: pytest.MonkeyPatch, weak: str) -> None:
    monkeypatch.setenv("QUEUEADMIN_ADMIN_PASSWORD", weak)
    with pytest.raises(CannotStart, match="QUEUEADMIN_ADMIN_PASSWORD is refused: This password is too"):
        first_start.take_given_password()


@override_settings(TRUSTED_PROXIES=["here", "there"], HOST="0.0.0.0")  # noqa: S104
def test_every_error_of_the_settings_is_said_at_once() -> None:
    with pytest.raises(CannotStart) as stop:
        first_start.check_settings()
    assert str(stop.value).count("TRUSTED_PROXIES") == 2


@override_settings(HOST="0.0.0.0", ALLOWED_HOSTS=["localhost"])  # noqa: S104
def test_warnings_are_returned() -> None:
    assert any(warning.startswith("HOST is 0.0.0.0, but ALLOWED_HOSTS") for warning in first_start.check_settings())


def test_files_are_collected_again_only_when_one_of_them_has_changed(tmp_path: Path) -> None:
    """A restart is seconds quicker, and an update is never missed."""
    source, target = tmp_path / "source", tmp_path / "static"
    source.mkdir()
    (source / "page.css").write_text("p { color: red; }")
    calls: list[str] = []

    def collect(command: str, **_: object) -> None:
        calls.append(command)
        target.mkdir(exist_ok=True)

    with (
        override_settings(STATICFILES_DIRS=[source], STATIC_ROOT=target),
        pytest.MonkeyPatch.context() as patched,
    ):
        finders.get_finder.cache_clear()
        patched.setattr(first_start, "call_command", collect)
        first_start.collect_static()
        first_start.collect_static()
        assert calls == ["collectstatic"]
        os.utime(source / "page.css", ns=(1, 1))
        first_start.collect_static()
        assert calls == ["collectstatic"] * 2
        shutil.rmtree(target)
        first_start.collect_static()
        assert calls == ["collectstatic"] * 3
    finders.get_finder.cache_clear()
