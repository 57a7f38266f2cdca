"""Who may call, and what every endpoint answers to bodies that are wrong and to outages."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Group, User
from django.contrib.auth.models import Permission as Stored
from django.test import Client

from ingest.models import Alert
from ingest.queue import keys
from queueadmin.console.figures import metrics
from queueadmin.console.models import AuditEntry
from tests.console.api.conftest import BACKEND, OPERATING, READING, RECOVER, SCHEDULING, problem_of
from tests.console.conftest import Jobs, report

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("path", ["/queue/status", "/api/v1/queues", "/api/v1/jobs/x"])
def test_without_redis_reading_is_503_and_never_500(local: Client, path: str) -> None:
    assert problem_of(local.get(path), 503, "redis_unavailable")["retryable"] is True


@pytest.mark.parametrize("path", READING)
def test_strangers_may_not_read(path: str, empty_redis: redis.Redis) -> None:
    far = Client(headers={"host": "localhost"}, REMOTE_ADDR="192.0.2.7")
    problem_of(far.get(path), 401, "unauthenticated")


@pytest.mark.parametrize("path", READING)
def test_a_key_for_taking_in_may_not_read(path: str, empty_redis: redis.Redis, with_key: Callable[..., Client]) -> None:
    problem_of(with_key("ingest").get(path), 403, "forbidden_scope")


@pytest.mark.parametrize("scope", ["read", "admin"])
def test_keys_that_may_read(scope: str, empty_redis: redis.Redis, with_key: Callable[..., Client]) -> None:
    assert with_key(scope).get("/api/v1/queues").status_code == 200


def test_whoever_is_logged_in_may_read(empty_redis: redis.Redis, make_user: Callable[..., User]) -> None:
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(make_user("ada"), BACKEND)
    assert client.get("/api/v1/queues").status_code == 200


@pytest.mark.parametrize("path", OPERATING + SCHEDULING)
def test_operating_is_never_keyless(path: str, local: Client, empty_redis: redis.Redis) -> None:
    problem_of(local.post(path), 403, "forbidden_scope")


@pytest.mark.parametrize("path", OPERATING + SCHEDULING)
def test_a_reading_key_may_not_operate(path: str, empty_redis: redis.Redis, with_key: Callable[..., Client]) -> None:
    problem_of(with_key("read,ingest").post(path), 403, "forbidden_scope")


def test_x16_a_session_that_is_refused_is_told_the_permission(
    empty_redis: redis.Redis, make_user: Callable[..., User]
) -> None:
    """The whole table is in tests/console/test_roles.py."""
    client = Client()
    client.force_login(make_user("ada", "viewer"), BACKEND)
    problem = problem_of(client.post(RECOVER), 403, "forbidden_permission")
    assert problem["permission"] == "console.recover_jobs"
    assert problem["detail"].startswith("ada may not take back stalled jobs: that needs the permission console.recover")
    assert problem["detail"].endswith("which the groups admin and operator have.")


def test_what_a_replay_does_and_that_an_edit_retries_takes_its_own_permission(
    jobs: Jobs, make_user: Callable[..., User]
) -> None:
    (job_id,) = jobs.fail(1)
    user, client = make_user("ada", "some"), Client()
    some = Group.objects.get(name="some")
    some.permissions.set(Stored.objects.filter(codename__in=["view_console", "run_replays", "edit_jobs"]))
    client.force_login(user, BACKEND)
    for verb, missing in (("discard", "discard_jobs"), ("restore", "restore_jobs"), ("retry", "retry_jobs")):
        answer = client.post(f"/api/v1/dlq/{verb}", {"filter": ""}, content_type="application/json")
        assert problem_of(answer, 403, "forbidden_permission")["permission"] == f"console.{missing}"
    path, change = f"/api/v1/jobs/{job_id}/payload", {"payload": {"title": "new"}}
    answer = client.put(path, change, content_type="application/json")
    assert problem_of(answer, 403, "forbidden_permission")["permission"] == "console.retry_jobs"
    assert client.put(path, {**change, "retry": False}, content_type="application/json").status_code == 200


def test_a_session_operates_with_its_csrf_token_only(empty_redis: redis.Redis, make_user: Callable[..., User]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("ada", "operator"), BACKEND)
    problem_of(client.post(RECOVER), 403, "csrf_failed")
    token = "a" * 32
    client.cookies["csrftoken"] = token
    assert client.post(RECOVER, headers={"X-CSRFToken": token}).status_code == 200
    assert AuditEntry.objects.latest("id").actor == "ada"


def test_a_key_beside_a_session_counts(
    empty_redis: redis.Redis, make_user: Callable[..., User], with_key: Callable[..., Client]
) -> None:
    client = with_key("read")
    client.force_login(make_user("ada", "admin"), BACKEND)
    problem_of(client.post(RECOVER), 403, "forbidden_scope")


def test_a_body_that_is_no_json_or_no_object(admin: Client, empty_redis: redis.Redis) -> None:
    problem_of(admin.post(RECOVER, "{", content_type="application/json"), 400, "invalid_json")
    problem_of(admin.post(RECOVER, "[]", content_type="application/json"), 422, "invalid_body")
    problem_of(admin.post(RECOVER, "<x/>", content_type="text/xml"), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"reason": "\\ud800"}', '{"a": ' + "9" * 5000 + "}", b'{"a": "\xff"}']
)
def test_json_that_nobody_can_keep_is_the_caller_s_fault(
    admin: Client, empty_redis: redis.Redis, body: str | bytes
) -> None:
    problem_of(admin.post(RECOVER, body, content_type="application/json"), 400, "invalid_json")


def test_a_body_over_the_limit_is_told_the_limit(admin: Client, empty_redis: redis.Redis, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = {"reason": "x" * 2000}
    problem = problem_of(admin.post(RECOVER, body, content_type="application/json"), 413, "body_too_large")
    assert problem["limit_value"] == 1000


def test_options_tells_the_methods_and_nothing_of_the_code(local: Client) -> None:
    response = local.options(READING[1])
    assert (response.status_code, response.content) == (204, b"")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("path", OPERATING)
def test_operating_without_redis_is_503(path: str, admin: Client) -> None:
    problem_of(admin.post(path), 503, "redis_unavailable")


def test_moving_a_job_works_without_the_database(
    admin: Client, jobs: Jobs, no_database: Callable[[bool], None], empty_redis: redis.Redis
) -> None:
    (job_id,) = jobs.fail()
    no_database(True)
    assert admin.post(f"/api/v1/jobs/{job_id}/retry").status_code == 202
    assert empty_redis.zcard(keys.failed("high")) == 0


def test_what_needs_the_database_is_503_without_it_and_changes_nothing(
    admin: Client, empty_redis: redis.Redis, no_database: Callable[[bool], None]
) -> None:
    identity = "a" * 32
    report(identity)
    no_database(True)
    problem_of(admin.post(f"/api/v1/alerts/{identity}/resolve"), 503, "database_unavailable")
    assert Alert.objects.get(identity=identity).state == "triggered"


@pytest.mark.parametrize("path", OPERATING)
def test_operating_is_post_only(admin: Client, empty_redis: redis.Redis, path: str) -> None:
    response = admin.get(path)
    problem_of(response, 405, "method_not_allowed")
    assert "POST" in response["Allow"]


def test_whatever_accept_says_it_is_json(local: Client, empty_redis: redis.Redis) -> None:
    response = local.get("/api/v1/queues", headers={"accept": "text/html"})
    assert response["Content-Type"] == "application/json"


def test_a_fault_of_ours_is_not_hidden(
    local: Client, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(metrics, "snapshot", broken)
    with pytest.raises(ZeroDivisionError):
        local.get("/api/v1/queues")
