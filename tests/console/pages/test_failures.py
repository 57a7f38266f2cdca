"""The page of dead letters: bars, causes, jobs, filters, and what is shown without the index (issue 8)."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import unquote

import pytest
import redis
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from ingest.queue import keys
from ingest.queue.connections import server_time
from queueadmin.console.failures import Indexer, matching, triage
from queueadmin.console.filters import parse
from queueadmin.console.models import Failure, FailureGroup
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import carry, fail
from tests.console.dead_letters.test_ahead import put_ahead
from tests.console.failures.conftest import indexer
from tests.console.pages.conftest import text_of

__all__ = ["indexer"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ids(indexer: Indexer, jobs: Jobs) -> list[str]:
    """Five dead letters of two causes, indexed; the newest last."""
    ids = [
        *fail(jobs, 2, message="device 17 is gone", source="zabbix", queue="low"),
        *fail(jobs, 3, message="host db-1.example.com is away", kind="app.ConnectTimeout", source="prometheus"),
    ]
    indexer.step()
    return ids


def group_of(job_id: str) -> str:
    return Failure.objects.get(job_id=job_id).fingerprint


def test_all_of_them_with_bars_and_causes(operator: Client, ids: list[str]) -> None:
    page = text_of(operator.get("/dead-letters/"))
    assert "2 causes" in page
    assert f'href="/dead-letters/{group_of(ids[0])}/"' in page
    assert "<var>&lt;host&gt;</var> is away" in page
    assert "systemic · 3" in page
    assert page.count('<rect class="slot"') >= 60
    assert 'data-count="5"' in page
    assert all(job_id in page for job_id in ids)
    assert "index-says" not in page


def test_a_filter_chooses_causes_and_jobs_and_stays_in_the_address(operator: Client, ids: list[str]) -> None:
    page = text_of(operator.get("/dead-letters/?filter=source:zabbix&span=24h"))
    assert "1 cause" in page
    assert "2 of 5" in page
    assert ids[0] in page
    assert ids[4] not in page
    assert 'aria-label="Remove source:zabbix"' in page
    assert f"/dead-letters/{group_of(ids[0])}/?filter=source%3Azabbix&amp;span=24h" in page
    response = operator.get("/dead-letters/?filter=source:zabbix&more=device&span=24h")
    assert response["Location"] == "/dead-letters/?filter=source%3Azabbix+device&span=24h"
    assert (
        operator.get("/dead-letters/?filter=device&queue=low")["Location"] == "/dead-letters/?filter=device+queue%3Alow"
    )


def test_one_cause_with_its_jobs(operator: Client, ids: list[str]) -> None:
    group = group_of(ids[0])
    page = text_of(operator.get(f"/dead-letters/{group}/"))
    assert "2 causes" in page  # the others stay beside it
    assert 'aria-current="true"' in page
    assert ids[0] in page
    assert ids[4] not in page
    assert "2 different" in page
    assert "zabbix 2" in page
    assert f'href="/replays/new/?filter=group%3A{group}"' in page
    assert "Replay 2…" in page
    assert operator.get("/dead-letters/0123456789ab/").status_code == 404
    assert f'href="/dead-letters/{group}/"' in text_of(operator.get(f"/jobs/{ids[0]}/"))


def test_x4_a_time_is_chosen_in_fields_and_by_bars_without_scripts(operator: Client, ids: list[str]) -> None:
    at = datetime.now(UTC) - timedelta(minutes=90)
    Failure.objects.filter(job_id=ids[0]).update(failed_at=at, minute=int(at.timestamp()) // 60)
    start, end = (f"{at + timedelta(minutes=off):%Y-%m-%dT%H:%M}" for off in (-5, 5))
    response = operator.get(f"/dead-letters/?filter=source:zabbix since:1h&from={start}&to={end}")
    where = unquote(response["Location"])
    assert where == f"/dead-letters/?filter=source:zabbix+since:{start}:00Z+until:{end}:00Z"
    page = text_of(operator.get(response["Location"]))
    assert "1 of 5" in page
    assert f'value="{start}"' in page
    assert '<rect class="window" x=' in page
    assert operator.get(f"{where}&from=&to=")["Location"] == "/dead-letters/?filter=source%3Azabbix"
    refused = operator.get("/dead-letters/?from=yesterday")
    assert refused.status_code == 422
    assert "since takes a number with s, m, h, d or w" in text_of(refused)


def test_a_wrong_filter_says_how(operator: Client, ids: list[str]) -> None:
    response = operator.get("/dead-letters/?filter=colour:red")
    assert response.status_code == 422
    assert "there is no key colour" in text_of(response)
    response = operator.get("/dead-letters/?filter=source:zabbix&more=queue:fast")
    assert response.status_code == 422
    assert 'value="queue:fast"' in text_of(response)


def test_pages_go_on_by_cursor(operator: Client, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage, "rows", partial(triage.rows, limit=2))
    page = text_of(operator.get("/dead-letters/?filter=source:prometheus"))
    older = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert ids[4] in page
    assert ids[2] in text_of(operator.get(older))
    assert operator.get("/dead-letters/?filter=device&cursor=nonsense").status_code == 404


def test_what_left_a_moment_ago_is_not_listed(operator: Client, ids: list[str], jobs: Jobs) -> None:
    jobs.transitions.requeue("low", ids[:1])
    page = text_of(operator.get("/dead-letters/?filter=source:zabbix"))
    assert ids[1] in page
    assert ids[0] not in page


def test_buttons_of_a_filtered_list_bring_back_to_it(
    operator: Client, ids: list[str], empty_redis: redis.Redis
) -> None:
    where = "/dead-letters/?filter=source:zabbix"
    response = operator.post("/dead-letters/retry/", {"ids": ids[:1], "next": where})
    assert response["Location"] == where
    assert ids[0] not in text_of(operator.get(where))
    assert empty_redis.zcard(keys.failed("low")) == 1


# --- without the index -----------------------------------------------------------------------------


def test_without_an_index_the_page_reads_redis_and_says_so(operator: Client, jobs: Jobs) -> None:
    (job_id,) = fail(jobs, message="device 17 is gone")
    other = fail(jobs, message="pipe broke", source="zabbix")[0]
    page = text_of(operator.get("/dead-letters/"))
    assert "Nobody writes the index of dead letters" in page
    assert job_id in page
    page = text_of(operator.get("/dead-letters/?filter=device"))
    assert "Nobody writes the index of dead letters" in page
    assert job_id in page
    assert other not in page
    group = re.findall("/dead-letters/([0-9a-f]{12})/", page)[0]
    page = text_of(operator.get(f"/dead-letters/{group}/"))
    assert job_id in page
    assert other not in page


def test_an_index_that_is_being_made_is_not_used(operator: Client, ids: list[str], empty_redis: redis.Redis) -> None:
    empty_redis.set(keys.FAILURES, b'{"complete":false,"rows":2,"dead_letters":5}')
    page = text_of(operator.get("/dead-letters/?filter=zabbix"))
    assert "The index of dead letters is being made: 2 of 5." in page
    assert ids[0] in page
    empty_redis.set(keys.FAILURES, b'{"complete":true,"rows":3,"dead_letters":5}')
    page = text_of(operator.get("/dead-letters/?filter=zabbix"))
    assert "2 newest are not in the index yet." in page
    assert "of the newest" not in page


def test_while_the_database_is_away_redis_is_read(
    operator: Client, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("no database")

    monkeypatch.setattr(triage, "triage", refuse)
    for path in ("/dead-letters/", "/dead-letters/?filter=zabbix"):
        page = text_of(operator.get(path))
        assert "The database does not answer" in page
        assert ids[0] in page


def test_what_the_index_cannot_tell_is_read_from_redis(operator: Client, ids: list[str], indexer: Indexer) -> None:
    carry(ids[0], b'{"title":"t","labels":{"host":"web-7"}}')
    Failure.objects.filter(job_id=ids[0]).update(version=0)  # as an edit of its event does
    indexer.step()
    page = text_of(operator.get("/dead-letters/?filter=payload.labels.host:web-7"))
    assert ids[0] in page
    assert ids[1] not in page


def test_without_redis_it_says_so(operator: Client, no_redis: None) -> None:
    assert operator.get("/dead-letters/?filter=device").status_code == 503


# --- what people say of a cause ----------------------------------------------------------------------


def test_a_viewer_sees_causes_and_no_buttons(sign_in: Callable[..., Client], ids: list[str]) -> None:
    page = text_of(sign_in("vera", "viewer").get(f"/dead-letters/{group_of(ids[0])}/"))
    assert "2 causes" in page
    assert ">Acknowledge<" not in page
    assert "Note and assignee" not in page


def test_credentials_are_not_on_the_page(operator: Client, indexer: Indexer, jobs: Jobs) -> None:
    (job_id,) = fail(jobs, message="login with password=hunter22secret failed")
    indexer.step()
    for path in ("/dead-letters/", f"/dead-letters/{group_of(job_id)}/"):
        assert "hunter22secret" not in text_of(operator.get(path))


def test_with_redis_false_it_is_the_spool_s_list(operator: Client, settings: Settings) -> None:
    settings.REDIS = False
    assert operator.get("/dead-letters/?filter=device").status_code == 200


@pytest.mark.parametrize("text", ["source:prometheus", "device", "payload.title:gone", "-payload.title:gone"])
def test_the_page_and_the_api_count_what_a_filter_chooses_alike(
    operator: Client, indexer: Indexer, ids: list[str], empty_redis: redis.Redis, text: str
) -> None:
    carry(ids[0], b'{"title": "gone"}')
    Failure.objects.update(version=0)
    indexer.step()
    found = {record.id for record in matching(empty_redis, parse(text), now=server_time(empty_redis))}
    groups = operator.get("/api/v1/dlq/groups", {"filter": text}).json()
    assert (groups["complete"], sum(group["count"] for group in groups["items"])) == (True, len(found))
    page = text_of(operator.get("/dead-letters/", {"filter": text}))
    assert {job_id for job_id in ids if job_id in page} == found
    assert f"of {len(found)}</span>" in page


def test_causes_are_ordered_as_asked(operator: Client, ids: list[str]) -> None:
    """Also with a filter, and it stays in the address."""
    first, last = (f"/dead-letters/{group_of(job_id)}/" for job_id in (ids[0], ids[4]))
    for sort, order in (("", (last, first)), ("last", (last, first)), ("trend", (last, first))):
        page = text_of(operator.get(f"/dead-letters/?sort={sort}"))
        assert page.index(f'href="{order[0]}') < page.index(f'href="{order[1]}'), sort
    assert f"{first}?sort=first" in text_of(operator.get("/dead-letters/?sort=first"))


def test_many_causes_are_listed_when_asked_and_one_of_the_last_is_counted(
    operator: Client, indexer: Indexer, jobs: Jobs
) -> None:
    fail(jobs, 2, message="is away")
    for number in range(16):
        fail(jobs, 1, message="is rare", kind=f"Rare{'x' * number}Error")
    indexer.step()
    page = text_of(operator.get("/dead-letters/"))
    assert "17 causes" in page
    assert page.count('<span class="num cnt">') == 15
    assert 'href="/dead-letters/?groups=all">Show all 17<' in page
    page = text_of(operator.get("/dead-letters/?groups=all"))
    assert page.count('<span class="num cnt">') == 17
    assert "Show all" not in page
    last = sorted(group.pk for group in FailureGroup.objects.exclude(count=2))[-1]
    page = text_of(operator.get(f"/dead-letters/{last}/"))
    assert page.count('<span class="num cnt">') == 16
    assert f'href="/dead-letters/{last}/" aria-current="true"' in page
    assert "1 of 18" in page


def test_where_it_failed_tells_two_causes_with_one_message_apart(
    operator: Client, indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    for job_id, where in zip(
        fail(jobs, 2), ("shop/orders.py:charge|shop/bank.py:ask", "shop/stock.py:<i>"), strict=True
    ):
        empty_redis.hset(keys.job(job_id), keys.FRAMES, where)
    indexer.step()
    page = text_of(operator.get("/dead-letters/"))
    assert '<span class="frame cut">shop/bank.py:ask</span>' in page
    assert '<span class="frame cut">shop/stock.py:&lt;i&gt;</span>' in page
    group = FailureGroup.objects.get(frames__startswith="shop/orders").pk
    assert "shop/orders.py:charge → shop/bank.py:ask</p>" in text_of(operator.get(f"/dead-letters/{group}/"))
    assert "shop/bank.py:ask</span>" in text_of(operator.get(f"/replays/new/?filter=group:{group}"))


def test_what_lies_ahead_of_redis_clock_is_in_the_last_bar_and_in_what_that_leads_to(
    operator: Client, ids: list[str], indexer: Indexer, empty_redis: redis.Redis
) -> None:
    """The clock was set back since they failed."""
    put_ahead(empty_redis, ids[:2], seconds=3000, queue="low")
    indexer.step()
    page = text_of(operator.get("/dead-letters/?filter=kind:alert&span=3h"))
    assert "now, and 2 ahead of Redis’ clock" in page
    bar = re.findall(r'<a href="([^"]+)"[^>]+data-to="([^"]*)" data-count="(\d+)"[^>]+and later: ', page)
    assert [(end, count) for _, end, count in bar] == [("", "5")]
    chosen = operator.get(html.unescape(bar[0][0]), follow=True)
    assert all(job_id in text_of(chosen) for job_id in ids)
