"""`POST /api/tasks` on both faces: the task_id as idempotency key, words for priorities, hints, limits, positions."""

import json
from typing import Any

import pytest
import redis

from ingest import client
from ingest.kinds import Context, Task, task, tasks
from ingest.queue import keys
from tests.ingest.api.conftest import EVENTS, Post, stored_ids

TASKS = "/api/tasks"


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TYPES", {})
    task("dev")(handle)
    task("fix", retries=(1, 1), timeout=60, dead_letters=False, ttl=5, isolation="process")(handle)
    task("gpu", own_workers=True)(handle)


def handle(given: Task, context: Context) -> None: ...


def a_task(**fields: Any) -> dict[str, Any]:
    return {"task_id": "dev_main_py", "task_type": "dev", "payload": {"file": "main.py"}, **fields}


def fields_of(connection: redis.Redis, job_id: str, *names: str) -> list[str | None]:
    found = connection.hmget(keys.job(job_id), names)
    return [value and value.decode() for value in found]


def test_a_task_is_accepted_with_its_id_and_its_position(post: Post, empty_redis: redis.Redis) -> None:
    """E1: 202, what became of it, and where it stands."""
    first = post(TASKS, a_task(priority="high"))
    second = post(TASKS, a_task(task_id="dev_test_py", priority="high"))
    assert (first.status, second.status) == (202, 202)
    assert [answer.json["position"] for answer in (first, second)] == [1, 2]
    shown = second.json
    assert (shown["task_id"], shown["task_type"], shown["event_id"]) == ("dev_test_py", "dev", "dev_test_py")
    assert (shown["kind"], shown["priority"], shown["status"], shown["durability"]) == (
        "task",
        "high",
        "queued",
        "redis",
    )
    assert second.headers["location"] == f"/api/v1/jobs/{shown['id']}"
    job = client.get(shown["id"])
    assert (job.kind, job.task_type, job.position, job.ahead) == ("task", "dev", 2, 1)


def test_the_types_options_travel_with_the_job(post: Post, empty_redis: redis.Redis) -> None:
    """Timeout, retries, mode, dead letters and the result's time to live are the type's, and hints win (E15, E16)."""
    job_id = post(TASKS, a_task(task_type="fix")).json["id"]
    names = ("timeout", "retry_intervals", "mode", "dead_letters", "result_ttl", "kind")
    assert fields_of(empty_redis, job_id, *names) == ["60", "[1,1]", "process", "0", "5", "task:fix"]
    hinted = post(TASKS, a_task(task_id="b", payload={"max_retries": 5, "timeout": 900})).json["id"]
    assert fields_of(empty_redis, hinted, *names) == ["900", "[0,2,4,8,16]", "single", None, "86400", "task:dev"]


@pytest.mark.parametrize(
    ("said", "queue"),
    [
        ("critical", "critical"),
        ("normal", "medium"),
        ("LOW", "low"),
        (3, "critical"),
        (2, "high"),
        (1, "medium"),
        (0, "low"),
    ],
)
def test_a_task_has_words_and_numbers_for_its_priority(post: Post, said: object, queue: str) -> None:
    """E2."""
    assert post(TASKS, a_task(priority=said)).json["queue"] == queue


def test_without_a_priority_it_is_normal(post: Post) -> None:
    assert post(TASKS, a_task()).json["queue"] == "medium"


def test_the_task_id_is_the_idempotency_key(post: Post, empty_redis: redis.Redis) -> None:
    """E14: the same task again is the first one; another one under its id is refused. For a week."""
    first = post(TASKS, a_task()).json
    again = post(TASKS, a_task())
    assert (again.status, again.json["duplicate"], again.json["id"], again.json["position"]) == (
        202,
        True,
        first["id"],
        1,
    )
    other = post(TASKS, a_task(payload={"file": "other.py"}))
    assert (other.status, other.json["code"]) == (409, "id_reused")
    assert stored_ids(empty_redis) == {first["id"]}
    assert 604_700 < empty_redis.ttl(keys.marker(first["id"])) <= 604_800


def test_id_is_taken_for_task_id_but_not_both(post: Post) -> None:
    by_id = {"id": "x-1", "task_type": "dev"}
    assert post(TASKS, by_id).json["task_id"] == "x-1"
    both = post(TASKS, a_task(id="another"))
    assert (both.status, both.json["field"], both.json["code"]) == (422, "id", "conflict")


