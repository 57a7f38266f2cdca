"""Titles for lists, from wherever the jobs are."""

from datetime import UTC, datetime

import pytest

from ingest.queue import keys
from ingest.queue.connections import connection
from queueadmin.console import queries
from queueadmin.console.titles import TITLE_FROM, title_in, titles
from tests.console.conftest import Jobs
from tests.console.job_lists.conftest import finished, spooled

pytestmark = pytest.mark.django_db


def test_titles_come_from_redis_from_the_spool_and_from_rows(jobs: Jobs) -> None:
    (queued,) = jobs.enqueue(1)
    ids = [queued, spooled("s-1"), finished("done"), finished("odd", body="[]")]
    found = titles(list(queries.several(ids).values()))
    assert found == {queued: "Problem 1", "s-1": "kept", "done": "done"}


def test_large_events_are_not_read_for_a_title(jobs: Jobs) -> None:
    (queued,) = jobs.enqueue(1)
    connection().hset(keys.job(queued), "data", b"x" * (TITLE_FROM + 1))
    large = '{"title":"t","x":"' + "x" * TITLE_FROM + '"}'
    ids = [queued, finished("done", body=large, at=datetime.now(UTC))]
    assert titles(list(queries.several(ids).values())) == {}


def test_what_cannot_be_read_has_none() -> None:
    assert title_in(None) == title_in(b"rubbish") == ""
