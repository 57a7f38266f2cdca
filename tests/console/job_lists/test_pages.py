"""Pages of jobs by a filter (contract, section 4): what matches, each once, at a bounded cost, changing nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.accept import derived_id
from ingest.queue import keys
from ingest.reading import lists
from ingest.reading.cursors import BadCursor
from queueadmin.console import job_lists, queries
from queueadmin.console.filters import parse
from queueadmin.console.job_lists import budget
from tests.console.conftest import Jobs
from tests.console.job_lists.conftest import everywhere, finished, spooled

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def found(text: str = "", *, limit: int = 50, **more: Any) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = job_lists.page(parse(text), cursor=cursor, limit=limit, **more)
        ids += [job["id"] for job in page.items]
        assert len(page.items) <= limit
        cursor = page.next
    return ids


def everything(client: redis.Redis) -> dict[bytes, Any]:
    return {key: client.dump(key) for key in client.keys("*")}


# --- states and pages ----------------------------------------------------------------------------------


def test_each_state_has_its_jobs_in_their_order(places: dict[str, list[str]], empty_redis: redis.Redis) -> None:
    before = everything(empty_redis)
    for state, ids in places.items():
        assert found(f"state:{state}") == ids, state
    assert found("state:scheduled") == []
    assert found("state:queued,failed,finished") == [*places["queued"], *places["failed"], *places["finished"]]
    assert found("-state:queued,finished") == found("state:started,spooled,retrying,failed,canceled,trash")
    assert everything(empty_redis) == before


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 500])
def test_all_pages_together_have_each_job_once(places: dict[str, list[str]], limit: int) -> None:
    assert found(limit=limit) == [job_id for ids in places.values() for job_id in ids]
    assert found("source:test,spool", limit=limit) == [
        job_id for state, ids in places.items() if state != "finished" for job_id in ids
    ]


def test_a_job_is_shown_as_it_is_alone(places: dict[str, list[str]]) -> None:
    page = job_lists.page(parse(""))
    assert [job["position"] for job in page.items if job["state"] == "queued"] == [1, 2, 3]
    for job in page.items:
        alone = queries.job(job["id"])
        assert alone is not None
        # A place in the spool costs two counts a job.
        assert {**job, "position": None, "ahead": None} == {**alone, "position": None, "ahead": None} or job == alone
    assert (page.next, page.complete) == (None, True)
    assert page.scanned >= len(page.items)


def test_a_limit_is_from_1_to_500() -> None:
    for limit in (0, 501, -1):
        with pytest.raises(ValueError, match="limit must be from 1 to 500"):
            job_lists.page(parse(""), limit=limit)


# --- terms -------------------------------------------------------------------------------------------


def test_terms_choose(jobs: Jobs, empty_redis: redis.Redis) -> None:
    (dead,) = jobs.fail(queue="low", source="a", reason="timeout")
    a, b = jobs.enqueue(2, source="a", tenant="acme")
    (c,) = jobs.enqueue(queue="low", source="b", event_id="disk-1")
    (poison,) = jobs.fail(queue="critical", reason="poison")
    kept = spooled("kept", "failed")
    done = finished("done", body='{"title":"x","labels":{"host":"db-1"}}', source="a")
    shown = queries.job(dead)
    assert shown is not None
    from queueadmin.console.fingerprint import group_of

    group = group_of("ValueError", "no such device")
    for text, ids in {
        "source:a": [a, b, dead, done],
        "source:a -queue:low": [a, b, done],
        "queue:low": [c, dead],
        "tenant:acme": [a, b],
        'tenant:"" state:queued': [c],
        "kind:alert state:finished": [done],
        "kind:mail": [],
        "reason:timeout": [dead],
        "error:oserror": [kept],
        "error:ValueError -reason:poison": [dead],
        f"group:{group}": [poison, dead],
        "id:disk-1": [c],
        f"id:{a},{done}": [a, done],
        f"id:{a},disk-1": [a, c],
        f"id:{a} state:failed": [],
        "payload.labels.host:db-1": [done],
        "payload.title:kept": [kept],
        '"no such device"': [poison, dead],
        "no -source:a -source:spool": [poison],
        "PROBLEM state:queued": [a, b, c],
        "replay:1": [],
        "since:1h": [a, b, c, poison, dead, kept, done],
        "older:1h": [],
    }.items():
        assert sorted(found(text)) == sorted(ids), text
        assert sorted(found(text, limit=1)) == sorted(ids), text


def test_what_somebody_marked_is_found_among_dead_letters_and_in_the_trash(
    places: dict[str, list[str]], jobs: Jobs, empty_redis: redis.Redis
) -> None:
    """Issue 8 part 6: nothing else can be marked, so that nothing else is looked at."""
    dead, thrown = jobs.fail(2, queue="critical")
    jobs.transitions.mark("critical", [dead, thrown], permanent=True)
    jobs.transitions.discard("critical", [thrown])
    page = job_lists.page(parse("permanent:yes"))
    assert [(job["id"], job["state"], job["permanent"]) for job in page.items] == [
        (dead, "failed", True),
        (thrown, "trash", True),
    ]
    assert page.scanned == 4
    everything = {job_id for ids in places.values() for job_id in ids}
    assert set(found("permanent:no")) == set(found("-permanent:yes")) == everything
    assert set(found("permanent:yes,no")) == {*everything, dead, thrown}
    assert found("permanent:yes state:queued") == []
    # A replay's, which keeps its last failure to be given back with, is no dead letter meanwhile.
    jobs.transitions.requeue("critical", [dead], replay="7")
    assert found("permanent:yes") == [thrown]
    jobs.transitions.discard("critical", [dead])
    assert found("permanent:yes") == [thrown]


def test_what_an_event_hides_is_not_found(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """D11: a filter is no oracle for credentials."""
    secret = '{"title":"x","response_token":"hunter2","url":"https://ada:hunter2@db-1/?token=hunter2"}'
    finished("done", body=secret)
    (waits,) = jobs.enqueue(body=secret)
    assert found("payload.title:x") == [waits, "done"]
    assert found("https db-1") == [waits, "done"]
    assert found("payload.response_token:hunter2") == found("hunter2") == found("hunter2 x") == []


def test_what_stands_in_no_event_is_told_without_decoding_any(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 7: words that nothing holds took 155 µs a job."""
    from queueadmin.console.job_lists.segments import Segment

    places = everywhere(jobs)
    monkeypatch.setattr(Segment, "event", lambda *_: pytest.fail("decoded"))
    for text in ("nobody-says-this", "payload.title:nobody-says-this", "kept nobody"):
        page = job_lists.page(parse(text))
        assert (page.items, page.next) == ((), None)
        assert page.scanned == job_lists.page(parse("")).scanned >= sum(map(len, places.values()))


