"""The queues: reading, pausing, emptying, taking back."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import redis
from django.test import Client

from ingest.queue import keys
from queueadmin.console.models import AuditEntry
from tests.console.api.conftest import RECOVER, problem_of
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db


def test_queues_are_those_of_the_snapshot(local: Client, jobs: Jobs) -> None:
    jobs.enqueue(2)
    listed = local.get("/api/v1/queues").json()
    assert listed["next"] is None
    assert [item["name"] for item in listed["items"]] == ["critical", "high", "medium", "low"]
    assert listed["items"][1]["depth"] == 2


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
    problem = problem_of(admin.post(RECOVER, query_params={"max_processing_time": value}), 422, "invalid_field")
    assert problem["field"] == "max_processing_time"
    assert "31,536,000" in problem["detail"]


@pytest.mark.parametrize("value", [True, [], {}, 10**400])
def test_a_bad_max_processing_time_in_the_body(admin: Client, empty_redis: redis.Redis, value: object) -> None:
    response = admin.post(RECOVER, {"max_processing_time": value}, content_type="application/json")
    assert response.status_code in (400, 422)


# --- pausing and emptying ----------------------------------------------------------------------


def _post(client: Client, path: str, **body: object) -> Any:
    return client.post(f"/api/v1/queues/{path}", body, content_type="application/json")


def test_b3_a_queue_is_paused_for_minutes_and_resumed(admin: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(2)
    paused = _post(admin, "high/pause", minutes=15, reason="deploy").json()
    assert (paused["queue"], paused["paused"]) == ("high", True)
    assert paused["done"] == "high is paused for 15 min; what runs already goes on."
    ends = datetime.fromisoformat(paused["paused_until"]).timestamp()
    assert 870 < ends - empty_redis.time()[0] < 901
    shown = admin.get("/api/v1/queues").json()["items"][1]
    assert (shown["paused"], shown["paused_itself"], shown["clears_in"]) == (True, True, "paused")
    assert shown["paused_until"] == pytest.approx(ends, abs=0.01)
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.action, entry.target, entry.reason) == ("key:for admin", "pause", "high", "deploy")
    assert _post(admin, "high/resume").json() == {
        "queue": "high",
        "paused": False,
        "still_paused": [],
        "done": "high goes on.",
    }


def test_b3_all_queues_are_paused_and_resumed_at_once(admin: Client, jobs: Jobs) -> None:
    paused = _post(admin, "pause").json()
    assert (paused["queue"], paused["paused_until"]) == (None, None)
    assert all(item["paused"] and not item["paused_itself"] for item in admin.get("/api/v1/queues").json()["items"])
    held = _post(admin, "low/resume").json()
    assert (held["paused"], held["still_paused"]) == (True, ["low"])
    assert _post(admin, "resume").json()["paused"] is False


@pytest.mark.parametrize("minutes", [0, -5, 10_081, "soon", True, [], float("1e300")])
def test_bad_minutes_are_refused_with_their_bounds(admin: Client, empty_redis: redis.Redis, minutes: object) -> None:
    problem = problem_of(_post(admin, "high/pause", minutes=minutes), 422, "invalid_field")
    assert problem["field"] == "minutes"
    assert "10,080" in problem["detail"]
    assert not empty_redis.exists(keys.PAUSED)


def test_a_queue_is_emptied_into_the_trash(admin: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(101)
    problem = problem_of(_post(admin, "high/empty"), 422, "reason_needed")
    assert (problem["field"], problem["count"]) == ("reason", 101)
    emptied = _post(admin, "high/empty", reason="a flood of tests").json()
    assert (emptied["queue"], emptied["trashed"]) == ("high", 101)
    shown = admin.get("/api/v1/queues").json()["items"][1]
    assert (shown["depth"], shown["trash"]) == (0, 101)


@pytest.mark.parametrize("path", ["urgent/pause", "urgent/resume", "urgent/empty", "%00/pause"])
def test_an_unknown_queue_is_404_and_names_the_four(admin: Client, empty_redis: redis.Redis, path: str) -> None:
    assert "critical, high, medium, low" in problem_of(_post(admin, path), 404, "queue_not_found")["detail"]
    assert not AuditEntry.objects.exists()
