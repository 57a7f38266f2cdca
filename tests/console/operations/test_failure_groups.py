"""Saying of a group of failures what it is, on the record (issue 8 part 2)."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from queueadmin.console import operations
from queueadmin.console.failures import Indexer, groups
from queueadmin.console.models import Failure, FailureGroup
from tests.console.conftest import Jobs, outcome
from tests.console.failures.conftest import indexer

__all__ = ["indexer"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def group(indexer: Indexer, jobs: Jobs) -> FailureGroup:
    jobs.fail(2)
    indexer.step()
    return FailureGroup.objects.get()


def test_acknowledge_resolve_and_open_anew_are_audited(group: FailureGroup) -> None:
    assert group.status == "open"
    result = operations.acknowledge_group(group.pk, actor="ada", reason="on it")
    assert (result.sentence, result.changed) == ("ValueError is acknowledged.", True)
    entry = outcome()
    assert (entry.actor, entry.action, entry.target, entry.count, entry.reason, entry.outcome) == (
        *("ada", "acknowledge_group", f"group {group.pk}", 1, "on it", "ValueError is acknowledged."),
    )  # fmt: skip
    again = operations.acknowledge_group(group.pk, actor="bob")
    assert (again.sentence, again.changed) == ("ValueError was acknowledged already; nothing was changed.", False)
    group.refresh_from_db()
    assert (group.status_by, outcome().count) == ("ada", 0)
    assert operations.resolve_group(group.pk, actor="ada").sentence == "ValueError is resolved."
    assert operations.reopen_group(group.pk, actor="ada").sentence == "ValueError is open."
    group.refresh_from_db()
    assert group.resolved_at is None


def test_a_resolved_group_that_fails_again_is_regressed_by_itself(
    group: FailureGroup, indexer: Indexer, jobs: Jobs
) -> None:
    operations.resolve_group(group.pk, actor="ada")
    indexer.step()
    group.refresh_from_db()
    assert group.status == "resolved"
    jobs.fail(1)
    indexer.step()
    group.refresh_from_db()
    assert (group.status, group.status_by) == ("regressed", "")
    assert operations.resolve_group(group.pk, actor="ada").changed


def test_what_failed_before_it_was_resolved_and_is_indexed_later_is_no_regression(
    group: FailureGroup, indexer: Indexer, jobs: Jobs
) -> None:
    jobs.fail(1)
    operations.resolve_group(group.pk, actor="ada")
    indexer.step()
    group.refresh_from_db()
    assert (group.status, Failure.objects.count()) == ("resolved", 3)


def test_what_was_indexed_while_somebody_resolved_it_is_a_regression(group: FailureGroup) -> None:
    """The indexer saw the group as it was before, and said nothing."""
    Failure.objects.update(failed_at=timezone.now() + timedelta(seconds=60))
    assert operations.resolve_group(group.pk, actor="ada").sentence == "ValueError is regressed."


def test_a_note_and_whose_it_is(group: FailureGroup) -> None:
    User.objects.create(username="bob")
    assert operations.note_group(group.pk, " see #8 \0", actor="ada").sentence == "ValueError has a new note."
    assert operations.assign_group(group.pk, "bob", actor="ada").sentence == "ValueError is bob's."
    group.refresh_from_db()
    assert (group.note, group.assignee) == ("see #8 \ufffd", "bob")
    assert operations.note_group(group.pk, "", actor="ada").sentence == "ValueError has no note any more."
    assert operations.assign_group(group.pk, "", actor="ada").sentence == "ValueError is nobody's."
    assert not operations.assign_group(group.pk, "", actor="ada").changed
    with pytest.raises(operations.NoSuchUser, match="There is no user nobody"):
        operations.assign_group(group.pk, "nobody", actor="ada")
    with pytest.raises(ValueError, match="at most 2,000 characters"):
        operations.note_group(group.pk, "x" * 2001, actor="ada")


def test_a_note_that_was_written_meanwhile_is_not_lost(group: FailureGroup) -> None:
    """Two write at once, each from the page that they see: the second one's text comes back, the first one's stays."""
    operations.note_group(group.pk, "the disk\r\nis full", "", actor="ada")
    with pytest.raises(ValueError, match="changed the note meanwhile, so yours was not kept: ask globex"):
        operations.note_group(group.pk, "ask globex", "", actor="bob")
    group.refresh_from_db()
    assert group.note == "the disk\r\nis full"
    operations.note_group(group.pk, "ask globex", "the disk\nis full ", actor="bob")
    group.refresh_from_db()
    assert group.note == "ask globex"


def test_an_unknown_group(group: FailureGroup) -> None:
    assert operations.resolve_group("nonsense", actor="ada").sentence == (
        "There is no such group of failures; nothing was changed."
    )


def test_a_group_that_is_over_is_kept_for_30_days_and_longer_when_somebody_spoke_of_it(group: FailureGroup) -> None:
    now = timezone.now()
    assert groups.forget_old(now + timedelta(days=31)) == 0  # it has dead letters
    FailureGroup.objects.update(count=0)
    assert groups.forget_old(now + timedelta(days=29)) == 0
    operations.note_group(group.pk, "keep", actor="ada")
    assert groups.forget_old(now + timedelta(days=31)) == 0
    operations.note_group(group.pk, "", actor="ada")
    assert groups.forget_old(now + timedelta(days=31)) == 1
