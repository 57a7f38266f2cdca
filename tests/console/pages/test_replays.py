"""The pages /replays/, /replays/new/ and /replays/<id>/ and their buttons (X1, issue 8 part 4)."""

import re
from collections.abc import Callable

import pytest
import redis
from django.test import Client

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.models import Replay
from queueadmin.console.pages import replays as replay_pages
from tests.console.conftest import Jobs, worker
from tests.console.dead_letters.conftest import fail
from tests.console.pages.conftest import message_after, text_of
from tests.console.replays.conftest import Stage

pytestmark = pytest.mark.django_db(transaction=True)

#: What the form sends when nothing is changed in it.
FORM = {
    "kind": "retry",
    "canary": "10",
    "ramp": "1,5,20,100",
    "step_seconds": "30",
    "stop_percent": "5",
    "stop_new_errors": "1",
    "stop_wait": "on",
}


@pytest.fixture
def ada(sign_in: Callable[..., Client]) -> Client:
    return sign_in("ada", "operator")


@pytest.fixture
def stage(empty_redis: redis.Redis, jobs: Jobs) -> Stage:
    return Stage(empty_redis, jobs)


def test_the_form_says_how_many_match_and_begins_with_them(ada: Client, jobs: Jobs, stage: Stage) -> None:
    fail(jobs, 3, kind="OSError", message="gone", source="zabbix")
    fail(jobs, 2)
    jobs.fail(1, reason="poison", source="zabbix")
    jobs.transitions.mark("high", jobs.fail(2, source="zabbix"), permanent=True)
    page = text_of(ada.get("/replays/new/?filter=source:zabbix"))
    for said in ("6 dead letters match", "OSError", "1 poison", "2 marked permanent", "Begin with 3 of 6",
                 "Replay poison jobs too (1), each", "Replay those marked permanent too (2)"):  # fmt: skip
        assert said in page, said
    answer = ada.post("/replays/new/", {**FORM, "filter": "source:zabbix", "canary": "2", "stop_percent": "100"})
    replay = Replay.objects.get()
    assert answer["Location"] == f"/replays/{replay.pk}/"
    assert (replay.actor, replay.canary, replay.ramp, replay.stop_percent, replay.stop_wait) == (
        "ada", 2, [1, 5, 20, 100], None, True,
    )  # fmt: skip
    stage.step(replay)
    assert (replay.size, replay.poison_left, replay.in_flight) == (3, 1, 2)
    page = text_of(ada.get(f"/replays/{replay.pk}/"))
    for said in (
        "canary runs",
        "canary 2",
        "begun by ada",
        ">1 poison</a>",
        ">2 marked permanent</a>.",
        "Cancel, leave 1",
        "Pause",
    ):
        assert said in page
    assert "source:zabbix" in text_of(ada.get("/replays/"))


def test_each_of_those_left_out_has_a_tick_of_its_own(ada: Client, jobs: Jobs, stage: Stage) -> None:
    jobs.fail(2, reason="poison")
    jobs.transitions.mark("high", jobs.fail(3), permanent=True)
    ada.post("/replays/new/", {**FORM, "filter": "", "include_permanent": "on"})
    replay = stage.step(Replay.objects.get())
    assert (replay.include_poison, replay.include_permanent) == (False, True)
    assert (replay.size, replay.poison_left, replay.permanent_left) == (3, 2, 0)
    assert ">2 jobs left out, being poison</a>." in text_of(ada.get(f"/replays/{replay.pk}/"))
    wrong = text_of(ada.post("/replays/new/", {**FORM, "filter": "", "include_permanent": "on", "canary": "x"}))
    assert 'name="include_permanent" checked' in wrong
    assert 'name="include_poison" checked' not in wrong


def test_its_buttons_pause_let_it_go_on_and_cancel_it(ada: Client, jobs: Jobs, stage: Stage) -> None:
    jobs.fail(5)
    replay = stage.step(stage.start(ramp=(1,)))
    path = f"/replays/{replay.pk}/"
    said = message_after(ada, ada.post(f"{path}pause/"))
    assert f"Replay {replay.pk} paused. 1 in flight end; 4 stay where they are." in said
    assert "Go on" in text_of(ada.get(path))
    assert "goes on" in message_after(ada, ada.post(f"{path}resume/"))
    assert "canceled" in message_after(ada, ada.post(f"{path}cancel/"))
    page = text_of(ada.get(path))
    assert "Go on" not in page
    assert "Cancel, leave" not in page
    assert "is canceled; nothing was changed." in message_after(ada, ada.post(f"{path}resume/"))


