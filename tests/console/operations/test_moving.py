"""Where jobs are that an operation came too late for (contract section 5)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from queueadmin.console import operations
from queueadmin.console.operations import UndoResult, trash
from tests.console.conftest import Jobs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_undo_after_a_purge_of_many_asks_the_database_a_bounded_number_of_times(
    jobs: Jobs, django_assert_max_num_queries: Callable[[int], AbstractContextManager[Any]]
) -> None:
    """Two questions for each job kept the button for 7 s of a core at 10,000."""
    ids = jobs.fail(400)
    discarded = operations.discard(ids, actor="ada", reason="noise")
    operations.purge(ids[:1], actor="bob", reason="mistaken")
    operations.purge_trash("high", typed="high", actor="bob", reason="mistaken")
    with django_assert_max_num_queries(130):
        undone = operations.undo(discarded.operation, actor="ada")
    assert isinstance(undone, UndoResult)
    assert list(undone.left) == ids
    assert str(undone.left[ids[0]]).startswith("gone, by bob at ")
    assert {str(each) for each in list(undone.left.values())[1:]} == {"gone"}


def test_a_purge_promises_nothing_of_what_somebody_brings_back_meanwhile(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that they were there still, and to press again."""
    ids = jobs.fail(5)
    operations.discard(ids[:2], actor="ada", reason="noise")
    brought_back = operations.discard(ids[2:], actor="ada", reason="noise").operation
    look = trash._oldest

    def late(*given: Any) -> list[tuple[str, float]]:
        operations.undo(brought_back, actor="ada")
        return look(*given)

    monkeypatch.setattr(trash, "_oldest", late)
    purged = operations.purge_trash("high", typed="high", actor="bob", reason="mistaken")
    assert (purged.gone, purged.left) == (2, 0)
