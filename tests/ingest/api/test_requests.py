"""Contract sections 2 and 3: senders, and the request around the events, on both faces."""

from collections.abc import Callable

import pytest
import redis
from django.conf import settings
from django.test import Client

from tests.ingest.api.conftest import EVENTS, Post, stored_ids


def test_this_machine_needs_no_key(post: Post) -> None:
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
        assert post(EVENTS, {}, headers={"host": host}).status == 202
    assert post(EVENTS, {}, peer="::1").status == 202


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Anything", "Via", "Origin"])
def test_a_proxy_or_a_page_needs_a_key(post: Post, empty_redis: redis.Redis, name: str) -> None:
    answer = post(EVENTS, {}, headers={name: "http://localhost:8000"})

    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="queueadmin"'
    assert stored_ids(empty_redis) == set()


def test_another_machine_needs_a_key(post: Post) -> None:
    assert post(EVENTS, {}, peer="192.0.2.7").status == 401


def test_another_host_name_needs_a_key(post: Post, settings: pytest.FixtureRequest) -> None:
    settings.ALLOWED_HOSTS = ["queue.example.org"]
    assert post(EVENTS, {}, headers={"host": "queue.example.org"}).status == 401


@pytest.mark.parametrize("name", ["PROD", "INGEST_REQUIRE_KEY"])
def test_keys_can_be_required(post: Post, settings: pytest.FixtureRequest, name: str) -> None:
    setattr(settings, name, True)
    assert post(EVENTS, {}).status == 401


def test_a_key_is_taken_in_three_forms(post: Post, make_key: Callable[..., str]) -> None:
    import base64

    key = make_key()
    basic = base64.b64encode(f"api_key:{key}".encode()).decode()
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-KEY": key}, {"Authorization": f"Basic {basic}"}):
        assert post(EVENTS, {}, headers=headers, peer="192.0.2.7").status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer qa_wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Digest x"},
        {"X-API-KEY": ""},
        {"X-API-KEY": "\xff"},
    ],
)
def test_a_wrong_key_is_refused_even_from_this_machine(post: Post, headers: dict[str, str]) -> None:
    assert post(EVENTS, {}, headers=headers).status == 401


def test_a_key_without_the_scope_is_refused(post: Post, make_key: Callable[..., str]) -> None:
    answer = post(EVENTS, {}, headers={"X-API-KEY": make_key(scopes="read,admin")})

    assert (answer.status, answer.json["code"], answer.json["scope"]) == (403, "forbidden_scope", "ingest")


def test_an_unknown_host_is_refused(post: Post) -> None:
    answer = post(EVENTS, {}, headers={"host": "evil.example.org"})

    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json["code"] == "disallowed_host"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "multipart/form-data"],
)
def test_another_media_type_is_refused(post: Post, content_type: str) -> None:
    answer = post(EVENTS, b"{}", content_type=content_type)

    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
    assert "application/x-ndjson" in answer.json["detail"]


@pytest.mark.parametrize("content_type", ["", "Application/JSON", "application/json; charset=UTF-8"])
def test_json_goes_by_its_usual_names(post: Post, content_type: str) -> None:
    assert post(EVENTS, b"{}", content_type=content_type).status == 202


def test_the_answer_is_json_whatever_accept_says(post: Post) -> None:
    for accept in ("text/html", "image/png", "nonsense"):
        answer = post(EVENTS, {}, headers={"accept": accept})
        assert (answer.status, answer.headers["content-type"]) == (202, "application/json")


def test_every_answer_carries_the_security_headers(post: Post) -> None:
    for answer in (post(EVENTS, {}), post(EVENTS, b"nonsense"), post(EVENTS, {}, peer="192.0.2.7")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == settings.SECURE_REFERRER_POLICY
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers


def test_every_answer_carries_the_request_s_id(post: Post) -> None:
    given = post(EVENTS, {}, headers={"x-request-id": "abc-1.2_3"})
    unusable = post(EVENTS, b"nonsense", headers={"x-request-id": 'x" y'})

    assert given.headers["x-request-id"] == "abc-1.2_3"
    assert len(unusable.headers["x-request-id"]) == 32


def test_each_request_is_one_line_in_the_log(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="ingest.api.access")
    answer = post(EVENTS, [{}, {}], headers={"x-request-id": "seen"})

    assert answer.status == 202
    [line] = [record.getMessage() for record in caplog.records if record.name == "ingest.api.access"]
    assert line.startswith("127.0.0.1 POST /api/v1/events 202 2 events by local in ")
    assert line.endswith("request seen")


def test_options_tells_the_method_and_nothing_of_the_code() -> None:
    answer = Client(headers={"host": "localhost"}).options(EVENTS)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Allow"] == "POST, OPTIONS"