def test_a_task_without_an_id_is_called_by_ours(post: Post) -> None:
    shown = post(TASKS, {"task_type": "dev"}).json
    assert shown["task_id"] == shown["id"]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"task_type": "qa"}, "task_type", "unknown_task_type"),
        ({"task_type": None}, "task_type", "missing_field"),
        ({"task_id": ""}, "task_id", "invalid_value"),
        ({"task_id": "x" * 256}, "task_id", "too_long"),
        ({"payload": "text"}, "payload", "wrong_type"),
        ({"payload": {"max_retries": 99}}, "payload.max_retries", "invalid_value"),
        ({"priority": 4}, "priority", "invalid_value"),
        ({"priority": "urgent"}, "priority", "invalid_value"),
        ({"kind": "alert"}, "kind", "unknown_kind"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(
    post: Post, empty_redis: redis.Redis, fields: dict[str, Any], field: str, code: str
) -> None:
    answer = post(TASKS, a_task(**fields))
    assert (answer.status, answer.json["field"], answer.json["code"]) == (422, field, code)
    assert not stored_ids(empty_redis)


def test_an_unknown_type_is_told_which_there_are(post: Post) -> None:
    assert post(TASKS, a_task(task_type="qa")).json["detail"] == "task_type must be one of dev, fix, gpu."


def test_it_takes_one_task(post: Post) -> None:
    assert post(TASKS, [a_task()]).status == 422


@pytest.mark.parametrize("path", [TASKS, EVENTS])
def test_a_task_may_have_a_mebibyte(post: Post, path: str) -> None:
    """E14, rule 6: tasks 1 MiB, others 256 KiB."""
    frame = len(json.dumps(a_task(kind="task", payload={"text": ""})))
    whole = a_task(kind="task", payload={"text": "x" * (1024 * 1024 - frame)})
    assert post(path, whole).status == 202
    larger = post(path, a_task(kind="task", task_id="dev_main_rs", payload={"text": "x" * (1024 * 1024 - frame + 1)}))
    assert (larger.status, larger.json["code"], larger.json["limit_value"]) == (413, "item_too_large", 1024 * 1024)
    pretending = {"title": "x" * 10, "payload": {"kind": "task", "text": "x" * (300 * 1024)}}
    if path == EVENTS:
        alert = post(path, pretending)
        assert (alert.status, alert.json["code"], alert.json["limit_value"]) == (413, "item_too_large", 256 * 1024)


def test_tasks_come_in_at_the_common_endpoint_too(post: Post, empty_redis: redis.Redis) -> None:
    given = {"kind": "task", **a_task(priority="normal")}
    answer = post(EVENTS, [given, {"title": "an alert"}])
    assert (answer.status, answer.json["accepted"]) == (202, 2)
    assert "position" not in answer.json
    assert post(TASKS, given).json["duplicate"]
    alone = post(EVENTS, {**given, "task_id": "another"}).json
    assert post(TASKS, {**given, "task_id": "another"}).json["id"] == alone["id"]


def test_a_scheduled_task_has_no_position_yet(post: Post) -> None:
    shown = post(TASKS, a_task(delay_seconds=60)).json
    assert (shown["status"], shown["position"]) == ("scheduled", None)


def test_a_task_of_a_type_with_workers_of_its_own_stands_in_its_lane(post: Post, empty_redis: redis.Redis) -> None:
    """E10: behind its like alone, and in nobody else's way."""
    post(TASKS, a_task(task_id="other"))
    shown = [post(TASKS, a_task(task_id=f"gpu-{n}", task_type="gpu")).json for n in range(2)]
    assert [each["position"] for each in shown] == [1, 2]
    assert empty_redis.llen(keys.queue("medium")) == 1
    job = client.get(shown[1]["id"])
    assert (job.position, job.ahead, job.state) == (2, 1, "queued")
    assert client.counts("medium").queued == 3


def test_the_python_face_takes_the_same(empty_redis: redis.Redis, transactional_db: None) -> None:
    receipt = client.enqueue("task", **a_task(priority=3))
    assert (receipt.event.severity.mapped, receipt.event.event_id) == ("critical", "dev_main_py")
    assert client.enqueue("task", **a_task(priority=3)).outcome == "duplicate"
    with pytest.raises(ValueError, match="task_type must be one of dev, fix, gpu"):
        client.enqueue("task", task_type="qa")
