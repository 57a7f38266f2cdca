"""GET /api/v1/workers, and the workers told by POST."""

from collections.abc import Callable

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client

from ingest.queue import keys
from tests.console.api.conftest import BACKEND, problem_of
from tests.console.conftest import outcome, worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def one(empty_redis: redis.Redis) -> redis.Redis:
    worker(empty_redis, "w", held=0, hostname="node-a", pid=7, supervisor="systemd", memory=1024, cpu=2.5)
    return empty_redis


def test_every_worker(local: Client, one: redis.Redis) -> None:
    found = local.get("/api/v1/workers").json()
    (item,) = found["items"]
    assert (item["name"], item["state"], item["stock"], item["pid"]) == ("w", "idle", False, 7)
    assert (item["memory"], item["cpu"], item["supervisor"]) == (1024, 2.5, "systemd")
    assert item["held"] == {"jobs": 0, "kinds": {}, "since": None, "lease_seconds": None}
    assert item["can"] == ["drain", "restart", "kill"]
    assert found["complete"] is True


def test_told_with_a_reason_and_audited(admin: Client, one: redis.Redis) -> None:
    said = admin.post("/api/v1/workers/w/drain", {"reason": "patch"}, content_type="application/json").json()
    assert (said["name"], said["told"]) == ("w", "drain")
    assert said["done"].startswith("w finishes what it holds")
    assert (outcome().action, outcome().reason, outcome().actor) == ("drain_worker", "patch", "key:for admin")
    assert one.get(keys.order("w")) == b"drain"


def test_what_cannot_be_done_is_409_and_who_is_not_there_404(admin: Client, one: redis.Redis) -> None:
    assert "not drained" in problem_of(admin.post("/api/v1/workers/w/resume"), 409, "cannot_do")["detail"]
    problem_of(admin.post("/api/v1/workers/nobody/drain"), 404, "worker_not_found")
    assert problem_of(admin.post("/api/v1/workers/w/kill"), 422, "reason_needed")["field"] == "reason"
    problem_of(admin.post("/api/v1/workers/w/kill", {"reason": "it hangs"}), 409, "cannot_do")


def test_x16_killing_needs_an_admin(one: redis.Redis, make_user: Callable[..., User]) -> None:
    for group, drain, kill in (("viewer", 403, 403), ("operator", 200, 403), ("admin", 409, 409)):
        client = Client()
        client.force_login(make_user(group, group), BACKEND)
        one.hset(keys.worker("w"), "order", "" if group != "admin" else "drain")
        assert client.post("/api/v1/workers/w/drain").status_code == drain
        assert client.post("/api/v1/workers/w/kill", {"reason": "it hangs"}).status_code == kill
