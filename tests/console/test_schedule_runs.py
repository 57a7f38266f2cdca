"""How the last due times went, and what waits for its time (issue 7)."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from ingest.models import Schedule
from ingest.queue import keys
from queueadmin.console import queries, schedule_runs
from queueadmin.console.schedule_runs import RUNS, Run, Runs, dues
from tests.console.conftest import Jobs

LAST = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # a Monday


def made(**fields: object) -> Schedule:
    given = {"pk": 1, "name": "nightly", "created_at": LAST - timedelta(days=400), "last_due": LAST} | fields
    return Schedule(timezone="UTC", anchor=LAST - timedelta(days=400), kind="alert", **given)


def test_due_times_go_back_as_far_as_there_are_twenty() -> None:
    assert dues(made(interval_seconds=60))[0] == LAST - timedelta(minutes=RUNS - 1)
    weekdays = dues(made(cron="0 8 * * 1-5"))
    assert (len(weekdays), weekdays[0], weekdays[-1]) == (RUNS, LAST - timedelta(days=27), LAST)
    assert all(due.weekday() < 5 for due in weekdays)


def test_there_are_none_before_it_was_made() -> None:
    young = made(interval_seconds=3600, created_at=LAST - timedelta(hours=2, minutes=1))
    assert dues(young) == [LAST - timedelta(hours=2), LAST - timedelta(hours=1), LAST]
    assert dues(made(cron="0 8 * * *", last_due=None)) == []


def test_its_words_tell_what_is_not_whole() -> None:
    def words(*outcomes: schedule_runs.Outcome) -> str:
        return Runs([Run(LAST, "x", outcome) for outcome in outcomes]).words

    assert words("ran", "ran") == "all 2 ran"
    assert words("ran") == "ran"
    assert words("ran", "failed", "waits", "unknown") == "1 of 4 ran, 1 failed, 1 under way, 1 skipped or forgotten"
    assert Runs([Run(LAST, "x", "ran"), Run(LAST, "y", "failed")]).bars == [(0, "ran"), (6, "failed")]


def test_p95_is_of_those_that_ran() -> None:
    ran = [Run(LAST, "x", "ran", float(second)) for second in range(19, -1, -1)]
    assert Runs(ran).p95 == 18.0
    assert Runs([*ran[:1], Run(LAST, "y", "failed")]).p95 == 19.0
    assert Runs([Run(LAST, "x", "waits")]).p95 is None


@pytest.mark.django_db
def test_what_ran_tells_how_long_after_its_due_time_it_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = {"ran": LAST + timedelta(seconds=3), "early": LAST - timedelta(seconds=1)}
    told = {job: {"state": "finished", "finished_at": at} for job, at in ended.items()} | {
        "failed": {"state": "failed", "finished_at": LAST}
    }
    monkeypatch.setattr(queries, "several", lambda ids, located: told)
    for job, took in {"ran": 3.0, "early": 0.0, "failed": None}.items():
        monkeypatch.setattr(schedule_runs, "job_id", lambda *_, job=job: job)
        ((run,),) = (each.items for each in schedule_runs.runs([made(interval_seconds=60, created_at=LAST)]).values())
        assert run.took == took


@pytest.mark.django_db
def test_each_due_time_has_its_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    (failed,) = jobs.fail()
    monkeypatch.setattr(schedule_runs, "job_id", lambda _, due: failed if due == LAST else "0" * 32)
    schedule = made(interval_seconds=60, created_at=LAST - timedelta(seconds=61))
    (told,) = schedule_runs.runs([schedule]).values()
    assert [(run.due, run.outcome) for run in told.items] == [
        (LAST - timedelta(minutes=1), "unknown"),
        (LAST, "failed"),
    ]


def test_what_waits_is_told_by_when_it_is_due(empty_redis: redis.Redis) -> None:
    now = 1_000_000.0
    empty_redis.zadd(keys.scheduled("high"), {"a": now - 5, "b": now + 10, "c": now + 11, "d": now + 1e6})
    empty_redis.zadd(keys.scheduled("low"), {"e": now + 12})
    told = [(each.words, each.count, dict(each.queues)) for each in schedule_runs.waiting(empty_redis, now)]
    assert told == [("in 10 s", 2, {"high": 2}), ("in a minute", 2, {"high": 1, "low": 1}), ("later", 1, {"high": 1})]
