"""Policies are set, changed and removed, on the record (issue 8 part 7)."""

from datetime import timedelta
from typing import Any

import pytest

from queueadmin.console import operations, policies
from queueadmin.console.models import RetentionPolicy
from tests.console.conftest import outcome
from tests.console.policies.conftest import Shelf
from tests.console.policies.conftest import shelf as shelf

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_policy_says_what_will_go_and_from_when(shelf: Shelf) -> None:
    shelf.fail(40, 29.5, 1)
    done = operations.set_policy(keep_days=30, actor="ada", reason=" disk ")
    at = f"{done.policy.starts_at:%d %b %H:%M} UTC"
    assert done.sentence == f"Dead letters are kept for 30 days. From {at} on 2 dead letters go to the trash."
    entry = outcome()
    assert (entry.actor, entry.action, entry.target, entry.count) == ("ada", "set_policy", "all dead letters", 1)
    assert (entry.outcome, done.policy.reason) == (done.sentence, "disk")
    assert done.policy.starts_at - done.policy.set_at == policies.NOTICE


def test_a_change_takes_the_place_of_what_was_said_and_gives_notice_anew(shelf: Shelf) -> None:
    first = shelf.keep(30)
    changed = operations.set_policy(keep_count=5, actor="bob", reason="more").policy
    assert changed.pk == first.pk
    kept = RetentionPolicy.objects.get()
    assert (kept.keep_days, kept.keep_count, kept.set_by) == (None, 5, "bob")
    assert kept.starts_at > shelf.now + timedelta(hours=23)


def test_removing_the_policy_of_a_cause_lets_that_for_all_give_notice_anew(shelf: Shelf) -> None:
    ids = shelf.fail(40)
    everything, own = shelf.keep(30), shelf.keep(group=shelf.group_of(ids[0]))
    done = operations.remove_policy(own, actor="ada", reason="mended")
    assert "What the policy for all says of it goes from" in done.sentence
    everything.refresh_from_db()
    assert everything.starts_at > shelf.now + timedelta(hours=23)
    assert operations.remove_policy(everything, actor="ada").sentence == "The policy for all dead letters is removed."
    assert outcome().action == "remove_policy"
    assert not RetentionPolicy.objects.exists()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"keep_days": 0}, "keep_days"),
        ({"keep_days": 3_651}, "keep_days"),
        ({"keep_count": 0}, "keep_count"),
        ({"keep_count": 1_000_001}, "keep_count"),
        ({"group": "0123456789ab", "keep_days": 1}, "group"),
        ({"group": "\0", "keep_days": 1}, "group"),
        ({}, "keep_days"),
    ],
)
def test_what_is_out_of_bounds_is_named(shelf: Shelf, said: dict[str, Any], field: str) -> None:
    with pytest.raises(operations.BadPolicy) as caught:
        operations.set_policy(**said, actor="ada", reason="disk")
    assert caught.value.field == field
    assert not RetentionPolicy.objects.exists()


def test_a_reason_is_asked_for(shelf: Shelf) -> None:
    shelf.fail(40)
    with pytest.raises(operations.ReasonNeeded, match="1 dead letter goes to the trash") as caught:
        operations.set_policy(keep_days=30, actor="ada", reason=" ")
    assert caught.value.count == 1
