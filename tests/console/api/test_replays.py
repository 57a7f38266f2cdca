"""Groups and replays by the API (contract section 4, X1)."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from ingest.queue import keys
from queueadmin.console.api import dead_letters as api
from queueadmin.console.models import AuditEntry, Replay
from queueadmin.console.replays.engine import Engine
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import fail

pytestmark = pytest.mark.django_db(transaction=True)

Post = Callable[..., tuple[int, Any]]


@pytest.fixture
def client(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("ada", "operator"))
    return client


@pytest.fixture
def post(client: Client) -> Post:
    def post(path: str, **body: Any) -> tuple[int, Any]:
        answer: HttpResponse = client.post(f"/api/v1/{path}", body, content_type="application/json")
        return answer.status_code, answer.json()  # type: ignore[attr-defined]

    return post


def test_groups_are_told_with_whether_they_are_all(client: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(jobs, 3, message="no device 17")
    fail(jobs, 1, kind="OSError", message="gone", queue="low")
    found = client.get("/api/v1/dlq/groups").json()
    assert [(each["count"], each["error"]["type"]) for each in found["items"]] == [(3, "ValueError"), (1, "OSError")]
    assert found["items"][1]["queues"] == {"low": 1}
    assert (found["groups"], found["scanned"], found["complete"]) == (2, 4, True)
    group = found["items"][0]["id"]
    assert client.get(f"/api/v1/dlq/groups?filter=group:{group}&limit=1").json()["scanned"] == 3
    monkeypatch.setattr(api, "LOOKED_AT", 2)
    found = client.get("/api/v1/dlq/groups").json()
    assert (found["scanned"], found["complete"]) == (2, False)
    assert client.get("/api/v1/dlq/groups?filter=nokey:x").json()["code"] == "invalid_filter"
    assert client.get("/api/v1/dlq/groups?limit=0").json()["field"] == "limit"


def test_a_replay_is_begun_seen_paused_and_canceled(
    post: Post, client: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    jobs.fail(5, source="zabbix")
    status, begun = post("dlq/retry", filter="source:zabbix since:2h", canary=2, ramp=[1, 0], stop_percent=100)
    assert (status, begun["state"], begun["kind"], begun["actor"]) == (202, "running", "retry", "ada")
    assert (begun["canary"], begun["ramp"], begun["stop_percent"], begun["frozen_at"]) == (2, [1, 0], None, None)
    assert "since:2h" not in begun["filter"]
    path = f"replays/{begun['id']}"
    Engine(empty_redis).step()
    seen = client.get(f"/api/v1/{path}").json()
    assert (seen["size"], seen["in_flight"], seen["waiting"], seen["step"]) == (5, 2, 3, -1)
    assert post(f"{path}/pause", reason="lunch")[1]["state"] == "paused"
    status, refused = post(f"{path}/pause")
    assert (status, refused["code"], refused["state"]) == (409, "replay_over", "paused")
    assert post(f"{path}/resume")[1]["state"] == "running"
    assert post(f"{path}/cancel")[1]["state"] == "canceled"
    assert post(f"{path}/resume")[0] == 409
    actions = list(AuditEntry.objects.filter(step="outcome").order_by("id").values_list("action", flat=True))
    assert actions == ["start_retry", "pause_replay", "resume_replay", "cancel_replay"]


def test_a_running_one_is_tuned(post: Post, client: Client, jobs: Jobs) -> None:
    jobs.fail(3)
    _, begun = post("dlq/retry", filter="", stop_percent=5)
    path = f"replays/{begun['id']}/tune"
    status, tuned = post(path, ramp=[20, 0], step_seconds=60, stop_percent=100, reason="it holds")
    assert (status, tuned["ramp"], tuned["step_seconds"], tuned["stop_percent"]) == (200, [20, 0], 60, None)
    assert (tuned["stop_wait"], tuned["pace"]) == (True, [])
    assert post(path, ramp=[0, 5])[1]["field"] == "ramp"
    assert post(path, step_seconds=True)[0] == 422
    assert post("replays/999999/tune", ramp=[5])[0] == 404
    post(f"replays/{begun['id']}/cancel")
    status, problem = post(path, ramp=[5])
    assert (status, problem["code"], problem["state"]) == (409, "replay_over", "canceled")


def test_discard_and_restore(post: Post, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3)
    engine = Engine(empty_redis)
    assert post("dlq/discard", filter="", reason="sold")[0] == 202
    engine.step()
    assert empty_redis.zcard(keys.trash("high")) == 3
    assert post("dlq/restore", filter="source:test")[0] == 202
    engine.step()
    assert empty_redis.zcard(keys.failed("high")) == 3


def test_what_is_marked_permanent_is_asked_for_apart_from_poison(
    post: Post, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    jobs.fail(2, reason="poison")
    jobs.transitions.mark("high", jobs.fail(3), permanent=True)
    jobs.fail()
    _, found = post("dlq/retry", filter="permanent:no,yes", canary=0, ramp=[0])
    assert (found["include_poison"], found["include_permanent"]) == (False, False)
    Engine(empty_redis).step()
    _, found = post(f"replays/{found['id']}/tune", step_seconds=5)
    assert (found["size"], found["poison_left"], found["permanent_left"]) == (1, 2, 3)
    assert found["outcome"] == "Of 1: 0 succeeded, 1 in flight; 5 jobs left out: 2 poison, 3 marked permanent."
    _, found = post("dlq/retry", filter="permanent:yes", include_permanent=True)
    assert found["include_permanent"]
    Engine(empty_redis).step()
    assert post(f"replays/{found['id']}/tune", step_seconds=5)[1]["size"] == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "filter"),
        ({"filter": 5}, "filter"),
        ({"filter": "nokey:x"}, "filter"),
        ({"filter": "", "canary": -1}, "canary"),
        ({"filter": "", "canary": True}, "canary"),
        ({"filter": "", "ramp": []}, "ramp"),
        ({"filter": "", "ramp": [0, 1]}, "ramp"),
        ({"filter": "", "ramp": ["1"]}, "ramp"),
        ({"filter": "", "ramp": 5}, "ramp"),
        ({"filter": "", "step_seconds": 0}, "step_seconds"),
        ({"filter": "", "stop_percent": 101}, "stop_percent"),
        ({"filter": "", "stop_new_errors": -1}, "stop_new_errors"),
        ({"filter": "", "stop_wait": "yes"}, "stop_wait"),
        ({"filter": "", "include_poison": 1}, "include_poison"),
        ({"filter": "", "include_permanent": "yes"}, "include_permanent"),
        ({"filter": "", "queue": "slow"}, "queue"),
        ({"filter": "", "reason": "x" * 501}, "reason"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_begun(post: Post, jobs: Jobs, body: dict[str, Any], field: str) -> None:
    jobs.fail(1)
    status, answer = post("dlq/retry", **body)
    assert (status, answer["field"]) == (422, field)
    assert not Replay.objects.exists()


def test_nothing_matches_or_a_reason_is_missing(post: Post, jobs: Jobs) -> None:
    assert (post("dlq/retry", filter="")[0], post("dlq/restore", filter="")[1]["code"]) == (404, "nothing_matches")
    jobs.fail(101)
    status, answer = post("dlq/retry", filter="")
    assert (status, answer["code"]) == (422, "reason_needed")
    assert post("replays/99999999999999999999/pause")[1]["code"] == "replay_not_found"
    assert post("replays/x/pause")[1]["code"] == "replay_not_found"