def test_why_it_stopped_and_what_failed_again_is_told(ada: Client, jobs: Jobs, stage: Stage) -> None:
    ids = jobs.fail(8)
    replay = stage.step(stage.start(canary=4, stop_percent=5))
    stage.work(fails=ids[:2], error="HTTPStatusError")
    stage.step(replay)
    page = text_of(ada.get(f"/replays/{replay.pk}/"))
    for said in ("stopped itself", "2 of the canary of 4 failed again", "new error", "HTTPStatusError", "Go on",
                 f"/dead-letters/?filter=replay:{replay.pk}"):  # fmt: skip
        assert said in page, said
    group = next(iter(replay.errors))
    # The outcome in a sentence leads to each of its parts.
    own = f"/dead-letters/?filter=replay%3A{replay.pk}"
    assert (
        f'Of 8: 2 succeeded, <a href="{own}">2 failed again</a>, <a href="{own}+group%3A{group}">1 new error</a>, '
        '<a href="/dead-letters/?filter=">4 left as they were</a>.'
    ) in page
    listed = text_of(ada.get(f"/dead-letters/?filter=replay:{replay.pk}%20group:{group}"))
    assert ids[0][-8:] in listed or ids[0][:8] in listed


def test_a_viewer_sees_and_does_not_press(sign_in: Callable[..., Client], jobs: Jobs, stage: Stage) -> None:
    jobs.fail(3)
    replay = stage.step(stage.start(ramp=(1,)))
    viewer = sign_in("vera", "viewer")
    for path in ("/replays/", f"/replays/{replay.pk}/"):
        page = text_of(viewer.get(path))
        assert "Cancel, leave" not in page
        assert "/replays/new/" not in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"canary": "-1"}, "greater than or equal to 0"),
        ({"canary": "many"}, "whole number"),
        ({"ramp": "7"}, "not one of the available choices"),
        ({"stop_percent": "101"}, "less than or equal to 100"),
        ({"step_seconds": "0"}, "greater than or equal to 1"),
        ({"kind": "purge"}, "not one of the available choices"),
        ({"to": "slow"}, "not one of the available choices"),
        ({"reason": "x" * 501}, "at most 500 characters"),
    ],
)
def test_a_wrong_option_is_said_at_its_field_and_nothing_begun(
    ada: Client, jobs: Jobs, changed: dict[str, str], said: str
) -> None:
    jobs.fail(1)
    answer = ada.post("/replays/new/", {**FORM, "filter": "", **changed})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not Replay.objects.exists()


def test_a_wrong_filter_nothing_that_matches_and_no_reason(ada: Client, jobs: Jobs) -> None:
    answer = ada.get("/replays/new/?filter=nokey:x")
    assert answer.status_code == 422
    assert "nokey" in text_of(answer)
    assert "There is no dead letter." in text_of(ada.get("/replays/new/"))
    assert "Nothing matches; nothing was begun." in message_after(
        ada, ada.post("/replays/new/", {**FORM, "filter": ""})
    )
    jobs.fail(101)
    assert "over 100 need a reason" in message_after(ada, ada.post("/replays/new/", {**FORM, "filter": ""}))
    assert not Replay.objects.exists()


def test_with_very_many_the_page_says_and_more(ada: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_pages, "COUNTED", 2)
    jobs.fail(3)
    assert "2 and more dead letters match" in text_of(ada.get("/replays/new/"))
    page = text_of(ada.get("/replays/new/?filter=source:nobody"))
    for said in ("No match so far", "None of the newest that were looked at matches.", "Begin with what matches"):
        assert said in page


def test_what_is_not_there(ada: Client) -> None:
    assert ada.get("/replays/1/").status_code == 404
    assert ada.post("/replays/99999999999999999999/pause/").status_code == 404
    assert ada.get("/replays/?before=x").status_code == 404
    assert "No replays yet" in text_of(ada.get("/replays/"))