def test_times_are_asked_of_what_they_are_about(jobs: Jobs, empty_redis: redis.Redis) -> None:
    dead = jobs.fail(6)
    at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    for number, job_id in enumerate(dead):
        score = at.timestamp() + number * 60 + keys.SCORE_OFFSET
        empty_redis.zadd(keys.failed("high"), {job_id: score})
        finished(f"done-{number}", at=datetime.fromtimestamp(at.timestamp() + number * 60, UTC))
    for text, numbers in {
        "since:2026-11-20T12:02:00Z": [5, 4, 3, 2],
        "until:2026-11-20T12:02:00Z": [1, 0],
        "since:2026-11-20T12:01:00Z until:2026-11-20T12:04:00Z": [3, 2, 1],
        "since:2026-11-20T12:05:00.000001Z": [],
    }.items():
        for limit in (1, 50):
            assert found(f"{text} state:failed", limit=limit) == [dead[number] for number in numbers], text
            assert found(f"{text} state:finished", limit=limit) == [f"done-{number}" for number in numbers], text


def test_only_what_lies_between_two_times_is_looked_at(jobs: Jobs, empty_redis: redis.Redis) -> None:
    dead = jobs.fail(50)
    at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    scores = {job_id: at.timestamp() + number * 60 + keys.SCORE_OFFSET for number, job_id in enumerate(dead)}
    empty_redis.zadd(keys.failed("high"), scores)
    page = job_lists.page(parse("state:failed since:2026-11-20T12:10:00Z until:2026-11-20T12:15:00Z"))
    assert (len(page.items), page.scanned) == (5, 5)


