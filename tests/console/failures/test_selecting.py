"""The index finds what a filter says, as reading the registries does (issue 8 part 1)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.db import connection

from queueadmin.console import dead_letters
from queueadmin.console.failures import Indexer, NotIndexed, asking, selected
from queueadmin.console.filters import parse
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import carry, fail

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def found(text: str) -> set[str]:
    return {row.job_id for row in selected(parse(text), now=datetime.now(UTC))}


@pytest.fixture
def ids(indexer: Indexer, jobs: Jobs) -> list[str]:
    """Four dead letters of three causes, indexed."""
    ids = [
        *fail(jobs, message="host db-1.example.com is away", kind="app.net.ConnectTimeout", source="zabbix"),
        *fail(jobs, message="no such device 12", queue="low", source="prometheus", tenant="acme", reason="permanent"),
        *fail(jobs, message="no such device 17", queue="critical", source="prometheus"),
        *fail(jobs, message="", kind="", queue="low", source="", event_id="disk-1"),
    ]
    carry(ids[2], json.dumps({"title": "Paragliding über Fiesch", "payload": {"host": "WEB-7"}}).encode())
    indexer.step()
    return ids


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("", {0, 1, 2, 3}),
        ("source:prometheus", {1, 2}),
        ("-source:prometheus", {0, 3}),
        ('source:""', {3}),
        ("source:zabbix,prometheus queue:low,high", {0, 1}),
        ("tenant:acme", {1}),
        ("reason:permanent", {1}),
        ("error:ConnectTimeout", {0}),
        ("error:connecttimeout", {0}),
        ("error:APP.net.ConnectTimeout", {0}),
        ("error:net.ConnectTimeout", set()),
        ("-error:ValueError", {0, 3}),
        ("id:disk-1", {3}),
        ("state:failed", {0, 1, 2, 3}),
        ("state:queued", set()),
        ("-state:queued", {0, 1, 2, 3}),
        ("replay:17", set()),
        ('replay:""', {0, 1, 2, 3}),
        ("since:1h", {0, 1, 2, 3}),
        ("until:1h", set()),
        ("older:1h", set()),
        ("device", {1, 2}),
        ("DEVICE -17", {1}),
        ('"such device"', {1, 2}),
        ('"device such"', set()),
        ("db-1.example", {0}),
        ("timeout", {0}),
        ("timeo", {0}),
        ("meout", set()),
        ("ÜBER", {2}),
        ("web-7", {2}),
        ("away,fiesch", {0, 2}),
        ("zabbix", {0}),
    ],
)
def test_filters_find_what_matches(ids: list[str], text: str, which: set[int]) -> None:
    assert found(text) == {ids[index] for index in which}


@pytest.mark.parametrize(
    "text", ["", "source:prometheus", "-error:ValueError", "id:disk-1", 'error:""', 'tenant:"" queue:low', "since:5m"]
)
def test_it_finds_what_reading_the_registries_finds(ids: list[str], empty_redis: redis.Redis, text: str) -> None:
    now = datetime.now(UTC) + timedelta(seconds=1)
    read = dead_letters.matching(empty_redis, parse(text), now=now)
    assert found(text) == {record.id for record in read}


def test_groups_are_found_by_their_fingerprint(ids: list[str]) -> None:
    group = selected(parse("device"), now=datetime.now(UTC))[0].fingerprint
    assert found(f"group:{group}") == {ids[1], ids[2]}
    assert found(f"-group:{group}") == {ids[0], ids[3]}


def test_times_are_those_of_the_failure(ids: list[str]) -> None:
    now = datetime.now(UTC)
    assert found(
        f"since:{now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ} until:{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    )


@pytest.mark.parametrize("text", ["payload.host:WEB-7", "-payload.host:x"])
def test_what_the_index_cannot_tell_is_said(ids: list[str], text: str) -> None:
    with pytest.raises(NotIndexed):
        found(text)


@pytest.mark.parametrize(
    "text",
    [
        '"a\' OR 1=1 --"',
        '"a & | ! b:*"',
        '"a) NEAR(b"',
        "replay:99999999999999999999999",
        "group:nonsense",
        "zz*",
        "^zz",
    ],
)
def test_signs_mean_nothing_to_the_database(ids: list[str], text: str) -> None:
    assert found(text) == set()


def test_a_question_of_words_may_hold_all_that_they_find() -> None:
    """Only on PostgreSQL, and only for the question: SQLite would lock its file for writing."""
    with asking():
        assert connection.in_atomic_block == (connection.vendor == "postgresql")
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SHOW work_mem")
                assert cursor.fetchone() == ("64MB",)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW work_mem")
            assert cursor.fetchone() == ("4MB",)
