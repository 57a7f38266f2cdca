"""Dead letters leave by a policy that somebody set, and by nothing else (issue 8 part 7, B11)."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.models import AuditEntry, Failure, RetentionPolicy
from queueadmin.console.policies import NOTICE, due
from tests.console.conftest import outcome
from tests.console.policies.conftest import Shelf

if TYPE_CHECKING:
    from django.db.models import QuerySet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_b11_without_a_policy_nothing_goes(shelf: Shelf) -> None:
    ids = shelf.fail(900, 1)
    shelf.step()
    assert shelf.dead() == set(ids)
    assert not AuditEntry.objects.exists()


def test_what_is_too_old_goes_to_the_trash_on_the_record_and_undo_brings_it_back(shelf: Shelf) -> None:
    ids = shelf.fail(40, 31, 29)
    shelf.keep(30)
    shelf.step()
    assert shelf.dead() == {ids[2]}
    entry = outcome()
    assert (entry.actor, entry.action, entry.count) == ("maintenance", "discard", 2)
    assert entry.target == "dead letters older than 30 days, of all dead letters"
    assert entry.reason == "policy for all dead letters, set by ada: nobody looks"
    assert entry.outcome == "2 of 2 moved to the trash, kept for 24 h."
    assert operations.undo(entry.operation, actor="ada").sentence == "2 jobs restored."
    assert shelf.dead() == set(ids)
    # It stays, as long as the policy gives notice.
    shelf.age(ids, 40, 31, 29)
    shelf.step()
    assert shelf.dead() == set(ids)
    shelf.redis.hset(keys.job(ids[0]), keys.MOVED_AT, (shelf.now - NOTICE).isoformat())
    shelf.step()
    assert shelf.dead() == set(ids[1:])


def test_it_goes_once(shelf: Shelf) -> None:
    shelf.fail(40, 31)
    shelf.keep(30)
    shelf.step()
    shelf.step()  # the index still has their rows
    assert AuditEntry.objects.count() == 2


def test_nothing_goes_before_the_notice_is_over(shelf: Shelf) -> None:
    ids = shelf.fail(40)
    policy = operations.set_policy(keep_days=30, actor="ada", reason="disk").policy
    shelf.step()
    assert shelf.dead() == set(ids)
    RetentionPolicy.objects.filter(pk=policy.pk).update(starts_at=shelf.now - timedelta(seconds=1))
    shelf.step()
    assert not shelf.dead()


def test_of_each_cause_the_newest_stay(shelf: Shelf) -> None:
    ids = shelf.fail(4, 3, 2, 1)
    others = shelf.fail(9, 8, message="timed out")
    shelf.keep(count=2)
    shelf.step()
    assert shelf.dead() == {*ids[2:], *others}


def test_by_a_count_nothing_goes_that_was_not_told_a_day_before(shelf: Shelf) -> None:
    """However many newer ones fail at once."""
    ids = shelf.fail(3, 2, *[0.3] * 5)
    shelf.keep(count=2)
    shelf.step()
    assert shelf.dead() == set(ids)
    shelf.age(ids, 3, 2, *[1.01] * 5)
    shelf.step()
    assert shelf.dead() == {*ids[5:]}


def test_rows_of_jobs_that_left_are_not_counted_among_the_newest(shelf: Shelf) -> None:
    ids = shelf.fail(4, 3, 2, 1)
    shelf.jobs.transitions.requeue("high", ids[2:])
    shelf.keep(count=2)
    shelf.step()
    assert shelf.dead() == set(ids[:2])


def test_days_and_count_together_take_each_once(shelf: Shelf) -> None:
    ids = shelf.fail(40, 31, 4, 3, 2)
    shelf.keep(30, 2)
    shelf.step()
    assert shelf.dead() == set(ids[3:])
    assert outcome().count == 3


def test_a_cause_with_its_own_policy_goes_by_that_alone(shelf: Shelf) -> None:
    ids = shelf.fail(40, 9, 1)
    others = shelf.fail(40, 9, 1, message="timed out")
    kept = shelf.fail(400, message="not found")
    shelf.keep(30)
    shelf.keep(7, group=shelf.group_of(others[0]))
    shelf.keep(group=shelf.group_of(kept[0]))
    shelf.step()
    assert shelf.dead() == {*ids[1:], others[2], *kept}


def test_one_that_failed_again_is_another_failure(shelf: Shelf) -> None:
    (job_id,) = shelf.fail(40)
    shelf.jobs.transitions.requeue("high", [job_id])
    claim = shelf.jobs.start()
    shelf.jobs.transitions.fail("high", claim, "test-worker", [shelf.jobs.failure(job_id)])
    shelf.keep(30)
    shelf.redis.hdel(keys.job(job_id), keys.MOVED_AT)
    shelf.step()
    assert shelf.dead() == {job_id}


def test_a_round_is_bounded_and_takes_the_oldest(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "MOST", 2)
    ids = shelf.fail(40, 50, 31, 60, 33)
    shelf.keep(30)
    shelf.step()
    assert shelf.dead() == {ids[0], ids[2], ids[4]}
    shelf.policies.step()  # at once, since there may be more
    assert shelf.dead() == {ids[2]}
    shelf.policies.step()
    assert not shelf.dead()


def test_while_the_index_is_not_whole_nothing_goes(shelf: Shelf) -> None:
    ids = shelf.fail(40)
    shelf.keep(30)
    shelf.redis.delete(keys.FAILURES)
    shelf.step()
    assert shelf.dead() == set(ids)
    shelf.indexer.step()
    shelf.policies.step()  # it did not wait for the next look
    assert not shelf.dead()


def test_nothing_goes_by_what_somebody_changed_meanwhile(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    (job_id,) = shelf.fail(40)
    shelf.keep(30)
    own = shelf.keep(group=shelf.group_of(job_id))
    read, removed = due.too_old, []

    def too_old(policy: RetentionPolicy, at: datetime) -> "QuerySet[Failure]":
        if not removed:
            removed.append(operations.remove_policy(own, actor="ada"))
        return read(policy, at)

    monkeypatch.setattr(due, "too_old", too_old)
    shelf.step()
    shelf.policies.step()
    assert removed
    assert shelf.dead() == {job_id}


def test_what_lies_ahead_of_the_clock_stays_and_pushes_nothing_out(shelf: Shelf) -> None:
    """Redis' clock was set back, or another machine's is ahead."""
    ids = shelf.fail(40, 3, 2, -1, -400)
    shelf.keep(30, 2)
    shelf.step()
    assert shelf.dead() == set(ids[1:])
