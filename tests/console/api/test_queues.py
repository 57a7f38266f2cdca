"""The queues: reading, pausing, emptying, taking back."""

from collections.abc import Callable
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
