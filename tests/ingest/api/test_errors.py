"""Rule 8: whatever goes wrong, programs get a problem, and it tells nothing about the inside."""

import json
from typing import Any

import psycopg
import pytest
from django.db import InternalError, OperationalError
from django.http import HttpRequest
from django.test import Client
from django.urls import path
from pytest_django.fixtures import Settings

from ingest.api import views
from queueadmin.urls import handler400, handler403, handler404, handler500
from queueadmin.urls import urlpatterns as real_urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500"]


def fails(request: HttpRequest) -> None:
    raise RuntimeError("SELECT secret FROM /somewhere")


def meets_no_database(request: HttpRequest) -> None:
    raise OperationalError("unable to open /somewhere")


def meets_a_replica(request: HttpRequest) -> None:
    raise InternalError("cannot execute UPDATE") from psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE")


urlpatterns = [
    path("api/replica", meets_a_replica),
    path("replica/", meets_a_replica),
    path("api/fails", fails),
    path("api/no-database", meets_no_database),
    path("no-database/", meets_no_database),
    *real_urlpatterns,
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False, headers={"host": "localhost"})


def problem(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    shown: dict[str, Any] = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "code", "retryable"} <= set(shown)
    assert shown["status"] == answer.status_code
    return shown


@pytest.mark.parametrize("at", ["/api/nothing", "/api/", "/api/v1/events/", "/v2/x", "/queue/x", "/tracking/nowhere"])
def test_unknown_paths(client: Client, at: str) -> None:
    for answer in (client.get(at), client.post(at)):
        assert (answer.status_code, problem(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize("at", ["/api/v1/events", "/api/alerts/event"])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_other_methods(client: Client, at: str, method: str) -> None:
    answer = getattr(client, method)(at)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, OPTIONS"
    if method != "head":
        assert problem(answer)["code"] == "method_not_allowed"


def test_a_fault_of_ours_says_nothing_about_the_inside(client: Client) -> None:
    answer = client.get("/api/fails")

    shown = problem(answer)
    assert (shown["code"], shown["retryable"]) == ("internal_error", True)
    for secret in ("SELECT", "/somewhere", "RuntimeError", "Traceback"):
        assert secret not in answer.content.decode()


def test_while_the_database_is_away_it_is_not_a_fault_of_ours(client: Client, settings: Settings) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    answer = client.get("/api/no-database")
    assert (answer.status_code, problem(answer)["code"]) == (503, "database_unavailable")
    page = client.get("/no-database/?a=1&b=2")
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert "The database does not answer" in page.content.decode()
    assert 'href="/no-database/?a=1&amp;b=2"' in page.content.decode()
    for referer, here in (("http://localhost/jobs/?x=1", "http://localhost/jobs/?x=1"), ("http://elsewhere/", "/")):
        page = client.post("/no-database/", headers={"referer": referer})  # nobody looks again at what is pressed
        assert f'class="btn main" href="{here}"' in page.content.decode()
    assert "/somewhere" not in page.content.decode()


def test_a_database_that_takes_no_writes_is_none_either(client: Client, settings: Settings) -> None:
    """PostgreSQL tells it by another class of errors: to sign out or save a view was a 500."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    answer = client.post("/api/replica")
    assert (answer.status_code, problem(answer)["detail"]) == (503, "The database takes no writes.")
    page = client.get("/replica/")
    assert page.status_code == 503
    assert "The database takes no writes" in page.content.decode()


def test_a_fault_while_taking_in_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("SELECT secret")

    monkeypatch.setattr(views, "accept", fail)
    answer = client.post("/api/v1/events", b"{}", content_type="application/json")

    assert problem(answer)["code"] == "internal_error"


def test_options_is_answered(client: Client) -> None:
    answer = client.options("/api/v1/events")

    assert (answer.status_code, answer.headers["allow"]) == (204, "POST, OPTIONS")
