"""Undo of an operation that still runs, or that died (X7)."""

import pytest
import redis

from queueadmin.console import audit, operations, undoing
from queueadmin.console.models import AuditEntry
from queueadmin.console.undoing import Trashed
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import dlq

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_the_operation_puts_into_the_trash_meanwhile_can_be_undone_next(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = jobs.fail(1), jobs.fail(1)
    jobs.transitions.discard("high", first, by="ada", operation="replay-1")
    read = undoing.trashed

    def goes_on(client: redis.Redis, operation: str) -> list[Trashed]:
        found = read(client, operation)
        jobs.transitions.discard("high", second, by="ada", operation=operation)
        return found

    monkeypatch.setattr(undoing, "trashed", goes_on)
    assert operations.undo("replay-1", actor="bob").sentence == "1 job restored."
    monkeypatch.undo()
    assert operations.undo("replay-1", actor="bob").sentence == "1 job restored."


def test_what_died_in_the_middle_is_offered_too(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """kill -9 of web in mid-discard: nobody could say how many went, and neither page nor command offered them."""
    operation = operations.discard(jobs.fail(3), actor="ada").operation
    AuditEntry.objects.filter(operation=operation, step="outcome").delete()
    (died,) = audit.page(audit.chosen(""), limit=50).items
    assert undoing.offered([died]) == {operation}
    assert dlq("undo").startswith(f"{operation}  20")
    assert operations.undo(operation, actor="bob").sentence == "3 jobs restored."
    assert undoing.offered([died]) == set()
