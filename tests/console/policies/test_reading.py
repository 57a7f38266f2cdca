"""What leaves by a policy is told before (issue 8 part 7)."""

from datetime import timedelta

import pytest

from queueadmin.console import policies
from tests.console.policies.conftest import Shelf

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_what_is_told_is_what_goes(shelf: Shelf) -> None:
    shelf.fail(40, 31, 29.5, 4, 3)
    shelf.fail(45, 2, message="timed out")
    own = shelf.fail(45, message="not found")
    for days, count in ((30, None), (None, 2), (30, 2), (None, 1), (30, 100)):
        policy = shelf.keep(days, count)
        other = shelf.keep(group=shelf.group_of(own[0]))
        told, before = policies.leaving(policy, shelf.now), len(shelf.dead())
        for page in [shelf.policies._due(policy, shelf.now)]:
            assert len(page) == told, (days, count)
        assert len(shelf.dead()) == before
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
