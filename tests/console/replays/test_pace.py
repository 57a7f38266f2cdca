"""How a replay went over time (X1, issue 8 part 4)."""

from datetime import UTC, datetime, timedelta

import pytest

from queueadmin.console.models import Replay
from queueadmin.console.pages import pace_chart
from queueadmin.console.replays import pace
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

BEGAN = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)


def noted(*counts: tuple[float, int, int]) -> Replay:
    """By (seconds since it began, what, how many)."""
    replay = Replay(created_at=BEGAN, frozen_at=BEGAN)
    for seconds, what, count in counts:
        pace.note(replay, what, count, BEGAN + timedelta(seconds=seconds))
    return replay


def test_each_second_has_its_counts() -> None:
    replay = noted((0.2, pace.RELEASED, 5), (0.9, pace.SUCCEEDED, 3), (3, pace.FAILED, 2), (3, pace.RELEASED, 0))
    found = [(s.released, s.succeeded, s.failed) for s in pace.stretches(replay)]
    assert found == [(5, 3, 0), (0, 0, 0), (0, 0, 0), (0, 0, 2)]
    assert [each["at"] for each in pace.shown(replay)] == [BEGAN, BEGAN + timedelta(seconds=3)]


def test_a_long_one_has_longer_stretches_never_too_many_and_loses_none() -> None:
    replay = noted(*((seconds, pace.RELEASED, 1) for seconds in range(0, 100_000, 60)))
    every = list(pace.stretches(replay))
    assert (every[0].seconds, len(every) <= pace.MOST) == (1024, True)
    assert sum(each.released for each in every) == len(range(0, 100_000, 60))
    assert every[1].at == every[0].end


def test_a_clock_that_goes_back_is_borne() -> None:
    assert [s.released for s in pace.stretches(noted((-5, pace.RELEASED, 1)))] == [1]


def test_the_chart_is_as_high_as_its_highest_bar() -> None:
    chart = pace_chart.of(pace.stretches(noted((0, pace.RELEASED, 8), (1, pace.SUCCEEDED, 3), (1, pace.FAILED, 1))))
    assert chart is not None
    first, second = chart.columns
    assert (chart.most, first.released, second.succeeded, second.failed) == (8, (0, 100), (62.5, 37.5), (50, 12.5))
    assert pace_chart.of([]) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_it_adds_up_to_the_replay_also_after_a_restart(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(12)
    replay = stage.step(stage.start(ramp=(5,)))
    stage.work(fails=ids[:2])
    stage.restart()
    while not stage.step(replay).settled:
        stage.work()
    every = list(pace.stretches(replay))
    counts = [sum(getattr(each, name) for each in every) for name in ("released", "succeeded", "failed")]
    assert counts == [replay.released, replay.succeeded, replay.failed] == [12, 10, 2]
