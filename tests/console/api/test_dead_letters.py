"""Groups of dead letters for programs: in any order, by the index or without it, and of one tenant alone (issue 8)."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from ingest.api import keyring, keys
from queueadmin.console import operations
from queueadmin.console.failures import Indexer
from queueadmin.console.models import Failure, Replay
from tests.console.api.conftest import problem_of
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import fail
from tests.console.failures.conftest import indexer

__all__ = ["indexer"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ids(indexer: Indexer, jobs: Jobs) -> list[str]:
    """Five dead letters of two causes, indexed; the newest last."""
    ids = [
        *fail(jobs, 3, message="device 17 is gone", source="zabbix", queue="low", tenant="acme"),
        *fail(jobs, 1, message="device 18 is gone", source="s3cret", tenant="globex"),
        *fail(jobs, 1, message="host db-1.example.com is away", kind="app.ConnectTimeout", tenant="globex"),
    ]
    indexer.step()
    return ids


@pytest.fixture
def of_tenant() -> Callable[[str], Client]:
    @cache
    def make(tenant: str) -> Client:
        secret = keyring.create(f"of {tenant}", scopes=["read", "admin"], tenant=tenant).secret
        return Client(headers={"host": "localhost", "x-api-key": secret}, REMOTE_ADDR="192.0.2.7")

    keys.forget()
    return make


def groups(client: Client, **asked: Any) -> Any:
    return client.get("/api/v1/dlq/groups", asked).json()


def post(client: Client, path: str, **body: Any) -> HttpResponse:
    return client.post(path, body, content_type="application/json")


def test_groups_say_what_is_known_of_them(admin: Client, ids: list[str]) -> None:
    operations.note_group(Failure.objects.get(job_id=ids[0]).fingerprint, "the probe was sold", actor="ada")
    found = groups(admin)
    assert (found["groups"], found["scanned"], found["complete"]) == (2, 5, True)
    first = found["items"][0]
    assert first["error"] == {"type": "ValueError", "message": "device <number> is gone", "frames": []}
    assert (first["count"], first["queues"], first["reasons"]) == (4, {"low": 3, "high": 1}, {"error": 4})
    assert (first["status"], first["note"], first["payloads"]) == ("open", "the probe was sold", 4)
    assert first["nature"] == "systemic"
    assert sum(first["trend"]) == 4


def test_they_are_the_same_without_the_index_but_for_the_trend(
    admin: Client, ids: list[str], empty_redis: redis.Redis
) -> None:
    told = groups(admin)
    empty_redis.delete("rq:qa:failures")
    read = groups(admin)
    for found in (told, read):
        for group in found["items"]:
            group.pop("trend")
    assert read == told


@pytest.mark.parametrize("sort", ["last", "first"])
def test_the_latest_come_first_if_asked_for(admin: Client, ids: list[str], sort: str) -> None:
    assert [group["count"] for group in groups(admin, sort=sort)["items"]] == [1, 4]
    assert [group["count"] for group in groups(admin, sort="count", limit=1)["items"]] == [4]
    problem_of(admin.get("/api/v1/dlq/groups?sort=size"), 422, "invalid_field")


def test_a_key_of_a_tenant_sees_its_own_groups(of_tenant: Callable[[str], Client], ids: list[str]) -> None:
    operations.note_group(Failure.objects.get(job_id=ids[0]).fingerprint, "globex is behind it", actor="ada")
    answer = of_tenant("acme").get("/api/v1/dlq/groups")
    (group,) = answer.json()["items"]
    assert (group["count"], group["queues"], group["payloads"]) == (3, {"low": 3}, 3)
    assert (group["note"], group["status"]) == (None, None)
    assert "globex" not in answer.content.decode()
    assert groups(of_tenant("acme"), filter="tenant:globex")["items"] == []


def test_a_key_of_a_tenant_replays_its_own_and_nobody_else_sees_that(
    of_tenant: Callable[[str], Client], admin: Client, ids: list[str]
) -> None:
    begun = post(of_tenant("globex"), "/api/v1/dlq/retry", filter="")
    assert begun.status_code == 202
    replay = Replay.objects.get()
    assert (replay.tenant, replay.filter) == ("globex", "tenant:globex")
    path = f"/api/v1/replays/{replay.pk}"
    assert of_tenant("globex").get(path).status_code == admin.get(path).status_code == 200
    problem_of(of_tenant("acme").get(path), 404, "replay_not_found")
    problem_of(post(of_tenant("acme"), f"{path}/cancel"), 404, "replay_not_found")
    assert post(of_tenant("globex"), f"{path}/cancel").status_code == 200
    problem_of(post(of_tenant("acme"), "/api/v1/dlq/discard", filter="tenant:globex"), 404, "nothing_matches")
