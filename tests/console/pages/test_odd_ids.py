"""Whatever a stock client called its jobs, they are seen, opened and moved like others (issue 8 part 1)."""

import html
import re

import pytest
import redis
from django.test import Client
from django.urls import reverse

from ingest.queue import keys
from queueadmin.console.failures import Indexer
from queueadmin.console.job_address import address
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import dlq, fail
from tests.console.failures.conftest import indexer
from tests.console.pages.conftest import HTMX, text_of
from tests.console.test_job_address import ODD, rename

__all__ = ["indexer"]

pytestmark = pytest.mark.django_db(transaction=True)

#: Has no address: servers refuse such a line.
HUGE = "h" * 20_000


@pytest.fixture
def odd(jobs: Jobs, indexer: Indexer, empty_redis: redis.Redis) -> list[str]:
    made = [rename(empty_redis, old, new) for old, new in zip(fail(jobs, len(ODD) + 1), [*ODD, HUGE], strict=True)]
    indexer.step()
    empty_redis.persist(keys.FAILURES)
    return made


@pytest.mark.parametrize("where", ["/dead-letters/", "/dead-letters/?filter=kind:alert", "/jobs/?filter=state:failed"])
def test_each_stands_in_the_list_and_opens(operator: Client, odd: list[str], where: str) -> None:
    page = text_of(operator.get(where))
    ticks = {html.unescape(each) for each in re.findall(r'name="ids" value="([^"]*)" aria-label="Select', page)}
    assert ticks == {address(job_id) for job_id in odd}
    links = {html.unescape(each) for each in re.findall(r'<a class="id" href="(/jobs/[^"]+/)"', page)}
    assert len(links) == len(ODD)
    assert "too long for an address" in page
    for link in links:
        answer = operator.get(link)
        assert answer.status_code == 200, link
        assert "Retry" in text_of(answer)
        assert operator.get(f"{link}raw/").status_code == 200, link


def test_the_buttons_of_a_row_and_of_a_selection_move_them(
    operator: Client, odd: list[str], empty_redis: redis.Redis
) -> None:
    retried = [job_id for job_id in ODD if "/" in job_id or "\0" in job_id]
    for job_id in retried:
        answer = operator.post(f"/jobs/{address(job_id)}/retry/", headers=HTMX)
        assert answer.status_code == 200, job_id
    rest = [job_id for job_id in odd if job_id not in retried]
    operator.post("/dead-letters/discard/", {"ids": [address(job_id) for job_id in rest]}, headers=HTMX)
    queued = {each.decode() for each in empty_redis.lrange(keys.queue("high"), 0, -1)}
    trashed = {each.decode() for each in empty_redis.zrange(keys.trash("high"), 0, -1)}
    assert (queued, trashed) == (set(retried), set(rest))
    assert not empty_redis.zcard(keys.failed("high"))


def test_what_is_no_id_is_refused_by_name(operator: Client, odd: list[str]) -> None:
    answer = operator.post("/dead-letters/discard/", {"ids": ["~%"]}, headers=HTMX)
    assert "is not a job id" in answer["HX-Trigger"]
    assert operator.get("/jobs/~%25/").status_code == 404


def test_the_find_box_leads_to_each(operator: Client, odd: list[str]) -> None:
    for job_id in ("a/b", "..", "~YQ", "100%", "a b"):
        answer = operator.get("/jobs/", {"id": job_id})
        assert operator.get(answer["Location"]).status_code == 200, job_id


def test_the_api_and_the_command_name_them(odd: list[str], operator: Client) -> None:
    assert f'"{ODD[0]}"' in dlq("list", "--json", "--limit", "500")
    for form in ("csv", "jsonl"):
        said = b"".join(operator.get(f"/dead-letters/export.{form}").streaming_content)  # type: ignore[attr-defined]
        assert said.count(b"\n") >= len(odd)
    for job_id in ODD:
        path = reverse("console-api:job", args=[job_id])
        answer = operator.get(path)
        assert answer.status_code == 200, job_id
        assert (answer.json()["id"], answer.json()["links"]["self"]) == (job_id, path)
