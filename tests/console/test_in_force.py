"""What the settings page shows: every setting of the contract, where it came from, and no secret."""

import re
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from ingest.kinds import KINDS
from queueadmin.console import in_force
from queueadmin.console.figures.snapshot import RedisState

CONTRACT = (Path(__file__).resolve().parents[2] / "docs" / "contract.md").read_text()
#: Read by the start alone, or shown as part of another.
ELSEWHERE = {
    "QUEUEADMIN_ADMIN_PASSWORD", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD", "REDIS_USE_SSL",
    "REDIS_MAX_CONNECTIONS", "REDIS_TIMEOUT",
}  # fmt: skip


def shown(redis: RedisState = RedisState("connected")) -> dict[str, in_force.Setting]:  # noqa: B008
    return {setting.name: setting for _, each in in_force.sections(redis) for setting in each}


def test_every_setting_of_the_contract_is_shown() -> None:
    """Issue 7.3: what is in force."""
    section, not_built = (re.split(r"^## \d\. ", CONTRACT, flags=re.MULTILINE)[n] for n in (3, 1))
    names = set(re.findall(r"`([A-Z][A-Z_]+(?:<[A-Z]+>)?)[`\s=]", section))
    names -= set(re.findall(r"`([A-Z][A-Z_]+)`", not_built))
    for name in names - ELSEWHERE - {"RETENTION_DAYS_<KIND>"}:
        assert name.replace("<PRIORITY>", "HIGH") in shown(), name
    assert {each.kind for each in in_force.kept()} == set(KINDS)


def test_a_setting_tells_where_it_came_from(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.delenv("REDIS_SOCKET_TIMEOUT", raising=False)
    monkeypatch.setenv("REDIS_TIMEOUT", "7")
    monkeypatch.setenv("LEASE_SECONDS", "60")
    settings.REDIS_SOCKET_TIMEOUT, settings.LEASE_SECONDS = 7, 60
    now = shown()
    assert (now["REDIS_SOCKET_TIMEOUT"].value, now["REDIS_SOCKET_TIMEOUT"].said_by) == ("7 s", "REDIS_TIMEOUT")
    assert (now["LEASE_SECONDS"].value, now["LEASE_SECONDS"].said_by) == ("1 minute", "LEASE_SECONDS")
    assert now["CLAIM_LIMIT"].said_by == ""


def test_no_secret_is_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SECRET_KEY = "very-secret-key"
    settings.CALLBACK_SECRET = ["whsec_c2VjcmV0"]
    settings.REDIS_URL = "rediss://:hunter2@redis.example.org:6379/1?password=hunter2"
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "queue", "HOST": "db", "PORT": "5433"}
    monkeypatch.setitem(settings.DATABASES, "default", database | {"USER": "ada", "PASSWORD": "hunter3"})
    now = shown()
    text = repr(now)
    for secret in ("very-secret-key", "c2VjcmV0", "hunter2", "hunter3"):
        assert secret not in text
    assert now["REDIS_URL"].value == "rediss://…@redis.example.org:6379/1"
    assert now["DATABASE_URL"].value == "PostgreSQL, queue at db:5433"
    assert now["SECRET_KEY"].value == in_force.HIDDEN


def test_what_is_unsafe_says_why(settings: Settings) -> None:
    """Issue 7.3: unsafe ones are red."""
    assert not any(setting.unsafe for setting in shown().values())
    settings.DEBUG = settings.QUEUEADMIN_FAULTS = True
    settings.HOST, settings.ALLOWED_HOSTS = "0.0.0.0", ["*"]  # noqa: S104
    settings.QUEUE_LIMITS = {"critical": 0, "high": 10, "medium": 10, "low": 0}
    settings.WAIT_TARGETS = {"critical": 60, "high": 15, "medium": 60, "low": 600}
    settings.CALLBACK_ALLOW_NETWORKS = ["0.0.0.0/0"]
    redis = RedisState("connected", unsafe=("appendonly is off: a crash of Redis loses accepted events.",))
    unsafe = {name for name, setting in shown(redis).items() if setting.unsafe}
    assert unsafe == {
        "DEBUG", "QUEUEADMIN_FAULTS", "HOST", "ALLOWED_HOSTS", "QUEUE_LIMIT_LOW", "WAIT_TARGET_CRITICAL", "REDIS_URL",
        "CALLBACK_ALLOW_NETWORKS",
    }  # fmt: skip


def test_events_are_kept_as_said(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Issue 5.6: retention per kind is on the settings page."""
    monkeypatch.setenv("RETENTION_DAYS_ALERT", "3")
    settings.RETENTION_DAYS = {"alert": 3}
    kept = {each.kind: each for each in in_force.kept()}
    assert (kept["alert"].days, kept["alert"].said_by) == (3, "RETENTION_DAYS_ALERT")
    assert (kept["point"].days, kept["point"].said_by) == (30, "")
    assert kept["alert"].recognised == "1 day"