def test_a_stock_workers_dead_letters_are_told_by_their_traceback(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """Their score is -1 and their hash says neither what failed nor why; the times say when."""
    from rq import Queue, SimpleWorker
    from rq.serializers import JSONSerializer

    queue = Queue("high", connection=empty_redis, serializer=JSONSerializer)
    stock = [queue.enqueue("tests.console.dead_letters.test_reading.breaks", name).id for name in ("boiler", "pump")]
    SimpleWorker([queue], connection=empty_redis, serializer=JSONSerializer).work(burst=True)
    (ours,) = jobs.fail()
    empty_redis.hset(keys.job(ours), keys.ERROR_TYPE, "LookupError")
    for limit in (1, 50):
        assert sorted(found("error:LookupError", limit=limit)) == sorted([ours, *stock])
        assert sorted(found("since:1h state:failed", limit=limit)) == sorted([ours, *stock])
        assert found('"no boiler" state:failed', limit=limit) == [stock[0]]
    assert found("older:1h state:failed") == []
    empty_redis.zadd(keys.failed("high"), {ours: keys.SCORE_OFFSET + 1_000_000_000})
    assert sorted(found("since:1h state:failed", limit=1)) == sorted(stock)


# --- bounds ------------------------------------------------------------------------------------------


def test_a_long_queue_is_looked_through_from_its_head(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "DEPTH", 30)
    ids = jobs.enqueue(60)
    page = job_lists.page(parse("source:nobody"))
    assert (page.items, page.next, page.scanned, page.complete) == ((), None, 30, False)
    assert found(f"id:{ids[29]},x") == [ids[29]]
    assert found(f"id:{ids[30]},x") == []
    assert found(f"id:{ids[30]}") == [ids[30]]  # looked up, not searched
    assert job_lists.page(parse("source:nobody state:failed")).complete


def test_a_page_ends_when_enough_was_looked_at(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LOOKED_AT", 10)
    jobs.enqueue(25)
    (last,) = jobs.enqueue(source="last")
    first = job_lists.page(parse("source:last"))
    assert (first.items, first.scanned, first.looked_at, first.complete) == ((), 10, 10, True)
    assert first.next is not None
    assert job_lists.page(parse("source:last"), cursor=first.next).looked_at == 20
    assert found("source:last") == [last]


@pytest.mark.parametrize("least", ["LEAST", "LEAST_BYTES"])
def test_a_page_ends_when_its_time_is_over_but_not_before_something_was_looked_at(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch, least: str
) -> None:
    """Issue 7: no page takes long, whatever waits, and each gets on."""
    monkeypatch.setattr(budget, "SECONDS", 0)
    monkeypatch.setattr(budget, least, 1)
    ids = jobs.enqueue(40)
    first = job_lists.page(parse("payload.title:none"))
    assert first.items == ()
    assert first.scanned < 40
    assert found('payload.title:"Problem 40"') == [ids[-1]]


def test_the_ids_of_a_sender_are_looked_up_where_the_filter_says_the_rest(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "DEPTH", 1)
    job_id = finished(derived_id("alert", "acme", "edge", "disk-1"), source="edge", tenant="acme", event_id="disk-1")
    jobs.enqueue(3)
    assert job_lists.page(parse("id:disk-1 source:edge tenant:acme")).complete
    assert found("id:disk-1 source:edge", tenant="acme") == [job_id]
    assert found("id:disk-1 source:edge", tenant="globex") == []


# --- who and where -----------------------------------------------------------------------------------


def test_a_tenant_has_its_own_alone(jobs: Jobs, empty_redis: redis.Redis) -> None:
    dead = [jobs.fail(tenant=tenant)[0] for tenant in ("globex", "acme", "globex")]
    own, *_ = [jobs.enqueue(1, tenant=tenant)[0] for tenant in ("acme", "globex", "")]
    finished("mine", tenant="acme")
    finished("theirs", tenant="globex")
    spooled("kept", tenant="globex")
    for limit in (1, 50):
        assert found(tenant="acme", limit=limit) == [own, dead[1], "mine"]
        assert found("tenant:globex", tenant="acme", limit=limit) == []
        assert found("id:theirs,mine", tenant="acme", limit=limit) == ["mine"]
    assert job_lists.page(parse(""), tenant="acme").scanned == 3


def test_a_tenants_cursor_names_no_other_ones_jobs(jobs: Jobs, empty_redis: redis.Redis) -> None:
    import base64

    (other,) = jobs.enqueue(tenant="globex")
    jobs.enqueue(2, tenant="acme")
    cursor = job_lists.page(parse(""), tenant="acme", limit=1).next
    assert cursor is not None
    assert other.encode() not in base64.urlsafe_b64decode(cursor + "==")
    with pytest.raises(BadCursor):
        job_lists.page(parse(""), cursor=cursor, limit=1)
    assert len(job_lists.page(parse(""), cursor=cursor, limit=1, tenant="acme").items) == 1


def test_without_redis_the_database_tells(jobs: Jobs, settings: Settings) -> None:
    places = everywhere(jobs)
    settings.REDIS = False
    for limit in (1, 50):
        assert found(limit=limit) == [
            job_id for ids in places.values() for job_id in ids if job_id.startswith(("s-", "done-"))
        ]


@pytest.mark.usefixtures("no_redis")
def test_while_redis_is_away_what_the_database_holds_is_told() -> None:
    done, kept = finished("done"), spooled("kept")
    assert found("state:finished") == [done]
    assert found("state:spooled") == [kept]
    for text in ("", "state:failed", "state:queued"):
        with pytest.raises(redis.RedisError):
            job_lists.page(parse(text))


def test_a_place_deep_in_a_list_is_found_again_when_others_have_gone(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_NEAR", 3)
    ids = jobs.enqueue(60)
    for claimed in (0, 2, 20):
        first = job_lists.page(parse("state:queued"), limit=40 - claimed)
        last = first.items[-1]["id"]
        if claimed:
            jobs.start(limit=claimed)
        assert first.next is not None
        rest = job_lists.page(parse("state:queued"), cursor=first.next, limit=100)
        assert [job["id"] for job in rest.items] == ids[ids.index(last) + 1 :]


def test_positions_are_told_as_of_each_alone(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with ids of discarded jobs between them, and past the cap."""
    from ingest.reading import jobs as one

    monkeypatch.setattr(one, "POSITION_CAP", 40)
    jobs.enqueue(3, queue="critical")
    waiting = jobs.enqueue(60)
    jobs.transitions.discard("high", waiting[5:15])
    page = job_lists.page(parse("queue:high,critical state:queued"), limit=100)
    assert len(page.items) == 53
    assert [job["position"] for job in page.items[:10]] == [1, 2, 3, 1, 2, 3, 4, 5, 6, 7]
    for job in page.items:
        assert job == queries.job(job["id"])
