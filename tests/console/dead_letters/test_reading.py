"""Dead letters as lists show them, chosen by filters: contents, times, masks, and those of a stock worker."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import redis

from ingest.queue import keys
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import carry, dlq, fail, refused

pytestmark = pytest.mark.django_db


def test_the_list_shows_the_newest_first_with_what_failed_and_why(jobs: Jobs) -> None:
    (first,) = fail(jobs, queue="low", source="zabbix")
    (second,) = fail(jobs, message="too late: 17", kind="app.errors.TooLate", queue="critical", reason="permanent")
    head, *rows = dlq("list").splitlines()
    assert head.split("  ")[0] == "failed (UTC)"
    assert [row.split()[-1] for row in rows] == [second, first]
    assert all(text in rows[0] for text in ("critical", "permanent", "TooLate: too late: 17", "Problem 2"))
    assert all(text in rows[1] for text in ("low", "zabbix", "error", "ValueError: no such device"))
    assert f"{datetime.now(UTC):%Y-%m-%d}" in rows[0]


def test_the_list_ends_at_its_limit_and_says_that_more_match(jobs: Jobs) -> None:
    jobs.fail(5)
    lines = dlq("list", "--limit", "3").splitlines()
    assert len(lines) == 5
    assert lines[-1].startswith("3 shown, more match")
    assert len(dlq("list", "--limit", "5").splitlines()) == 6
    shown = json.loads(dlq("list", "--json", "--limit", "3"))
    assert (len(shown["items"]), shown["more"]) == (3, True)


def test_the_list_as_json_is_the_contracts_job(jobs: Jobs) -> None:
    (job_id,) = fail(jobs, source="zabbix", tenant="acme")
    shown = json.loads(dlq("list", "--json", "source:zabbix"))
    assert shown["more"] is False
    (item,) = shown["items"]
    assert (item["id"], item["state"], item["queue"], item["kind"]) == (job_id, "failed", "high", "alert")
    assert (item["source"], item["tenant"], item["event_id"], item["title"]) == (
        "zabbix",
        "acme",
        "client-1",
        "Problem 1",
    )
    assert item["error"]["type"] == "ValueError"
    assert datetime.fromisoformat(item["error"]["at"]).tzinfo
    assert "payload" not in item


def test_a_terminal_is_shown_no_escape_sequence(jobs: Jobs) -> None:
    """Messages hold what senders wrote: they must neither colour the terminal nor move its cursor."""
    fail(jobs, message="\x1b[2Jgone\r\nover \u202e there\x07")
    text = dlq("list") + dlq("groups")
    assert not set(text) & {"\x1b", "\r", "\x07", "\u202e"}
    assert "gone over there" in text


def test_filters_choose_as_the_grammar_says(jobs: Jobs) -> None:
    zabbix = fail(jobs, 2, source="zabbix", queue="low")
    (late,) = fail(jobs, kind="TimeoutError", message="after 5 s", reason="timeout")
    (disk,) = fail(jobs)
    carry(disk, b'{"title": "Disk", "labels": {"host": "db-1"}, "payload": {"fault": "error"}}')

    def chosen(*words: str) -> set[str]:
        return {item["id"] for item in json.loads(dlq("list", "--json", *words))["items"]}

    assert chosen("source:zabbix") == set(zabbix)
    assert chosen("queue:low", "kind:alert") == set(zabbix)
    assert chosen("-queue:low") == {late, disk}
    assert chosen("-queue:low", "-error:TimeoutError") == {disk}
    assert chosen("error:TimeoutError,KeyError") == {late}
    assert chosen("reason:timeout") == {late}
    assert chosen('"AFTER 5 s"') == {late}
    assert chosen("payload.labels.host:db-1") == {disk}
    assert chosen("payload.fault:error disk") == {disk}
    assert chosen(f"id:{zabbix[0]},{disk}") == {zabbix[0], disk}
    assert chosen("since:1h", "state:failed") == {*zabbix, late, disk}
    assert refused("list", "older:1h") == (1, "No dead letter matches.")
    assert refused("list", "state:queued")[0] == 1


def test_times_go_by_when_it_failed(jobs: Jobs, empty_redis: redis.Redis) -> None:
    old, new = jobs.fail(2)
    then = datetime.now(UTC) - timedelta(hours=3)
    empty_redis.zadd(keys.failed("high"), {old: then.timestamp() + keys.SCORE_OFFSET})

    def chosen(words: str) -> list[str]:
        return [item["id"] for item in json.loads(dlq("list", "--json", words))["items"]]

    assert chosen("older:2h") == chosen("since:4h until:2h") == [old]
    assert chosen("since:2h") == chosen(f"since:{then + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}") == [new]


def test_credentials_are_masked_and_cannot_be_found_out_by_a_filter(jobs: Jobs) -> None:
    """D11: a filter on what is masked would tell it letter by letter."""
    (job_id,) = fail(jobs, message="denied for https://ada:hunter2@example.com")
    carry(job_id, b'{"title": "x", "payload": {"response_token": "s3cret-value"}}')
    everything = dlq("list", "--json") + dlq("groups") + dlq("export") + dlq("export", "--format", "jsonl")
    assert "hunter2" not in everything
    assert "s3cret-value" not in everything
    assert refused("list", "s3cret-value")[0] == 1
    assert refused("list", "payload.response_token:s3cret-value")[0] == 1


def test_those_of_a_stock_worker_are_told_by_their_traceback(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """RQ keeps no type and no message beside it, and other scores than ours."""
    from rq import Queue, SimpleWorker
    from rq.serializers import JSONSerializer

    queue = Queue("high", connection=empty_redis, serializer=JSONSerializer)
    job = queue.enqueue(f"{__name__}.breaks", "boiler-7")
    SimpleWorker([queue], connection=empty_redis, serializer=JSONSerializer).work(burst=True)
    (item,) = json.loads(dlq("list", "--json", "error:LookupError"))["items"]
    assert (item["id"], item["error"]["message"]) == (job.id, "no boiler-7\nanywhere")
    (group,) = json.loads(dlq("groups", "--json"))["items"]
    assert group["error_type"] == "LookupError"
    assert datetime.fromisoformat(item["error"]["at"]) > datetime.now(UTC) - timedelta(minutes=1)


def breaks(name: str) -> None:
    raise LookupError(f"no {name}\nanywhere")
