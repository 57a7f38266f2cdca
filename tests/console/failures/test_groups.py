"""The counts that are kept with each group of failures (issue 8 part 2)."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import connection

from queueadmin.console.failures import groups
from queueadmin.console.models import Failure, FailureGroup

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


@pytest.fixture
def as_sqlite_is_built(db: None) -> Iterator[None]:
    """With the number of values that a statement may have unless SQLite's builder raised it, as Debian does."""
    connection.ensure_connection()
    known: sqlite3.Connection = connection.connection
    before = known.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
    yield
    known.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)


@pytest.mark.usefixtures("as_sqlite_is_built")
def test_any_number_of_groups_is_counted() -> None:
    """After a refusal all of them waited for the next count, which had more: no group was counted ever again."""
    names = [f"{number:012x}" for number in range(33_000)]
    for name in (names[0], names[-1]):
        FailureGroup.objects.create(fingerprint=name, error_type="ValueError", first_at=NOW, last_at=NOW)
        Failure.objects.create(
            **{"job_id": f"job-{name}", "fingerprint": name, "queue": "high", "score": 1.0, "source": "zabbix"},
            **{"failed_at": NOW, "first_failed_at": NOW, "minute": 1, "reason": "error", "payload": name},
        )
    groups.refresh(names)
    told = FailureGroup.objects.order_by("pk").values_list("count", "payloads", "queues", "sources")
    assert list(told) == [(1, 1, {"high": 1}, {"zabbix": 1})] * 2
