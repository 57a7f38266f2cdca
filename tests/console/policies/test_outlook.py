"""How many go next by a policy, and when, is told exactly, a day before (issue 8 part 7)."""

import random
from datetime import timedelta

import pytest

from queueadmin.console import policies
from queueadmin.console.models import FailureGroup, RetentionPolicy
from queueadmin.console.policies import NOTICE, outlook
from tests.console.policies.conftest import Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("seed", range(4))
def test_the_first_goes_when_it_was_told_and_all_told_within_a_day(shelf: Shelf, seed: int) -> None:
    chosen = random.Random(seed)
    ids = shelf.fail(*(chosen.uniform(0, 4) for _ in range(12)))
    shelf.fail(*(chosen.uniform(0, 4) for _ in range(chosen.randint(1, 12))), message="timed out")
    group = FailureGroup.objects.get(pk=shelf.group_of(ids[0]))
    now = shelf.now
    starts_at = now + timedelta(hours=chosen.uniform(-30, 24))
    for days, count in ((3, None), (None, 4), (3, 9), (2, 30), (None, 12), (None, 1)):
        policy = shelf.keep(days, count, starts_at=starts_at)
        found, mine = policies.expected(policy, now), policies.of_group(policy, group, now)
        due = shelf.due(policy, now + NOTICE)
        assert (found.leaving, mine.leaving) == (len(due), sum(job_id in ids for _, job_id, _ in due)), (days, count)
        assert (found.first_at is None) == (not found.leaving)
        for told, own in ((found.first_at, None), (mine.first_at, ids)):
            if told is None:
                continue
            assert told >= starts_at
            if told > starts_at:  # before that nothing goes whatever is due
                assert not of(shelf, policy, told - SECOND, own)
            assert of(shelf, policy, told + SECOND, own)
        policy.delete()


def of(shelf: Shelf, policy: RetentionPolicy, at: object, ids: list[str] | None) -> list[str]:
    due = shelf.due(policy, at)  # type: ignore[arg-type]
    return [job_id for _, job_id, _ in due if ids is None or job_id in ids]


def test_a_cause_near_its_count_says_so_before_the_first_goes(shelf: Shelf) -> None:
    ids = shelf.fail(*[5] * 9)
    policy = shelf.keep(count=10)
    (near,) = policies.expected(policy, shelf.now).causes
    assert (near.group.pk, near.is_near, near.leaving, near.first_at) == (shelf.group_of(ids[0]), True, 0, None)
    policy.keep_count = 11
    assert not policies.expected(policy, shelf.now).causes
    assert not policies.of_group(policy, near.group, shelf.now).is_near


def test_with_many_causes_beyond_it_no_moment_is_told_rather_than_one_too_late(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "NAMED", 1)
    shelf.fail(1, 2, 3)
    shelf.fail(5, 6, message="timed out")
    found = policies.expected(shelf.keep(count=1), shelf.now)
    assert (found.leaving, found.first_at, len(found.causes)) == (3, None, 1)
