"""The dead letters of a filter as a file, from the page and the API (issue 8 part 3)."""

import csv
import io
import json

import pytest
from django.http import HttpResponse
from django.test import Client

from queueadmin.console.failures import Indexer
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import carry, fail
from tests.console.failures.conftest import indexer
from tests.console.pages.conftest import text_of

__all__ = ["indexer"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ids(indexer: Indexer, jobs: Jobs) -> list[str]:
    ids = [*fail(jobs, 2, message="=cmd()"), *fail(jobs, source="zabbix", queue="low")]
    carry(ids[0], b'{"title": "-1+1", "password": "hunter2"}')
    indexer.step()
    return ids


def file_of(response: HttpResponse) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/dead-letters/export.csv?", "/api/v1/dlq/export?format=csv&"])
def test_csv_is_masked_and_holds_no_formula(operator: Client, ids: list[str], path: str) -> None:
    response = operator.get(f"{path}filter=-source:zabbix")
    assert "attachment" in response["Content-Disposition"]
    text = file_of(response)
    assert "hunter2" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["id"] for row in rows} == set(ids[:2])
    shown = next(row for row in rows if row["id"] == ids[0])
    assert (shown["title"], shown["error_message"]) == ("'-1+1", "'=cmd()")


@pytest.mark.parametrize("path", ["/dead-letters/export.jsonl?", "/api/v1/dlq/export?"])
def test_json_lines_too(operator: Client, ids: list[str], path: str) -> None:
    rows = [json.loads(line) for line in file_of(operator.get(f"{path}filter=zabbix")).splitlines()]
    assert [row["id"] for row in rows] == [ids[2]]
    assert operator.get(f"{path}filter=nokey:x").status_code == 422


def test_what_it_is_not(operator: Client, ids: list[str]) -> None:
    assert operator.get("/dead-letters/export.xml").status_code == 404
    assert operator.get("/api/v1/dlq/export?format=xml").json()["field"] == "format"
    assert Client().get("/dead-letters/export.csv").status_code == 302


def test_the_page_leads_to_it_with_its_filter_and_counts(operator: Client, ids: list[str]) -> None:
    page = text_of(operator.get("/dead-letters/?filter=queue:high"))
    assert "Export 2:" in page
    assert 'href="/dead-letters/export.csv?filter=queue%3Ahigh"' in page
    assert "Select all 2 matching" in page
    assert 'href="/replays/new/?kind=discard&amp;filter=queue%3Ahigh"' in page
    page = text_of(operator.get("/dead-letters/?queue=low"))
    assert 'href="/dead-letters/export.jsonl?filter=queue%3Alow"' in page
    assert "Select all 1 matching" in page
    assert '<option value="discard" selected>' in text_of(operator.get("/replays/new/?kind=discard"))
