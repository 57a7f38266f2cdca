"""Undo of what went into the trash, and the trash deleted for good (X7, issue 8 part 5)."""

import json
import sys
from collections.abc import Callable

import pytest
import redis
from django.contrib.auth.models import Group, Permission
from django.http import HttpResponse
from django.test import Client

from ingest.queue import keys
from queueadmin.console.models import Replay
from queueadmin.console.operations import undo as operation_undo
from queueadmin.console.replays.engine import Engine
from tests.console.conftest import Jobs, outcome
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db(transaction=True)


def _undo(response: HttpResponse) -> str:
    """The operation that the toast offers to undo."""
    operation: str = json.loads(response["HX-Trigger"])["said"]["undo"]
    return operation


def test_x7_one_press_brings_all_back_once_however_many_they_are(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    ids = jobs.fail(120)
    operation = _undo(operator.post("/chosen-jobs/discard/", {"ids": ids, "reason": "test"}, headers=HTMX))
    jobs.transitions.restore("high", ids[:1], by="bob")
    jobs.transitions.discard("high", ids[:1], by="bob")
    response = operator.post(f"/undo/{operation}/", headers=HTMX)
    assert said(response).startswith(f"119 jobs restored; 1 job could not come back: {ids[0]} (trash, by bob at ")
    assert empty_redis.zcard(keys.failed("high")) == 119
    entry = outcome()
    assert (entry.actor, entry.action, entry.target, entry.count) == ("ada", "undo", operation, 119)
    again = operator.post(f"/undo/{operation}/", headers=HTMX)
    assert said(again) == "There is nothing to bring back: it came back already, or its 24 hours are over."
    assert json.loads(again["HX-Trigger"])["said"]["level"] == "warning"


def test_x7_many_come_back_step_by_step(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[operation_undo.__module__], "AT_ONCE", 5)
    ids = jobs.enqueue(8)
    response = operator.post("/queues/high/empty/", headers=HTMX)
    pressed = operator.post(f"/undo/{_undo(response)}/", headers=HTMX)
    replay = Replay.objects.get()
    assert pressed["HX-Redirect"] == f"/replays/{replay.pk}/"
    again = operator.post(f"/undo/{_undo(response)}/", headers=HTMX)
    assert again["HX-Redirect"] == f"/replays/{replay.pk}/"
    assert Replay.objects.count() == 1
    engine = Engine(empty_redis)
    engine.step()
    engine.step()
    replay.refresh_from_db()
    assert (replay.state, replay.succeeded, replay.settled) == ("done", 8, True)
    assert [job_id.decode() for job_id in empty_redis.lrange(keys.queue("high"), 0, -1)] == ids
    assert not empty_redis.exists(keys.undo(replay.undoes))
    page = text_of(operator.get(f"/replays/{replay.pk}/"))
    assert f"that <code>{replay.undoes}</code> put into the trash" in page


def test_x7_an_undo_that_was_canceled_can_be_pressed_again(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[operation_undo.__module__], "AT_ONCE", 5)
    jobs.fail(8)
    operation = _undo(operator.post("/dead-letters/discard/", {"ids": _dead(empty_redis)}, headers=HTMX))
    operator.post(f"/undo/{operation}/", headers=HTMX)
    operator.post(f"/replays/{Replay.objects.get().pk}/cancel/")
    engine = Engine(empty_redis)
    engine.step()
    assert Replay.objects.get().settled
    operator.post(f"/undo/{operation}/", headers=HTMX)
    engine.step()
    engine.step()
    assert len(_dead(empty_redis)) == 8


def _dead(client: redis.Redis) -> list[str]:
    return [job_id.decode() for job_id in client.zrange(keys.failed("high"), 0, -1)]


def test_x7_what_was_emptied_comes_back(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.enqueue(3)
    response = operator.post("/queues/high/empty/", headers=HTMX)
    assert empty_redis.llen(keys.queue("high")) == 0
    assert said(operator.post(f"/undo/{_undo(response)}/", headers=HTMX)) == "3 jobs restored."
    assert [job_id.decode() for job_id in empty_redis.lrange(keys.queue("high"), 0, -1)] == ids


def test_a_viewer_undoes_nothing(operator: Client, jobs: Jobs, sign_in: Callable[..., Client]) -> None:
    operation = _undo(operator.post("/dead-letters/discard/", {"ids": jobs.fail(1)}, headers=HTMX))
    eve = sign_in("eve", "viewer")
    assert eve.post(f"/undo/{operation}/").status_code == 403
    assert operator.get(f"/undo/{operation}/").status_code == 405


# --- the log's entry -----------------------------------------------------------------------------


def test_x16_what_was_done_leads_to_its_entry_in_the_log(operator: Client, jobs: Jobs) -> None:
    """By htmx and without scripts; also what was refused on the way, but not what was never begun."""
    response = operator.post("/dead-letters/discard/", {"ids": jobs.fail(2)}, headers=HTMX)
    address = json.loads(response["HX-Trigger"])["said"]["log"]
    operation = outcome().operation
    assert address == f"/audit/?filter=id:{operation}"
    page = text_of(operator.get(address))
    assert page.count('<th scope="row" class="who">') == 1
    assert "moved to the trash" in page
    toast = message_after(operator, operator.post(f"/undo/{operation}/"))
    assert f'<a href="/audit/?filter=id:{outcome().operation}">In the log</a>' in toast
    assert "Undo</button>" not in toast
    toast = message_after(operator, operator.post("/dead-letters/discard/", {"ids": jobs.fail(1)}))
    assert ("In the log</a>" in toast, "Undo</button>" in toast) == (True, True)
    for nothing in (
        operator.post("/dead-letters/discard/", {}),
        operator.post("/queues/high/pause/", {"minutes": "x"}),
    ):
        assert "In the log" not in message_after(operator, nothing)


def test_x16_the_entry_is_for_those_who_may_see_the_log(
    jobs: Jobs, empty_redis: redis.Redis, sign_in: Callable[..., Client]
) -> None:
    ben = sign_in("ben", "operator")
    Group.objects.get(name="operator").permissions.remove(Permission.objects.get(codename="view_audit"))
    response = ben.post("/dead-letters/discard/", {"ids": jobs.fail(1)}, headers=HTMX)
    assert json.loads(response["HX-Trigger"])["said"]["log"] == ""
    assert "In the log" not in message_after(ben, ben.post("/dead-letters/discard/", {"ids": jobs.fail(1)}))


# --- the trash, for good -----------------------------------------------------------------------


def test_x7_the_trash_is_deleted_only_under_the_name_of_its_queue_and_with_a_reason(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis, sign_in: Callable[..., Client]
) -> None:
    admin = sign_in("root", "admin")
    jobs.transitions.discard("high", jobs.fail(3))
    jobs.transitions.discard("low", jobs.fail(1, queue="low"))
    assert "Delete trash (3)" in text_of(admin.get("/queues/high/"))
    page = text_of(admin.get("/queues/high/purge/"))
    assert "Delete 3 jobs for good?" in page
    at = page.split('name="at" value="')[1].split('"')[0]
    late = jobs.fail(1)
    jobs.transitions.discard("high", late, by="bob")
    for typed, reason, told in (
        ("", "spam", "Type the name of the queue."),
        ("low", "spam", "Type high to delete what is in its trash. Nothing was deleted."),
        ("high", "", "Say why."),
    ):
        response = admin.post("/queues/high/purge/", {"typed": typed, "reason": reason, "at": at})
        assert (response.status_code, told in text_of(response)) == (422, True), typed
    assert "Open the page anew." in text_of(admin.post("/queues/high/purge/", {"typed": "high", "reason": "spam"}))
    assert empty_redis.zcard(keys.trash("high")) == 4
    response = admin.post("/queues/high/purge/", {"typed": "high", "reason": "spam", "at": at})
    assert "3 jobs of the trash of high deleted for good." in message_after(admin, response)
    # Nobody was told of what somebody discarded since the page counted.
    assert empty_redis.zrange(keys.trash("high"), 0, -1) == [late[0].encode()]
    assert empty_redis.zcard(keys.trash("low")) == 1
    entry = outcome()
    assert (entry.action, entry.target, entry.count, entry.reason) == ("purge", "high", 3, "spam")
    assert admin.get("/queues/nosuch/purge/").status_code == 404
    assert operator.get("/queues/high/purge/").status_code == 403
    assert "Delete trash" not in text_of(operator.get("/queues/low/"))
