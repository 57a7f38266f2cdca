"""All jobs of a filter, as of one instant."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from queueadmin.console import job_lists
from queueadmin.console.filters import parse
from queueadmin.console.job_lists import Counted, budget, frozen
from tests.console.conftest import Jobs
from tests.console.job_lists.conftest import everywhere

pytestmark = pytest.mark.django_db


def counted(text: str, at: datetime) -> Counted:
    """Until the end."""
    found, slices = job_lists.count(parse(text), at, Counted()), 1
    while found.next is not None:
        found, slices = job_lists.count(parse(text), at, found), slices + 1
        assert slices < 100
    return found


def able(text: str, at: datetime) -> Mapping[str, Sequence[str]]:
    """What is counted, and found again as far."""
    found = counted(text, at)
    ids = job_lists.matching(parse(text), at, places=found.places)
    assert {verb: len(each) for verb, each in ids.items()} == found.able
    return ids


@pytest.fixture(params=["at once", "in slices"])
def sliced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in slices":
        monkeypatch.setattr(budget, "SECONDS", 0)
        monkeypatch.setattr(budget, "LEAST", 2)


@pytest.mark.usefixtures("sliced")
def test_they_are_told_by_what_can_be_done_with_them(jobs: Jobs) -> None:
    places, at = everywhere(jobs), datetime.now(UTC)
    found = able("source:test", at)
    assert set(found["retry"]) == {places["failed"][0]}
    assert set(found["cancel"]) == {*places["queued"], places["retrying"][0]}
    assert set(found["restore"]) == {places["trash"][0]}
    assert counted("source:test", at).is_all
    assert set(able(f"id:{places['failed'][0]},{places['queued'][0]}", at)["discard"]) == {
        places["failed"][0],
        places["queued"][0],
    }


@pytest.mark.usefixtures("sliced")
def test_what_comes_or_fails_later_is_never_among_them(jobs: Jobs) -> None:
    waits, dead = jobs.enqueue(2), jobs.fail(2, queue="low")
    at = datetime.now(UTC)
    jobs.enqueue(1)
    jobs.fail(1, queue="low")
    jobs.transitions.requeue("low", dead[:1])
    jobs.transitions.fail("low", jobs.start(queue="low"), "w", [jobs.failure(dead[0])])
    found = able("", at)
    assert found["cancel"] == waits
    assert found["retry"] == [dead[1]]


@pytest.mark.usefixtures("sliced")
def test_poison_is_left_out_of_a_retry_and_counted(jobs: Jobs) -> None:
    (plain,), _ = jobs.fail(1), jobs.fail(1, reason="poison")
    at = datetime.now(UTC)
    found = able("state:failed", at)
    assert (found["retry"], len(found["discard"])) == ([plain], 2)
    assert (counted("state:failed", at).count, counted("state:failed", at).poison) == (2, 1)


@pytest.mark.usefixtures("sliced")
def test_what_is_marked_permanent_is_left_out_of_a_retry_and_counted_apart(jobs: Jobs) -> None:
    """What is in the trash is not retried anyhow, and not counted."""
    (plain,), _, (marked, thrown) = jobs.fail(1), jobs.fail(2, reason="poison"), jobs.fail(2)
    jobs.transitions.mark("high", [marked, thrown], permanent=True)
    jobs.transitions.discard("high", [thrown])
    at = datetime.now(UTC)
    found = counted("state:failed,trash", at)
    assert (found.count, found.poison, found.permanent) == (5, 2, 1)
    assert able("", at)["retry"] == [plain]


@pytest.mark.usefixtures("sliced")
def test_more_than_one_press_takes_is_said(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, at = jobs.enqueue(4), datetime.now(UTC)
    monkeypatch.setattr(frozen, "MOST", 3)
    found = counted("state:queued", at)
    assert (found.count, found.is_all) == (3, False)
    assert able("state:queued", at)["cancel"] == ids[:3]


def test_more_than_is_looked_at_for_one_press_is_said(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "LOOKED_AT", 2)
    monkeypatch.setattr(frozen, "MOST_LOOKED_AT", 4)
    jobs.enqueue(6)
    found = counted("state:queued nobody-says-this", datetime.now(UTC))
    assert (found.count, found.places, found.is_all) == (0, 4, False)


def test_what_was_not_counted_is_left_alone(jobs: Jobs) -> None:
    ids = jobs.enqueue(4)
    assert job_lists.matching(parse(""), datetime.now(UTC), places=3)["cancel"] == ids[:3]
