"""B7: an event may name a URL that is told what becomes of it, on both faces."""

from typing import Any

import pytest
import redis

from tests.ingest.api.conftest import ALERT, EVENTS, Post, ndjson

URL = "https://hooks.example.org/told?order=7"


@pytest.mark.parametrize("path", [EVENTS, ALERT])
def test_it_is_kept_with_the_job(post: Post, empty_redis: redis.Redis, path: str) -> None:
    answer = post(path, {"title": "x", "callback_url": URL})

    assert answer.status == 202
    assert empty_redis.hget(f"rq:job:{answer.json['id']}", "callback") == URL.encode()


def test_without_one_nobody_is_told(post: Post, empty_redis: redis.Redis) -> None:
    answer = post(EVENTS, {"callback_url": None})

    assert not empty_redis.hexists(f"rq:job:{answer.json['id']}", "callback")
    assert not empty_redis.exists("rq:qa:outbox")


def test_one_that_is_wrong_harms_no_other_event(post: Post, empty_redis: redis.Redis) -> None:
    body = ndjson(b'{"callback_url":"https://hooks.example.org/"}', b'{"callback_url":"https://127.0.0.1/"}')
    answer = post(EVENTS, body, content_type="application/x-ndjson")

    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 1, 1)
    error = answer.json["items"][1]["error"]
    assert (error["field"], error["code"]) == ("callback_url", "invalid_value")


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        (7, "wrong_type", "callback_url must be a text"),
        ("", "invalid_value", "callback_url must be an http or https address"),
        ("shop.orders.told", "invalid_value", "callback_url must be an http or https address"),
        ("https://user:password@hooks.example.org/", "invalid_value", "must not hold a user name or password"),
        ("https://169.254.169.254/latest", "invalid_value", "must name a public web server"),
        ("https://0x7f.1/", "invalid_value", "has a host that is no plain IP address"),
        ("https://hooks.example.org/" + "x" * 2_048, "too_long", "may have 2,048 characters, not 2,074"),
    ],
)
def test_what_is_refused(post: Post, empty_redis: redis.Redis, url: object, code: str, says: str) -> None:
    """S9; code alone may name functions. The answer names the field, and the limit where there is one."""
    answer = post(EVENTS, {"callback_url": url})

    assert (answer.status, answer.json["field"], answer.json["code"]) == (422, "callback_url", code)
    assert says in answer.json["detail"]
    assert answer.json.get("limit_value") == (2_048 if code == "too_long" else None)
    assert empty_redis.keys("rq:job:*") == []


def test_in_production_it_is_https(post: Post, settings: Any, make_key: Any) -> None:
    settings.PROD = True
    headers = {"x-api-key": make_key()}
    plain = post(EVENTS, {"callback_url": "http://hooks.example.org/"}, headers=headers)

    assert (plain.status, plain.json["field"]) == (422, "callback_url")
    assert "must be an https address" in plain.json["detail"]
    assert post(EVENTS, {"callback_url": URL}, headers=headers).status == 202


def test_d11_the_log_does_not_hold_it(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    post(EVENTS, {"callback_url": "https://hooks.example.org/?token=hunter2"})
    post(EVENTS, {"callback_url": "ftp://hooks.example.org/?token=hunter2"})

    assert "hunter2" not in caplog.text
