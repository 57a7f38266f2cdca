"""Pace and rules of a replay that is under way (X1, issue 8 part 4)."""

from datetime import UTC, datetime

import pytest

from queueadmin.console import operations
from queueadmin.console.models import AuditEntry, Replay
from queueadmin.console.replays import BadOption, Tuning, rules, tuning
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_x1_another_pace_counts_at_once_and_the_steps_before_are_kept(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(40)
    replay = stage.step(stage.start(ramp=(1, 5), stop_percent=5))
    assert (replay.released, rules.rate_of(replay)) == (1, 1)
    done = operations.tune_replay(replay.pk, Tuning.of(replay, ramp=(20, 0)), actor="ben", reason="it holds")
    assert done.sentence == f"Replay {replay.pk}: from now on 20 a second, then as fast as it goes."
    entry = AuditEntry.objects.filter(step="outcome").latest("id")
    assert (entry.actor, entry.action, entry.target, entry.reason) == (
        "ben", "tune_replay", f"replay {replay.pk}", "it holds",
    )  # fmt: skip
    assert stage.step(replay).released == 21
    assert (replay.ramp, replay.step) == ([1, 20, 0], 1)
    assert [step.get("released", 0) for step in replay.steps] == [1, 20]


def test_x1_other_rules_count_at_once(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(40)
    replay = stage.step(stage.start(ramp=(10,), stop_percent=50))
    stage.work(fails=ids[:4])
    assert stage.step(replay).state == "running"
    stage.work()
    done = operations.tune_replay(replay.pk, Tuning.of(replay, stop_percent=1, stop_wait=True), actor="ben")
    assert "stops when more than 1 % of the last 200; stops when a queue waits longer than its target" in done.sentence
    stage.step(replay)
    assert (replay.state, replay.why.startswith("4 of the last")) == ("stopped", True)


def test_x1_while_the_canary_runs_the_pace_is_for_what_follows(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(10)
    replay = stage.step(stage.start(canary=2, ramp=(1,)))
    operations.tune_replay(replay.pk, Tuning.of(replay, ramp=(0,)), actor="ben")
    assert (stage.step(replay).step, replay.released) == (rules.CANARY, 2)
    stage.work()
    stage.step(replay)
    assert (replay.step, replay.ramp, replay.released) == (0, [0], 10)


def test_nothing_to_change_and_nothing_left_to_change(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(2)
    replay = stage.start(ramp=(1,))
    assert not operations.tune_replay(replay.pk, Tuning.of(replay), actor="ben").changed
    operations.cancel_replay(replay.pk, actor="ben")
    done = operations.tune_replay(replay.pk, Tuning.of(replay, ramp=(5,)), actor="ben")
    assert (done.refused, done.sentence) == (True, f"Replay {replay.pk} is canceled; nothing was changed.")
    jobs.fail(1)
    discards = stage.start(kind="discard")
    assert operations.tune_replay(discards.pk, Tuning.of(discards, ramp=(5,)), actor="ben").refused


def test_what_is_wrong_is_named() -> None:
    replay = Replay(step=0, steps=[{"step": 0}], ramp=[1] * tuning.MOST_STEPS, frozen_at=datetime.now(UTC))
    with pytest.raises(BadOption, match="at most 100 steps"):
        Tuning.of(replay, ramp=(5,)).values(Replay(
            step=tuning.MOST_STEPS - 1, steps=replay.steps, ramp=replay.ramp, frozen_at=replay.frozen_at
        ), datetime.now(UTC))  # fmt: skip
    for wrong in ({"ramp": ()}, {"ramp": (0, 5)}, {"step_seconds": 0}, {"stop_percent": 101}):
        with pytest.raises(BadOption):
            Tuning.of(replay, **wrong)
