"""What leaves by a policy is told before (issue 8 part 7)."""

from datetime import timedelta

import pytest

from queueadmin.console import policies
from queueadmin.console.models import Failure
from tests.console.policies.conftest import Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_what_is_told_is_what_goes(shelf: Shelf) -> None:
    shelf.fail(40, 31, 29.5, 4, 3, 0.5, 0.1)
    shelf.fail(45, 2, message="timed out")
    own = shelf.fail(45, message="not found")
    for days, count in ((30, None), (None, 2), (30, 2), (None, 1), (30, 100)):
        policy = shelf.keep(days, count)
        other = shelf.keep(group=shelf.group_of(own[0]))
        told, now = policies.leaving(policy, shelf.now), shelf.now
        assert len(shelf.due(policy, now + policies.NOTICE)) == told, (days, count)
        policy.delete()
        other.delete()


def test_soon_counts_a_day_ahead(shelf: Shelf) -> None:
    shelf.fail(40, 29.5, 28)
    assert policies.soon(shelf.now) is None
    policy = shelf.keep(30)
    assert policies.soon(shelf.now) == policies.Soon(2, None)
    policy.starts_at = shelf.now + timedelta(hours=3)
    policy.save()
    assert policies.soon(shelf.now) == policies.Soon(2, policy.starts_at)


def test_until_when_one_is_kept(shelf: Shelf) -> None:
    policy, now = shelf.keep(30), shelf.now
    assert policies.kept_until(policy, now, None) == now + timedelta(days=30)
    old = now - timedelta(days=40)
    assert policies.kept_until(policy, old, None) == policy.starts_at
    assert policies.kept_until(policy, old, now) == now + timedelta(days=1)
    policy.keep_days = None
    assert policies.kept_until(policy, now, None) is None
    assert policies.kept_until(policy, old, None, now) == now + timedelta(days=1)


def test_since_when_one_is_beyond_the_count(shelf: Shelf) -> None:
    ids = shelf.fail(4, 3, 2)
    policy, group = shelf.keep(count=2), shelf.group_of(ids[0])
    failed = dict(Failure.objects.values_list("job_id", "failed_at"))
    assert policies.beyond_since(policy, group, failed[ids[0]]) == failed[ids[2]]
    assert policies.beyond_since(policy, group, failed[ids[1]]) is None
    assert policies.beyond_since(shelf.keep(30, group=group), group, failed[ids[0]]) is None


def test_causes_near_their_count_are_counted(shelf: Shelf) -> None:
    shelf.fail(*[5] * 9)
    shelf.fail(*[5] * 8, message="timed out")
    beyond = shelf.fail(*[5] * 11, message="not found")
    shelf.keep(count=10)
    assert policies.soon(shelf.now) == policies.Soon(1, None, 1)
    shelf.keep(count=11, group=shelf.group_of(beyond[0]))
    assert policies.soon(shelf.now) == policies.Soon(0, None, 2)
