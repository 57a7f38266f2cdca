"""What stops a replay, and how many go before the rest may (X1, issue 8 part 4): as the engine follows it."""

import pytest

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.models import Replay
from queueadmin.console.replays import outcome, rules
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_x1_a_canary_goes_first_and_the_rest_waits_for_it(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(20)
    replay = stage.step(stage.start(canary=5, stop_percent=5))
    assert (replay.released, replay.step) == (5, rules.CANARY)
    assert stage.step(replay).released == 5
    assert stage.work() == ids[:5]
    stage.step(replay)
    assert (replay.step, replay.released) == (0, 20)


def test_x1_a_canary_that_fails_stops_it(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(20)
    replay = stage.step(stage.start(canary=5, stop_percent=5))
    stage.work(fails=ids[:1])
    stage.step(replay)
    assert (replay.state, replay.released) == ("stopped", 5)
    assert replay.why == "1 of the canary of 5 failed again; more than 5 % stop it."
    assert outcome(replay) == (
        "Of 20: 4 succeeded, 1 failed again, 15 left as they were; "
        "1 of the canary of 5 failed again; more than 5 % stop it."
    )
    assert sorted(stage.dead()) == sorted([*ids[5:], ids[0]])


def test_x1_it_stops_when_more_than_a_share_of_the_last_200_fail(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(300)
    replay = stage.step(stage.start(ramp=(50,), stop_percent=5))
    assert replay.released == 50
    stage.work(fails=ids[:11])
    stage.step(replay)
    assert (replay.state, replay.failed, replay.why) == (
        "stopped", 11, "11 of the last 50 failed again; more than 5 % stop it.",
    )  # fmt: skip
    stage.step(replay)
    assert replay.released == 50
    # Who lets it go on has seen that: it counts anew.
    operations.resume_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert (replay.state, replay.why) == ("running", "")
    assert replay.released > 50


def test_x1_a_new_error_stops_it_and_is_told(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(30)
    replay = stage.step(stage.start(ramp=(5,), stop_new_errors=2))
    stage.work(fails=ids[:1])
    assert stage.step(replay).state == "running"  # the error that they all had
    Replay.objects.update(ramp=[10])
    stage.step(replay)
    ran = stage.work(fails=ids, error="HTTPStatusError")
    stage.step(replay)
    assert replay.state == "stopped"
    assert replay.why == f"A new error appeared {len(ran)} times: HTTPStatusError."
    assert "1 new error" in outcome(replay)
    assert [(each["type"], each["new"]) for each in replay.errors.values()] == [
        ("ValueError", False), ("HTTPStatusError", True),
    ]  # fmt: skip
    operations.resume_replay(replay.pk, actor="ben")
    assert stage.step(replay).state == "running"


def test_x1_it_stops_when_a_queue_breaches_its_wait_target(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(20)
    replay = stage.step(stage.start(ramp=(5,), stop_wait=True))
    assert replay.state == "running"
    waiting = stage.redis.lindex(keys.queue("high"), 0)
    assert waiting
    stage.redis.hset(keys.job(waiting.decode()), "enqueued_at", "2026-01-01T00:00:00.000000Z")
    stage.step(replay)
    assert replay.state == "stopped"
    assert replay.why.startswith("high waits ")
    assert replay.why.endswith("longer than its target of 15 s.")
