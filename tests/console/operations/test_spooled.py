"""Dead letters that the spool holds: listed, paged and put back, with REDIS=false and after it."""

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from ingest.models import SpooledEvent
from ingest.spool.rows import insert
from queueadmin.console import operations, queries
from tests.console.conftest import Jobs, outcome
from tests.ingest.spool.conftest import job

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def dead_letters(count: int, **fields: str) -> list[str]:
    """The newest first."""
    jobs = [job(f"bad {number}", **fields) for number in range(count)]
    insert(jobs)
    for number, each in enumerate(jobs):
        failed_at = timezone.now() - timedelta(seconds=number)
        SpooledEvent.objects.filter(id=each.id).update(state="failed", failed_at=failed_at, reason="error")
    return [each.id for each in jobs]


def test_they_are_listed_page_by_page(settings: Any) -> None:
    settings.REDIS = False
    ids = dead_letters(7)
    dead_letters(1, priority="low")
    seen, cursor = [], None
    while True:
        page = queries.dead_letters(queue="high", cursor=cursor, limit=3)
        assert page.total == 7
        seen += [row.id for row in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == ids
    assert page.items[0].title == "bad 6"


def test_retry_all_leaves_poison(settings: Any) -> None:
    settings.REDIS = False
    ids = dead_letters(3)
    SpooledEvent.objects.filter(id=ids[0]).update(reason="poison")
    result = operations.retry_all(actor="ann")
    assert (result.moved, result.poison) == (2, 1)
    assert outcome().count == 2
    assert dict(SpooledEvent.objects.values_list("id", "state"))[ids[0]] == "failed"


def test_those_of_a_time_without_redis_are_retried_with_the_others(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2)
    ids = dead_letters(2)
    assert operations.retry([ids[0]], actor="ann").moved == (ids[0],)
    assert operations.retry_all(actor="ann").moved == 3
    assert set(SpooledEvent.objects.values_list("state", flat=True)) == {"spooled"}
