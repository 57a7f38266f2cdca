"""Undo of an operation that still runs (X7)."""

import pytest
import redis

from queueadmin.console import operations, undoing
from queueadmin.console.undoing import Trashed
from tests.console.conftest import Jobs

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
