"""System checks: each combination has its id."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from ingest.checks import check_settings, is_loopback


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, []),
        ({"PROD": True, "DEBUG": True}, ["ingest.E002"]),
        ({"PUBLIC_URL": "queue.example.org"}, ["ingest.E003"]),
        ({"PUBLIC_URL": "https://queue.example.org", "ALLOWED_HOSTS": [".example.org"]}, []),
        ({"PUBLIC_URL": "https://queue.example.org"}, ["ingest.W003"]),
        ({"PUBLIC_URL": "http://localhost/queues/", "SCRIPT_NAME": "/queues"}, []),
        ({"PUBLIC_URL": "http://localhost/", "SCRIPT_NAME": "/queues"}, ["ingest.W006"]),
        ({"TRUSTED_PROXIES": ["10.0.0.1", "10.0.0.0/8", "::1", "proxy"]}, ["ingest.E004"]),
        ({"CALLBACK_ALLOW_NETWORKS": ["10.0.0.0/8", "::1", "inside"]}, ["ingest.E006"]),
        ({"CALLBACK_SECRET": ["whsec_" + "A" * 40, "hunter2"]}, ["ingest.E007"]),
        ({"HOST": "0.0.0.0"}, ["ingest.W001", "ingest.W002"]),  # noqa: S104
        ({"HOST": "0.0.0.0", "ALLOWED_HOSTS": ["queue.example.org"], "PROD": True}, []),  # noqa: S104
        ({"WAIT_TARGETS": {"critical": 60, "high": 15, "medium": 60, "low": 600}}, ["ingest.W004"]),
    ],
)
def test_each_combination_has_its_id(settings: dict[str, Any], found: list[str]) -> None:
    with override_settings(**{"ALLOWED_HOSTS": ["localhost"], "DEBUG": False} | settings):
        assert [message.id for message in check_settings(None)] == found


@pytest.mark.parametrize("prefix", ["", "r q", "rq{a}", "rq*"])
def test_a_key_prefix_that_breaks_patterns_is_refused(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setattr("ingest.checks.RQ_KEY_PREFIX", prefix)
    assert [message.id for message in check_settings(None)] == ["ingest.E005"]


@override_settings(TRUSTED_PROXIES=["proxy"])
def test_they_are_registered() -> None:
    assert "ingest.E004" in {message.id for message in run_checks()}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_this_machine_alone_reaches_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.org", ""])  # noqa: S104
def test_others_reach_every_other_address(host: str) -> None:
    assert not is_loopback(host)
