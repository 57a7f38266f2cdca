"""Ids, parameters and bodies that nobody sane sends: an answer below 500, the same on both databases."""

from typing import Any

import pytest
import redis
from django.test import Client

from tests.console.conftest import Jobs

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ODD = [
    *("%00", "a%00b", "%FF", "%ED%A0%80", "..", "%2e%2e%2f", "%F0%9F%98%80"),
    *("x" * 5000, "'%20OR%201=1--", "{}", "*", "%0d%0aX:y"),
]
PATHS = ["/api/v1/jobs/{}", "/api/v1/batches/{}", "/api/v1/jobs?ids={}", "/api/v1/jobs/lookup?id={}"]
PATHS += [f"/api/v1/jobs?{name}={{}}" for name in ("filter", "cursor", "limit")]
PATHS += [f"/api/v1/jobs?filter={key}:{{}}" for key in ("id", "source", "since", "group", "payload.a", "error")]
PATHS += [f"/api/v1/jobs/lookup?id=1&{name}={{}}" for name in ("source", "tenant", "kind")]
PATHS += ["/api/v1/alerts/{}"] + [f"/api/v1/alerts?{name}={{}}" for name in ("filter", "cursor", "limit")]
PATHS += [f"/api/v1/alerts?filter={key}:{{}}" for key in ("id", "source", "since", "label.a", "-state")]
VERBS = ("retry", "run-now", "cancel", "discard", "restore", "move")


@pytest.mark.parametrize("odd", ODD)
def test_odd_ids_and_parameters(admin: Client, empty_redis: redis.Redis, odd: str) -> None:
    admin.raise_request_exception = False
    for path in PATHS:
        answer = admin.get(path.format(odd))
        assert answer.status_code < 500, path
    for verb in VERBS:
        answer = admin.post(f"/api/v1/jobs/{odd}/{verb}", {"queue": "low"}, content_type="application/json")
        assert answer.status_code < 500, verb
    for verb in ("acknowledge", "resolve"):
        assert admin.post(f"/api/v1/alerts/{odd}/{verb}").status_code < 500, verb
    for verb in ("pause", "resume", "empty"):
        assert admin.post(f"/api/v1/queues/{odd}/{verb}").status_code < 500


FILE = b"--x\r\nContent-Disposition: form-data; name=reason; filename=a\r\n\r\nx\r\n--x--"
BODIES: list[tuple[Any, str]] = [
    (b"\x00", "application/json"),
    (b'{"reason":"\\u0000"}', "application/json"),
    (b'{"reason":"\\ud800"}', "application/json"),
    (b'{"minutes":1e999}', "application/json"),
    (b'{"minutes":' + b"9" * 5000 + b"}", "application/json"),
    (b"[" * 100_000, "application/json"),
    (b"[]", "application/json"),
    (b"null", "application/json"),
    (b'{"reason":[],"minutes":{},"queue":7}', "application/json"),
    (b"reason=%00&minutes=x", "application/x-www-form-urlencoded"),
    (b"reason=" + b"x" * 3_000_000, "application/x-www-form-urlencoded"),
    (b"&".join(b"a%d=1" % number for number in range(2000)), "application/x-www-form-urlencoded"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (
        b"--x\r\nContent-Disposition: form-data; name=reason; filename=a\r\n\r\nx\r\n--x--",
        "multipart/form-data; boundary=x",
    ),
    (b"x", "multipart/form-data"),
    (b"x", "text/plain"),
    (b"{}", "application/json; charset=nonsense"),
    (b"{}", ";"),
]


@pytest.mark.parametrize(("body", "content_type"), BODIES)
def test_odd_bodies(admin: Client, jobs: Jobs, body: bytes, content_type: str) -> None:
    admin.raise_request_exception = False
    (job_id,) = jobs.enqueue()
    paths = [f"/api/v1/jobs/{job_id}/{verb}" for verb in VERBS]
    paths += ["/api/v1/queues/pause", "/api/v1/queues/resume", "/api/admin/queue/recover-stalled"]
    paths += [f"/api/v1/queues/high/{verb}" for verb in ("pause", "resume", "empty")]
    for path in paths:
        answer = admin.generic("POST", path, body, content_type=content_type)
        assert answer.status_code < 500, (path, answer.content)
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"