def test_pages_of_the_list(ada: Client, jobs: Jobs, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.fail(1)
    made = [stage.start().pk for _ in range(3)]
    monkeypatch.setattr("queueadmin.console.replays.reading.page.__defaults__", (None, 2))
    page = text_of(ada.get("/replays/"))
    assert f'href="/replays/{made[2]}/"' in page
    assert f"?before={made[1]}" in page
    assert f'href="/replays/{made[0]}/"' in text_of(ada.get(f"/replays/?before={made[1]}"))


@pytest.mark.usefixtures("no_redis")
def test_without_redis_the_form_says_so(ada: Client) -> None:
    answer = ada.get("/replays/new/")
    assert answer.status_code == 503
    assert "Redis does not answer" in text_of(answer)


def test_the_dead_letters_lead_to_it(ada: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(1)
    assert empty_redis.zcard(keys.failed("high")) == 1
    assert "/replays/new/?filter=queue:high" in text_of(ada.get("/dead-letters/?queue=high"))


def test_without_maintenance_it_says_that_it_waits(
    ada: Client, jobs: Jobs, stage: Stage, empty_redis: redis.Redis
) -> None:
    (job_id,) = jobs.fail(1)
    replay = stage.step(stage.start())
    assert "no maintenance runs" in text_of(ada.get(f"/replays/{replay.pk}/"))
    empty_redis.set(keys.LEADER, "m")
    assert "no maintenance runs" not in text_of(ada.get(f"/replays/{replay.pk}/"))
    assert f'href="/replays/{replay.pk}/"' in text_of(ada.get(f"/jobs/{job_id}/"))


def test_x1_it_says_that_nobody_takes_what_it_puts_into_a_queue(
    ada: Client, jobs: Jobs, stage: Stage, empty_redis: redis.Redis
) -> None:
    """The canary waited in a paused queue for as long as its pause, with nothing on the page to say why."""
    jobs.fail(20, queue="high")
    worker(empty_redis, "w1", queues="high")
    assert "is paused" not in text_of(ada.get(f"/replays/{stage.step(stage.start(canary=10)).pk}/"))
    operations.pause("low", minutes=None, actor="bob")
    assert "low (paused)" in text_of(ada.get("/replays/new/"))
    page = text_of(ada.get(f"/replays/{stage.step(stage.start(canary=10, to='low')).pk}/"))
    assert ">low</a> is paused: what is put there waits." in page
    operations.resume("low", actor="bob")
    replay = Replay.objects.latest("id")
    assert "No worker takes from <a" in text_of(ada.get(f"/replays/{replay.pk}/"))
    operations.cancel_replay(replay.pk, actor="ada")
    stage.step(replay)
    assert "No worker takes" not in text_of(ada.get(f"/replays/{replay.pk}/"))


def test_the_rail_says_how_many_run(ada: Client, jobs: Jobs, stage: Stage) -> None:
    jobs.fail(2)
    badge = '<span class="badge run" title="running">1</span>'
    assert badge not in text_of(ada.get("/"))
    replay = stage.step(stage.start(ramp=(1,)))
    assert badge in text_of(ada.get("/"))
    operations.cancel_replay(replay.pk, actor="ada")
    stage.work()
    stage.step(replay)
    assert badge not in text_of(ada.get("/"))


def test_discarding_runs_the_same_way(ada: Client, jobs: Jobs, stage: Stage, empty_redis: redis.Redis) -> None:
    jobs.fail(2)
    ada.post("/replays/new/", {**FORM, "filter": "queue:high", "kind": "discard"})
    replay = stage.step(Replay.objects.get())
    assert empty_redis.zcard(keys.trash("high")) == 2
    page = text_of(ada.get(f"/replays/{replay.pk}/"))
    assert "Of 2: 2 moved to the trash, kept for 24 h." in page
    assert "Stops itself when" not in page


def test_x1_pace_and_rules_change_while_it_runs(ada: Client, jobs: Jobs, stage: Stage) -> None:
    jobs.fail(30)
    replay = stage.step(stage.start(ramp=(1,), stop_percent=5))
    page = text_of(ada.get(f"/replays/{replay.pk}/"))
    assert ">20/s</button>" in page
    assert 'class="hist pace"' in page
    pressed = ada.post(f"/replays/{replay.pk}/pace/", {"rate": "20"})
    assert f"Replay {replay.pk}: from now on 20 a second." in message_after(ada, pressed)
    assert stage.step(replay).released == 21
    assert ada.post(f"/replays/{replay.pk}/pace/", {"rate": "-1"}).status_code == 302
    form = f"/replays/{replay.pk}/change/"
    assert 'value="5"' in text_of(ada.get(form))
    said = {"ramp": "5, 0", "step_seconds": "10", "stop_percent": "", "stop_new_errors": "3", "reason": "slower"}
    assert ada.post(form, said).status_code == 302
    replay.refresh_from_db()
    assert (replay.ramp, replay.stop_percent, replay.stop_new_errors, replay.stop_wait) == (
        [1, 20, 5, 0],
        None,
        3,
        False,
    )
    wrong = ada.post(form, said | {"ramp": "0, 5"})
    assert (wrong.status_code, "Only the last rate can be 0" in text_of(wrong)) == (422, True)
    assert ada.get(f"/replays/{replay.pk}/pace/").status_code == 405


def test_what_is_in_the_trash_is_restored_the_same_way(ada: Client, jobs: Jobs, stage: Stage) -> None:
    ids = jobs.fail(3)
    jobs.transitions.discard("high", ids[:2])
    page = text_of(ada.get("/replays/new/?kind=restore"))
    assert "2 dead letters in the trash match" in page
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.split("<fieldset")[0]))
    ada.post("/replays/new/", {**fields, "reason": "they were needed"})
    replay = Replay.objects.get()
    stage.step(stage.step(replay))
    assert (replay.kind, replay.state, replay.succeeded, len(stage.dead())) == ("restore", "done", 2, 3)


@pytest.mark.parametrize("button", ["pause", "resume", "cancel"])
def test_a_reason_that_is_too_long_is_said_and_nothing_pressed(
    ada: Client, jobs: Jobs, stage: Stage, button: str
) -> None:
    """It was pressed all the same, and the log had no reason."""
    jobs.fail(5)
    replay = stage.step(stage.start(ramp=(1,)))
    said = message_after(ada, ada.post(f"/replays/{replay.pk}/{button}/", {"reason": "x" * 501}))
    assert "A reason has at most 500 characters." in said
    assert stage.step(replay).state == "running"
