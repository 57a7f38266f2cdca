"""Undo, and the trash deleted for good, by the API (X7, issue 8 parts 5 and 8)."""

import sys
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.models import AuditEntry, Replay
from queueadmin.console.operations import undo as operation_undo
from queueadmin.console.replays.engine import Engine
from tests.console.api.conftest import problem_of
from tests.console.conftest import Jobs, outcome

pytestmark = pytest.mark.django_db(transaction=True)


def post(client: Client, path: str, **body: Any) -> HttpResponse:
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def links(client: Client, found: str = "action:discard,empty,end_discard") -> list[str]:
    """The undo of each entry of the log that has one."""
    entries = client.get("/api/v1/audit", {"filter": found}).json()["items"]
    return [entry["links"]["undo"].removeprefix("/api/v1/") for entry in entries if entry["links"]]


def test_x7_what_was_discarded_comes_back_once(admin: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(120)
    done = operations.discard(ids, actor="ada", reason="test")
    jobs.transitions.restore("high", ids[:1], by="bob")
    assert links(admin) == [f"audit/{done.operation}/undo"]
    answer = post(admin, links(admin)[0], reason="the wrong ones")
    assert answer.status_code == 200
    said = answer.json()  # type: ignore[attr-defined]
    (left,) = said.pop("left")
    assert (left["id"], left["state"], left["moved_by"]) == (ids[0], "failed", "bob")
    assert (said["restored"], said["replay"]) == (119, None)
    assert said["done"].startswith(f"119 jobs restored; 1 job could not come back: {ids[0]} (failed, by bob at ")
    assert empty_redis.zcard(keys.failed("high")) == 120
    entry = outcome()
    assert (entry.action, entry.target, entry.count, entry.reason) == ("undo", done.operation, 119, "the wrong ones")
    again = problem_of(post(admin, f"audit/{done.operation}/undo"), 409, "nothing_to_undo")
    assert again["detail"] == "There is nothing to bring back: it came back already, or its 24 hours are over."
    assert links(admin) == []


@pytest.mark.parametrize("by_number", [False, True])
def test_x7_what_a_replay_discarded_comes_back_by_its_entry_or_its_number(
    admin: Client, jobs: Jobs, empty_redis: redis.Redis, by_number: bool
) -> None:
    jobs.fail(3)
    replay = post(admin, "dlq/discard", filter="").json()["id"]  # type: ignore[attr-defined]
    Engine(empty_redis).step()
    assert empty_redis.zcard(keys.trash("high")) == 3
    path = f"audit/replay-{replay}/undo" if by_number else links(admin)[0]
    assert post(admin, path).json()["restored"] == 3  # type: ignore[attr-defined]
    problem_of(post(admin, path), 409, "nothing_to_undo")


def test_x7_many_come_back_as_a_replay(
    admin: Client, jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[operation_undo.__module__], "AT_ONCE", 5)
    ids = jobs.enqueue(8)
    assert post(admin, "queues/high/empty").json()["trashed"] == 8  # type: ignore[attr-defined]
    answer = post(admin, links(admin)[0])
    replay = Replay.objects.get()
    assert (answer.status_code, answer["Location"]) == (202, f"/api/v1/replays/{replay.pk}")
    assert answer.json() == {  # type: ignore[attr-defined]
        "restored": 0, "left": [], "replay": replay.pk, "done": f"Replay {replay.pk} begun.",
    }  # fmt: skip
    Engine(empty_redis).step()
    assert [job_id.decode() for job_id in empty_redis.lrange(keys.queue("high"), 0, -1)] == ids


@pytest.mark.parametrize("unknown", ["0" * 32, "replay-7", "replay-x", "replay-", "x" * 300, "%00", "a b"])
def test_an_operation_that_nobody_knows_is_none(admin: Client, empty_redis: redis.Redis, unknown: str) -> None:
    problem_of(post(admin, f"audit/{unknown}/undo"), 404, "operation_not_found")
    assert not AuditEntry.objects.exists()


def test_one_that_put_nothing_into_the_trash_has_nothing_to_undo(
    admin: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    operation = operations.retry(jobs.fail(), actor="ada").operation
    assert links(admin, "action:retry") == []
    problem_of(post(admin, f"audit/{operation}/undo"), 409, "nothing_to_undo")


def test_the_log_is_found_by_the_id_of_an_operation(admin: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    first, second = (operations.retry(jobs.fail(), actor="ada").operation for _ in range(2))
    for text, wanted in ((f"id:{first}", [first]), (f"-id:{first}", [second]), (f"id:{first},{second} by:bob", [])):
        found = admin.get("/api/v1/audit", {"filter": text}).json()["items"]
        assert [entry["id"] for entry in found] == wanted


# --- for good ------------------------------------------------------------------------------------


def test_x7_the_trash_is_deleted_only_under_the_name_of_its_queue_and_with_a_reason(
    admin: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    jobs.transitions.discard("high", jobs.fail(3))
    jobs.transitions.discard("low", jobs.fail(1, queue="low"))
    for body, field in (
        ({"confirm": "high", "reason": "spam"}, "queue"),
        ({"queue": "urgent", "confirm": "urgent", "reason": "spam"}, "queue"),
        ({"queue": "high", "reason": "spam"}, "confirm"),
        ({"queue": "high", "confirm": True, "reason": "spam"}, "confirm"),
        ({"queue": "high", "confirm": "low", "reason": "spam"}, "confirm"),
        ({"queue": "high", "confirm": "high", "reason": 5}, "reason"),
    ):
        assert problem_of(post(admin, "dlq/purge", **body), 422, "invalid_field")["field"] == field, body
    told = problem_of(post(admin, "dlq/purge", queue="high", confirm="low", reason="spam"), 422, "invalid_field")
    assert told["detail"] == "Type high to delete what is in its trash. Nothing was deleted."
    problem_of(post(admin, "dlq/purge", queue="high", confirm="high", reason=" "), 422, "reason_needed")
    assert empty_redis.zcard(keys.trash("high")) == 3
    said = post(admin, "dlq/purge", queue="high", confirm="high", reason="spam").json()  # type: ignore[attr-defined]
    told = "3 jobs of the trash of high deleted for good."
    assert said == {"queue": "high", "deleted": 3, "left": 0, "done": told}
    assert (empty_redis.zcard(keys.trash("high")), empty_redis.zcard(keys.trash("low"))) == (0, 1)
    entry = outcome()
    assert (entry.action, entry.target, entry.count, entry.reason) == ("purge", "high", 3, "spam")
    nothing = post(admin, "dlq/purge", queue="high", confirm="high").json()  # type: ignore[attr-defined]
    assert (nothing["deleted"], nothing["done"]) == (0, "Nothing is in the trash of high; nothing was changed.")
