"""One job: reading and moving it."""

import json
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone

from ingest.api import keys as api_keys
from ingest.models import Event, SpooledEvent
from ingest.queue import keys, limits
from ingest.queue.calls import NEAR
from ingest.queue.connections import close_connections
from ingest.spool.rows import insert
from queueadmin.console.models import AuditEntry
from tests.console.api.conftest import OPERATING, RECOVER, problem_of
from tests.console.conftest import WORKER, Jobs
from tests.ingest.queue.conftest import make_job
from tests.ingest.spool.conftest import job

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
    assert admin.post(f"/api/v1/jobs/{own}/discard").status_code == 200
    problem_of(admin.post(f"/api/v1/jobs/{other}/discard"), 404, "job_not_found")
    for everybodys in (RECOVER, "/api/v1/queues/pause", "/api/v1/queues/high/pause", "/api/v1/queues/high/empty"):
        problem_of(admin.post(everybodys), 403, "forbidden_tenant")


# --- the other moves -------------------------------------------------------------------------


def _post(client: Client, job_id: str, verb: str, **body: object) -> Any:
    return client.post(f"/api/v1/jobs/{job_id}/{verb}", body, content_type="application/json")


def test_a_dead_letter_is_discarded_and_restored(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    response = _post(admin, job_id, "discard", reason="noise")
    assert response.status_code == 200
    trashed = response.json()
    assert (trashed["state"], trashed["trashed_from"], trashed["moved_by"]) == ("trash", "failed", "key:for admin")
    assert trashed["links"].keys() >= {"restore"}
    assert trashed["links"].keys().isdisjoint({"retry", "discard"})
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.reason, entry.count) == ("discard", "noise", 1)
    restored = _post(admin, job_id, "restore").json()
    assert (restored["state"], restored["trashed_at"]) == ("failed", None)
    assert restored["error"]["type"] == "ValueError"


def test_a_waiting_job_is_canceled_or_moved(admin: Client, jobs: Jobs) -> None:
    first, second = jobs.enqueue(2)
    assert _post(admin, first, "cancel").json()["state"] == "canceled"
    moved = _post(admin, second, "move", queue="low").json()
    assert (moved["state"], moved["queue"], moved["position"]) == ("queued", "low", 1)


