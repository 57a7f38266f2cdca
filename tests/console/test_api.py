"""The JSON endpoints: what they say, who may ask, and what they answer while Redis or the database is away."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client

from ingest.api import keys as api_keys
from ingest.models import ApiKey
from ingest.queue import keys
from queueadmin.console import metrics
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db

BACKEND = "django.contrib.auth.backends.ModelBackend"
READING = ["/queue/status", "/api/admin/queue/health", "/api/v1/queues", "/api/v1/jobs/x"]
RECOVER = "/api/admin/queue/recover-stalled"


@pytest.fixture
def local() -> Client:
    """A program on this machine, without a key."""
    return Client(headers={"host": "localhost"})


@pytest.fixture
def with_key() -> Callable[..., Client]:
    def make(scopes: str) -> Client:
        key = api_keys.new_key()
        ApiKey.objects.create(name=f"for {scopes}", prefix=key[:8], digest=api_keys.digest(key), scopes=scopes)
        return Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})

    api_keys.forget()
    return make


@pytest.fixture
def admin(with_key: Callable[..., Client]) -> Client:
    return with_key("admin")


def _problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()  # type: ignore[attr-defined]
    assert problem["code"] == code
    return problem


# --- reading -------------------------------------------------------------------------------


def test_c6_health_says_what_is_wrong_and_is_200_while_degraded(local: Client, jobs: Jobs) -> None:
    jobs.fail(101)
    response = local.get("/health")
    assert response.status_code == 200
    health = response.json()
    assert health["status"] == "degraded"
    assert health["redis"]["status"] == "connected"
    assert health["database"] == {"status": "connected"}
    assert health["queues"]["high"]["failed"] == 101
    assert "101 dead letters wait for a decision." in health["reasons"]
    assert health["workers"] == {"total": 0, "busy": 0}
    assert response["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("no_redis")
def test_c6_health_is_503_when_nothing_can_be_accepted(local: Client) -> None:
    response = local.get("/health")
    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"
    assert response.json()["redis"]["status"] == "disconnected"


def test_health_tells_strangers_the_word_alone(empty_redis: redis.Redis, settings: Any) -> None:
    settings.INGEST_REQUIRE_KEY = True
    assert Client().get("/health").json() == {"status": "degraded"}


def test_healthz_is_alive_even_without_redis(local: Client, no_redis: None) -> None:
    assert local.get("/healthz").json() == {"status": "alive"}


def test_readyz_is_whether_events_are_stored(local: Client, empty_redis: redis.Redis) -> None:
    assert local.get("/readyz").json() == {"status": "ready"}


@pytest.mark.usefixtures("no_redis")
def test_readyz_without_redis_is_503(local: Client) -> None:
    response = local.get("/readyz")
    problem = _problem(response, 503, "not_ready")
    assert problem["retryable"] is True
    assert response["Retry-After"] == "5"


def test_a12_queue_health_by_keeps_names(local: Client, jobs: Jobs) -> None:
    jobs.enqueue(5, queue="critical")
    jobs.start(queue="critical", limit=2)
    jobs.fail(3, queue="low")
    health = local.get("/api/admin/queue/health").json()
    assert health == {
        "redis_available": True,
        "queue_status": "healthy",
        "metrics": {
            "enqueued:critical": 5,
            "enqueued:high": 0,
            "enqueued:medium": 0,
            "enqueued:low": 3,
            "total_enqueued": 8,
            "dequeued:critical": 2,
            "dequeued:high": 0,
            "dequeued:medium": 0,
            "dequeued:low": 3,
            "total_dequeued": 5,
            "successfully_processed": 0,
            "processing_failures": 3,
            "queue_length:critical": 3,
            "queue_length:high": 0,
            "queue_length:medium": 0,
            "queue_length:low": 0,
            "processing_queue_length": 2,
            "dead_letter_queue_length": 3,
        },
    }


def test_a12_thresholds(local: Client, empty_redis: redis.Redis) -> None:
    def status() -> str:
        return str(local.get("/api/admin/queue/health").json()["queue_status"])

    live = keys.SCORE_OFFSET * 2
    empty_redis.zadd(keys.started("high"), {f"{n}:x": live for n in range(1000)})
    assert status() == "healthy"
    empty_redis.zadd(keys.started("high"), {"more:x": live})
    assert status() == "backlogged"
    empty_redis.zadd(keys.failed("low"), {str(n): live for n in range(101)})
    assert status() == "errors"


@pytest.mark.usefixtures("no_redis")
def test_a12_unavailable_without_redis(local: Client) -> None:
    response = local.get("/api/admin/queue/health")
    assert (response.status_code, response.json()) == (
        200,
        {"redis_available": False, "queue_status": "unavailable", "metrics": {}},
    )


def test_c6_queue_status(local: Client, jobs: Jobs) -> None:
    jobs.enqueue(2, queue="medium")
    jobs.fail(1, queue="low")
    status = local.get("/queue/status").json()
    assert status["total_pending"] == 2
    assert status["queues"]["medium"] == {"pending": 2, "scheduled": 0, "processing": 0, "stalled": 0, "failed": 0}
    assert status["processor"]["failed"] == 1


def test_queues_are_those_of_the_snapshot(local: Client, jobs: Jobs) -> None:
    jobs.enqueue(2)
    listed = local.get("/api/v1/queues").json()
    assert listed["next"] is None
    assert [item["name"] for item in listed["items"]] == ["critical", "high", "medium", "low"]
    assert listed["items"][1]["depth"] == 2


def test_x14_a_job_with_its_position(local: Client, jobs: Jobs) -> None:
    _, second = jobs.enqueue(2)
    job = local.get(f"/api/v1/jobs/{second}").json()
    assert (job["id"], job["state"], job["position"]) == (second, "queued", 2)
    assert job["received_at"].endswith("Z")


def test_an_unknown_job_is_404(local: Client, empty_redis: redis.Redis) -> None:
    _problem(local.get("/api/v1/jobs/nobody"), 404, "job_not_found")


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("path", ["/queue/status", "/api/v1/queues", "/api/v1/jobs/x"])
def test_without_redis_reading_is_503_and_never_500(local: Client, path: str) -> None:
    assert _problem(local.get(path), 503, "redis_unavailable")["retryable"] is True


# --- who may ask ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", READING)
def test_strangers_may_not_read(path: str, empty_redis: redis.Redis) -> None:
    far = Client(headers={"host": "localhost"}, REMOTE_ADDR="192.0.2.7")
    _problem(far.get(path), 401, "unauthenticated")


@pytest.mark.parametrize("path", READING)
def test_a_key_for_taking_in_may_not_read(path: str, empty_redis: redis.Redis, with_key: Callable[..., Client]) -> None:
    _problem(with_key("ingest").get(path), 403, "forbidden_scope")


@pytest.mark.parametrize("scope", ["read", "admin"])
def test_keys_that_may_read(scope: str, empty_redis: redis.Redis, with_key: Callable[..., Client]) -> None:
    assert with_key(scope).get("/api/v1/queues").status_code == 200


def test_whoever_is_logged_in_may_read(empty_redis: redis.Redis, make_user: Callable[..., User]) -> None:
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(make_user("ada"), BACKEND)
    assert client.get("/api/v1/queues").status_code == 200


def test_operating_is_never_keyless(local: Client, empty_redis: redis.Redis) -> None:
    _problem(local.post(RECOVER), 403, "forbidden_scope")
    _problem(local.post("/api/v1/jobs/x/retry"), 403, "forbidden_scope")


def test_a_reading_key_may_not_operate(empty_redis: redis.Redis, with_key: Callable[..., Client]) -> None:
    _problem(with_key("read,ingest").post(RECOVER), 403, "forbidden_scope")


def test_x16_a_viewer_may_not_operate(empty_redis: redis.Redis, make_user: Callable[..., User]) -> None:
    client = Client()
    client.force_login(make_user("ada", "viewer"), BACKEND)
    _problem(client.post(RECOVER), 403, "forbidden_role")


def test_a_session_operates_with_its_csrf_token_only(empty_redis: redis.Redis, make_user: Callable[..., User]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("ada", "operator"), BACKEND)
    _problem(client.post(RECOVER), 403, "csrf_failed")
    token = "a" * 32
    client.cookies["csrftoken"] = token
    assert client.post(RECOVER, headers={"X-CSRFToken": token}).status_code == 200
    assert AuditEntry.objects.latest("id").actor == "ada"


def test_a_key_beside_a_session_counts(
    empty_redis: redis.Redis, make_user: Callable[..., User], with_key: Callable[..., Client]
) -> None:
    client = with_key("read")
    client.force_login(make_user("ada", "admin"), BACKEND)
    _problem(client.post(RECOVER), 403, "forbidden_scope")


# --- operating -----------------------------------------------------------------------------


def test_a13_recover_stalled(admin: Client, jobs: Jobs) -> None:
    jobs.enqueue(3)
    jobs.start(lease=-1)
    response = admin.post(RECOVER)
    assert (response.status_code, response.json()) == (
        200,
        {"recovered_alerts": 3, "requeued": {"high": 3}, "dead_letters": 0},
    )
    assert AuditEntry.objects.latest("id").actor == "key:for admin"


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.post(RECOVER + "?max_processing_time=60"),
        lambda client: client.post(RECOVER, {"max_processing_time": 60}, content_type="application/json"),
        lambda client: client.post(RECOVER, {"max_processing_time": "60"}),
    ],
    ids=["query", "json", "form"],
)
def test_a10_older_than_max_processing_time(
    admin: Client, jobs: Jobs, empty_redis: redis.Redis, send: Callable[[Client], Any]
) -> None:
    (job_id,) = jobs.enqueue()
    jobs.start(lease=600)
    empty_redis.hset(keys.job(job_id), "started_at", "2026-01-01T00:00:00.000000Z")
    assert admin.post(RECOVER).json()["recovered_alerts"] == 0
    assert send(admin).json()["recovered_alerts"] == 1


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf", "1e99", "\x00"])
def test_a_bad_max_processing_time_names_the_field_and_its_limit(
    admin: Client, empty_redis: redis.Redis, value: str
) -> None:
    problem = _problem(admin.post(RECOVER, query_params={"max_processing_time": value}), 422, "invalid_field")
    assert problem["field"] == "max_processing_time"
    assert "31,536,000" in problem["detail"]


@pytest.mark.parametrize("value", [True, [], {}, 10**400])
def test_a_bad_max_processing_time_in_the_body(admin: Client, empty_redis: redis.Redis, value: object) -> None:
    response = admin.post(RECOVER, {"max_processing_time": value}, content_type="application/json")
    assert response.status_code in (400, 422)


def test_a_body_that_is_no_json_or_no_object(admin: Client, empty_redis: redis.Redis) -> None:
    _problem(admin.post(RECOVER, "{", content_type="application/json"), 400, "invalid_json")
    _problem(admin.post(RECOVER, "[]", content_type="application/json"), 422, "invalid_body")
    _problem(admin.post(RECOVER, "<x/>", content_type="text/xml"), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"reason": "\\ud800"}', '{"a": ' + "9" * 5000 + "}", b'{"a": "\xff"}']
)
def test_json_that_nobody_can_keep_is_the_caller_s_fault(
    admin: Client, empty_redis: redis.Redis, body: str | bytes
) -> None:
    _problem(admin.post(RECOVER, body, content_type="application/json"), 400, "invalid_json")


def test_a_body_over_the_limit_is_told_the_limit(admin: Client, empty_redis: redis.Redis, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = {"reason": "x" * 2000}
    problem = _problem(admin.post(RECOVER, body, content_type="application/json"), 413, "body_too_large")
    assert problem["limit_value"] == 1000


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_the_probes_can_only_be_read(path: str, method: str) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    response = strict.generic(method, path)
    _problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"
    assert strict.head("/healthz").status_code == 200


def test_options_tells_the_methods_and_nothing_of_the_code(local: Client) -> None:
    response = local.options(READING[1])
    assert (response.status_code, response.content) == (204, b"")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


def test_b18_retry_answers_202_with_the_job(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    response = admin.post(f"/api/v1/jobs/{job_id}/retry", {"reason": "fixed"}, content_type="application/json")
    assert response.status_code == 202
    assert (response.json()["state"], response.json()["position"]) == ("queued", 1)
    assert AuditEntry.objects.latest("id").reason == "fixed"


def test_retry_too_late_says_who_moved_it_and_where_it_is(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    admin.post(f"/api/v1/jobs/{job_id}/retry")
    problem = _problem(admin.post(f"/api/v1/jobs/{job_id}/retry"), 409, "already_moved")
    assert (problem["state"], problem["moved_by"]) == ("queued", "key:for admin")
    assert problem["moved_at"] is not None


def test_retry_of_a_job_nobody_moved(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue()
    problem = _problem(admin.post(f"/api/v1/jobs/{job_id}/retry"), 409, "already_moved")
    assert (problem["state"], problem["moved_by"], problem["moved_at"]) == ("queued", None, None)


def test_retry_of_an_unknown_job_is_404(admin: Client, empty_redis: redis.Redis) -> None:
    _problem(admin.post("/api/v1/jobs/nobody/retry"), 404, "job_not_found")
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("reason", ["x" * 501, 7, "\x00"])
def test_a_bad_reason_is_refused(admin: Client, jobs: Jobs, reason: object) -> None:
    (job_id,) = jobs.fail()
    response = admin.post(f"/api/v1/jobs/{job_id}/retry", {"reason": reason}, content_type="application/json")
    assert _problem(response, 422, "invalid_field")["field"] == "reason"


@pytest.mark.usefixtures("no_redis")
def test_operating_without_redis_is_503(admin: Client) -> None:
    _problem(admin.post(RECOVER), 503, "redis_unavailable")
    _problem(admin.post("/api/v1/jobs/x/retry"), 503, "redis_unavailable")


def test_operating_without_the_database_is_503_and_changes_nothing(
    admin: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis
) -> None:
    (job_id,) = jobs.fail()

    def away(self: AuditEntry, **kwargs: object) -> None:
        raise OperationalError("no database")

    monkeypatch.setattr(AuditEntry, "save", away)
    _problem(admin.post(f"/api/v1/jobs/{job_id}/retry"), 503, "database_unavailable")
    assert empty_redis.zcard(keys.failed("high")) == 1


@pytest.mark.parametrize("path", [RECOVER, "/api/v1/jobs/x/retry"])
def test_operating_is_post_only(admin: Client, empty_redis: redis.Redis, path: str) -> None:
    response = admin.get(path)
    _problem(response, 405, "method_not_allowed")
    assert "POST" in response["Allow"]


def test_whatever_accept_says_it_is_json(local: Client, empty_redis: redis.Redis) -> None:
    response = local.get("/api/v1/queues", headers={"accept": "text/html"})
    assert response["Content-Type"] == "application/json"


def test_a_key_of_a_tenant_sees_and_retries_its_own_only(
    admin: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = jobs.fail(tenant="acme")
    (other,) = jobs.fail(tenant="globex")
    sender = api_keys.Sender("acme's", frozenset({"admin"}), 1, tenant="acme")
    monkeypatch.setattr(api_keys, "authenticate", lambda *args, **kwargs: sender)
    assert admin.get(f"/api/v1/jobs/{own}").status_code == 200
    _problem(admin.get(f"/api/v1/jobs/{other}"), 404, "job_not_found")
    _problem(admin.post(f"/api/v1/jobs/{other}/retry"), 404, "job_not_found")
    _problem(admin.post(RECOVER), 403, "forbidden_tenant")


def test_a_fault_of_ours_is_not_hidden(
    local: Client, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(metrics, "snapshot", broken)
    with pytest.raises(ZeroDivisionError):
        local.get("/api/v1/queues")
