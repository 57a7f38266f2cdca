"""One job: reading and moving it."""

import pytest
import redis
from django.test import Client

from ingest.api import keys as api_keys
from queueadmin.console.models import AuditEntry
from tests.console.api.conftest import RECOVER, problem_of
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db


def test_x14_a_job_with_its_position(local: Client, jobs: Jobs) -> None:
    _, second = jobs.enqueue(2)
    job = local.get(f"/api/v1/jobs/{second}").json()
    assert (job["id"], job["state"], job["position"]) == (second, "queued", 2)
    assert job["received_at"].endswith("Z")


def test_an_unknown_job_is_404(local: Client, empty_redis: redis.Redis) -> None:
    problem_of(local.get("/api/v1/jobs/nobody"), 404, "job_not_found")


def test_b18_retry_answers_202_with_the_job(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    response = admin.post(f"/api/v1/jobs/{job_id}/retry", {"reason": "fixed"}, content_type="application/json")
    assert response.status_code == 202
    assert (response.json()["state"], response.json()["position"]) == ("queued", 1)
    assert AuditEntry.objects.latest("id").reason == "fixed"


def test_retry_too_late_says_who_moved_it_and_where_it_is(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    admin.post(f"/api/v1/jobs/{job_id}/retry")
    problem = problem_of(admin.post(f"/api/v1/jobs/{job_id}/retry"), 409, "already_moved")
    assert (problem["state"], problem["moved_by"]) == ("queued", "key:for admin")
    assert problem["moved_at"] is not None


def test_retry_of_a_job_nobody_moved(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue()
    problem = problem_of(admin.post(f"/api/v1/jobs/{job_id}/retry"), 409, "already_moved")
    assert (problem["state"], problem["moved_by"], problem["moved_at"]) == ("queued", None, None)


def test_retry_of_an_unknown_job_is_404(admin: Client, empty_redis: redis.Redis) -> None:
    problem_of(admin.post("/api/v1/jobs/nobody/retry"), 404, "job_not_found")
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("reason", ["x" * 501, 7, "\x00"])
def test_a_bad_reason_is_refused(admin: Client, jobs: Jobs, reason: object) -> None:
    (job_id,) = jobs.fail()
    response = admin.post(f"/api/v1/jobs/{job_id}/retry", {"reason": reason}, content_type="application/json")
    assert problem_of(response, 422, "invalid_field")["field"] == "reason"


def test_a_key_of_a_tenant_sees_and_retries_its_own_only(
    admin: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = jobs.fail(tenant="acme")
    (other,) = jobs.fail(tenant="globex")
    sender = api_keys.Sender("acme's", frozenset({"admin"}), 1, tenant="acme")
    monkeypatch.setattr(api_keys, "authenticate", lambda *args, **kwargs: sender)
    assert admin.get(f"/api/v1/jobs/{own}").status_code == 200
    problem_of(admin.get(f"/api/v1/jobs/{other}"), 404, "job_not_found")
    problem_of(admin.post(f"/api/v1/jobs/{other}/retry"), 404, "job_not_found")
    problem_of(admin.post(RECOVER), 403, "forbidden_tenant")