def test_a_retry_that_waits_runs_now(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(retries=(600,))
    claim = jobs.start()
    jobs.transitions.fail("high", claim, WORKER, [jobs.failure(job_id, retry=True)])
    assert admin.get(f"/api/v1/jobs/{job_id}").json()["state"] == "retrying"
    assert _post(admin, job_id, "run-now").json()["state"] == "queued"


def test_a_dead_letter_is_retried_in_another_queue(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    response = _post(admin, job_id, "retry", queue="low")
    assert (response.status_code, response.json()["queue"]) == (202, "low")


@pytest.mark.parametrize("verb", ["retry", "run-now", "cancel", "discard", "restore", "move"])
def test_too_late_names_the_state_and_who_moved_it(admin: Client, jobs: Jobs, verb: str) -> None:
    """A running job is nowhere that an operator takes jobs from."""
    (job_id,) = jobs.fail()
    _post(admin, job_id, "retry")
    jobs.start()
    problem = problem_of(_post(admin, job_id, verb, queue="low"), 409, "already_moved")
    assert (problem["state"], problem["moved_by"]) == ("started", "key:for admin")
    assert problem["moved_at"].endswith("Z")
    assert problem["detail"].startswith("1 job had moved already (started, by key:for admin at ")


def test_too_late_for_a_job_that_is_done(admin: Client, jobs: Jobs) -> None:
    """Of its hash nothing is left; the row shows that it finished, the audit log who retried it."""
    (job_id,) = jobs.fail()
    _post(admin, job_id, "retry")
    jobs.transitions.complete("high", jobs.start(), WORKER, [job_id])
    now = timezone.now()
    Event.objects.create(id=job_id, received_at=now, processed_at=now, kind="alert", priority="high", body="{}")
    problem = problem_of(_post(admin, job_id, "retry"), 409, "already_moved")
    assert (problem["state"], problem["moved_by"]) == ("finished", "key:for admin")


@pytest.mark.parametrize("body", [{}, {"queue": ""}, {"queue": "urgent"}, {"queue": 7}, {"queue": ["low"]}])
def test_moving_needs_a_queue_that_there_is(admin: Client, jobs: Jobs, body: dict[str, object]) -> None:
    (job_id,) = jobs.enqueue()
    assert problem_of(_post(admin, job_id, "move", **body), 422, "invalid_field")["field"] == "queue"


def test_the_position_leaves_out_what_is_gone(admin: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """Ids of discarded jobs stay in a long list; nobody waits behind them."""
    ids = jobs.enqueue(NEAR + 10, queue="critical")
    (mine,) = jobs.enqueue()
    jobs.transitions.discard("critical", ids[:5])
    assert empty_redis.scard(keys.tombstones("critical")) == 5
    sixth = admin.get(f"/api/v1/jobs/{ids[5]}").json()
    assert (sixth["position"], sixth["ahead"]) == (1, 0)
    assert admin.get(f"/api/v1/jobs/{ids[7]}").json()["position"] == 3
    assert admin.get(f"/api/v1/jobs/{mine}").json()["ahead"] == NEAR + 5


def test_a_job_that_a_rate_limit_holds_back_has_no_position(
    admin: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    limits.set_limit(empty_redis, limits.Limit("source", "test", 1, 600))
    _, held_back = jobs.enqueue(2)
    jobs.start()
    job = admin.get(f"/api/v1/jobs/{held_back}").json()
    assert (job["state"], job["position"], job["ahead"]) == ("queued", None, None)


def test_a_spooled_job_is_found_with_its_place_also_while_redis_is_away(
    local: Client, empty_redis: redis.Redis, settings: Any, tmp_path: Any
) -> None:
    first, second, urgent = job("x"), job("y", event_id="mine"), job("z", priority="critical")
    insert([first, second, urgent])

    def look() -> None:
        found = local.get(f"/api/v1/jobs/{second.id}").json()
        assert (found["state"], found["event_id"], found["queue"]) == ("spooled", "mine", "high")
        assert (found["position"], found["ahead"], found["eta_seconds"]) == (2, 2, None)
        assert list(found["links"]) == ["self", "page"]

    look()
    close_connections()
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    look()
    problem_of(local.get("/api/v1/jobs/nobody"), 503, "redis_unavailable")
    close_connections()


@pytest.fixture
def no_redis_at_all(settings: Any) -> None:
    settings.REDIS = False


@pytest.mark.usefixtures("no_redis_at_all")
def test_a1_without_redis_what_needs_it_says_so_and_retry_does_not(admin: Client) -> None:
    dead = job("x")
    insert([dead])
    SpooledEvent.objects.update(state="failed", failed_at=timezone.now(), reason="error", error_type="ValueError")
    found = admin.get(f"/api/v1/jobs/{dead.id}").json()
    assert (found["state"], list(found["links"])) == ("failed", ["self", "retry", "page"])
    for path in OPERATING:
        if not path.endswith(("/retry", "/duplicate", "/payload/reveal")):
            body = {"queue": "low"} if path.endswith("/move") else {}
            answer = admin.post(path.replace("/x/", f"/{dead.id}/"), body, content_type="application/json")
            problem = problem_of(answer, 503, "needs_redis")
            assert problem["detail"] == "This needs Redis, and REDIS=false says that there is none."
            assert not problem["retryable"]
    assert admin.post(f"/api/v1/jobs/{dead.id}/retry").status_code == 202
    assert SpooledEvent.objects.get().state == "spooled"
    problem = problem_of(admin.post(f"/api/v1/jobs/{dead.id}/retry"), 409, "already_moved")
    assert (problem["state"], problem["moved_by"]) == ("spooled", "key:for admin")


def test_e4_cancel_of_one_that_runs_asks_it_to_end(admin: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """202 while it runs; its worker is told at once, and what it does then makes it canceled."""
    sent = make_job(mode="process", kind="callback")
    job_id = sent.id
    jobs.transitions.enqueue([sent])
    claim = jobs.start()
    heard = empty_redis.pubsub(ignore_subscribe_messages=True)
    heard.subscribe(f"rq:pubsub:{WORKER}")
    heard.get_message(timeout=5)
    answer = admin.post(f"/api/v1/jobs/{job_id}/cancel", {"reason": "wrong file"}, content_type="application/json")
    shown = answer.json()
    assert (answer.status_code, shown["state"], shown["stopping"], shown["moved_by"]) == (
        202,
        "started",
        True,
        "key:for admin",
    )
    assert "cancel" not in shown["links"]
    message = heard.get_message(timeout=5)
    assert message is not None
    assert json.loads(message["data"]) == {"command": "cancel-job", "job_id": job_id}
    entry = AuditEntry.objects.filter(step="outcome").latest("id")
    assert (entry.action, entry.count, entry.reason) == ("cancel", 1, "wrong file")
    assert jobs.transitions.fail("high", claim, WORKER, [jobs.failure(job_id, retry=True)]) == {job_id: "canceled"}
    ended = admin.get(f"/api/v1/jobs/{job_id}").json()
    assert (ended["state"], ended["stopping"], ended["error"]) == ("canceled", False, None)


def test_cancel_of_one_that_runs_in_a_batch_comes_too_late(admin: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue()
    jobs.start()
    assert "cancel" not in admin.get(f"/api/v1/jobs/{job_id}").json()["links"]
    problem = problem_of(admin.post(f"/api/v1/jobs/{job_id}/cancel"), 409, "already_moved")
    assert problem["state"] == "started"
