"""All jobs of a filter, as of one instant."""

from datetime import UTC, datetime

import pytest

from queueadmin.console.filters import parse
from queueadmin.console.job_lists import frozen, matching
from tests.console.conftest import Jobs
from tests.console.job_lists.conftest import everywhere

pytestmark = pytest.mark.django_db


def test_they_are_told_by_what_can_be_done_with_them(jobs: Jobs) -> None:
    places = everywhere(jobs)
    found = matching(parse("source:test"), datetime.now(UTC))
    assert set(found.able["retry"]) == {places["failed"][0]}
    assert set(found.able["cancel"]) == {*places["queued"], places["retrying"][0]}
    assert set(found.able["restore"]) == {places["trash"][0]}
    assert found.is_all


def test_what_comes_or_fails_later_is_never_among_them(jobs: Jobs) -> None:
    waits, dead = jobs.enqueue(2), jobs.fail(2, queue="low")
    at = datetime.now(UTC)
    jobs.enqueue(1)
    jobs.fail(1, queue="low")
    jobs.transitions.requeue("low", dead[:1])
    jobs.transitions.fail("low", jobs.start(queue="low"), "w", [jobs.failure(dead[0])])
    found = matching(parse(""), at)
    assert found.able["cancel"] == tuple(waits)
    assert found.able["retry"] == (dead[1],)


def test_poison_is_left_out_of_a_retry_and_counted(jobs: Jobs) -> None:
    (plain,), _ = jobs.fail(1), jobs.fail(1, reason="poison")
    found = matching(parse("state:failed"), datetime.now(UTC))
    assert (found.able["retry"], found.count, found.poison) == ((plain,), 2, 1)
    assert len(found.able["discard"]) == 2


def test_more_than_one_press_takes_is_said(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "MOST", 3)
    jobs.enqueue(4)
    found = matching(parse("state:queued"), datetime.now(UTC))
    assert (found.count, found.is_all) == (3, False)
