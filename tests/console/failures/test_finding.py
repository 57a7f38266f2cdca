"""Page, replays, API and command line choose the same dead letters by the same filter (issue 8 parts 1 and 8)."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from ingest.queue import keys
from ingest.queue.connections import server_time
from queueadmin.console import dead_letters, failures, operations
from queueadmin.console.dead_letters import Bound
from queueadmin.console.failures import Indexer, NotIndexed, triage
from queueadmin.console.failures.walking import Walk
from queueadmin.console.filters import Filter, parse
from queueadmin.console.models import Failure
from queueadmin.console.replays.apart import set_apart
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import carry, dlq, fail, refused
from tests.console.dead_letters.test_ahead import put_ahead

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

#: What filters are made of. Each stands in some of the dead letters, in a form that is easily met wrong.
TERMS = (
    *("source:zabbix", "source:zabbix,prometheus", 'source:""', "tenant:acme", 'tenant:""', "queue:low", "kind:alert"),
    *("error:connecttimeout", "error:app.net.ConnectTimeout", "reason:permanent,poison", "id:disk-1", "state:failed"),
    *("permanent:yes", "permanent:no", "permanent:yes,no", "permanent:no device", "state:trash permanent:yes"),
    *("state:trash", "since:1h", "older:1h", "replay:7", 'replay:""', "device", "devi", "evice", "DEVICE", "timeo"),
    *('"such device"', '"device such"', '"device 17"', "web-7", "WEB", "über,nothing", "fiesch", "1.5", "true"),
    *("payload.host:WEB-7", "payload.host:web-7", 'payload.host:""', "payload.labels.tags:blau,rot", "payload.n:17"),
    *("payload.share:1.50", "payload.share:1.5", "payload.ok:true", "payload.none:null", "payload.labels.tags.0:rot"),
    *("payload.payload.host:WEB-7", "payload.title:Paragliding", 'payload.sign:"---"', "payload.far:away"),
)
EVENTS = (
    {"title": "Paragliding über Fiesch", "payload": {"host": "WEB-7", "n": 17}},
    {"title": "no", "labels": {"tags": ["blau", "rot"]}, "host": "WEB-7 and more", "share": 1.5, "ok": True},
    {"title": "Paragliding", "labels": {"tags": "rot"}, "none": None, "n": "17", "sign": "---"},
    {"title": "long", "text": ["w" * 100] * 210, "far": "away"},
)


@pytest.fixture
def ids(indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis) -> list[str]:
    """Dead letters of several causes, queues and tenants, and one that failed after the index was written."""
    made = [
        *fail(jobs, 2, message="host db-1.example.com is away", kind="app.net.ConnectTimeout", source="zabbix"),
        *fail(
            jobs, 2, message="no such device 12", queue="low", source="prometheus", tenant="acme", reason="permanent"
        ),
        *fail(jobs, 2, message="no such device 17", queue="critical", source="prometheus", reason="poison"),
        *fail(jobs, message="", kind="", queue="low", source="", event_id="disk-1"),
    ]
    for job_id, event in zip(made, [*EVENTS, *EVENTS[:2]], strict=False):
        carry(job_id, json.dumps(event).encode())
    empty_redis.hset(keys.job(made[1]), keys.REPLAY, 7)
    operations.mark([made[3]], permanent=True, actor="ada")
    indexer.step()
    empty_redis.persist(keys.FAILURES)  # a busy machine takes longer than it counts for
    operations.mark([made[0], made[5]], permanent=True, actor="ada")
    operations.mark([made[5]], permanent=False, actor="ada")
    return made


def filters(count: int) -> Iterator[str]:
    numbers = random.Random(8)
    yield from TERMS
    for term in TERMS:
        if not term.startswith(("since", "older")):
            yield f"-{term}"
    for _ in range(count):
        chosen = numbers.sample(TERMS, numbers.choice((2, 2, 3)))
        yield " ".join(
            f"-{t}" if numbers.random() < 0.3 and not t.startswith(("since", "older")) else t for t in chosen
        )


def by_registries(client: redis.Redis, chosen: Filter) -> set[str]:
    return {record.id for record in dead_letters.matching(client, chosen, now=server_time(client))}


def by_index(client: redis.Redis, chosen: Filter) -> set[str]:
    read = Bound()
    found = {record.id for record in failures.matching(client, chosen, now=server_time(client), bound=read)}
    assert read.candidates is not None, "the index was not used"
    return found


def by_page(chosen: Filter) -> set[str] | None:
    try:
        return {row.id for row in triage.rows(chosen, now=datetime.now(UTC)).items}
    except NotIndexed:
        return None


def by_replay(client: redis.Redis, chosen: Filter) -> set[str]:
    """The set that a replay freezes, poison included."""
    name, now = set_apart(client, trash=False)
    return {record.id for page in Walk(client, chosen, now=now, apart=name).pages() for record in page}


def by_command(chosen: str) -> set[str]:
    found = json.loads(dlq("list", "--json", "--limit", "500", chosen)) if chosen else {"items": []}
    return {item["id"] for item in found["items"]}


def test_they_all_choose_the_same(ids: list[str], empty_redis: redis.Redis) -> None:
    met: list[int] = []
    for text in filters(60):
        chosen = parse(text)
        expected = by_registries(empty_redis, chosen)
        met.append(len(expected))
        assert by_index(empty_redis, chosen) == expected, text
        assert by_replay(empty_redis, chosen) == expected, text
        if (shown := by_page(chosen)) is not None:
            assert shown == expected, text
        if len(met) % 8:
            continue  # a command takes a while
        if expected:
            assert by_command(text) == expected, text
        else:
            assert refused("list", text)[0] == 1, text
    assert len(set(met)) > 5  # the filters are no sham


def test_what_failed_after_the_index_was_written_is_found_too(
    ids: list[str], jobs: Jobs, empty_redis: redis.Redis
) -> None:
    (late,) = fail(jobs, message="no such device 17")
    jobs.transitions.requeue("low", [ids[6]])
    assert by_index(empty_redis, parse('"such device"')) == {*ids[2:6], late}
    assert by_index(empty_redis, Filter()) == {*ids[:6], late}


def test_what_fails_after_the_moment_is_never_found(ids: list[str], jobs: Jobs, empty_redis: redis.Redis) -> None:
    now = server_time(empty_redis)
    again = ids[0]
    jobs.transitions.requeue("high", [again])
    jobs.start()
    claim_failed = fail(jobs, message="later")
    found = {record.id for record in failures.matching(empty_redis, Filter(), now=now)}
    assert found == set(ids[1:])
    assert claim_failed[0] not in found


def test_without_an_index_the_registries_are_read(ids: list[str], empty_redis: redis.Redis) -> None:
    empty_redis.delete(keys.FAILURES)
    read = Bound()
    found = list(failures.matching(empty_redis, parse("device"), now=server_time(empty_redis), bound=read))
    assert {record.id for record in found} == set(ids[2:6])
    assert (read.candidates, read.looked_at) == (None, 7)


def test_what_came_back_from_the_trash_to_its_old_place_is_found(
    ids: list[str], indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    jobs.transitions.discard("low", ids[2:4])
    assert indexer.step().rows == 5
    jobs.transitions.restore("low", ids[2:4])
    indexer._begin()  # a publisher that begins anew, and has not looked yet
    assert by_registries(empty_redis, parse("tenant:acme")) == set(ids[2:4])
    indexer.step()
    assert by_index(empty_redis, parse("tenant:acme")) == set(ids[2:4])


def test_a_path_reads_those_alone_whose_words_may_fit(ids: list[str], empty_redis: redis.Redis) -> None:
    read = Bound()
    list(failures.matching(empty_redis, parse("payload.n:17"), now=server_time(empty_redis), bound=read))
    assert read.candidates is not None
    assert read.candidates < len(ids)


def test_of_an_event_with_more_words_than_are_searched_a_path_is_found(
    ids: list[str], empty_redis: redis.Redis
) -> None:
    assert Failure.objects.get(is_cut=True).job_id == ids[3]
    assert by_index(empty_redis, parse("payload.far:away")) == {ids[3]}
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert {r.id for r in failures.matching(empty_redis, parse("payload.far:away"), now=later)} == {ids[3]}


def test_x1_what_came_back_a_moment_ago_is_met(indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """To its old place, which is not the newest: a replay begun after Undo left out what that had brought back."""
    ids, others = jobs.fail(3), jobs.fail(3)
    while not indexer.step().complete:
        pass
    jobs.transitions.discard("high", ids)
    for _ in range(2):
        indexer.step()
    jobs.transitions.restore("high", ids)
    # As many have left, so that the rows are as many as the dead letters.
    jobs.transitions.requeue("high", others)
    assert _met(empty_redis, bound := Bound()) == set(ids)
    assert bound.candidates is None
    for _ in range(3):
        indexer.step()
    assert _met(empty_redis, bound := Bound()) == set(ids)
    assert bound.candidates == 3


def _met(client: redis.Redis, bound: Bound) -> set[str]:
    return {record.id for record in failures.matching(client, parse(""), now=server_time(client), bound=bound)}


def test_what_lies_ahead_of_a_clock_that_was_set_back_is_found(
    ids: list[str], indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    """And what failed since, which stands before what the index read last: the registries are read then."""
    put_ahead(empty_redis, ids[:2])
    indexer.step()
    (late,) = fail(jobs)
    found = {record.id for record in failures.matching(empty_redis, Filter(), now=server_time(empty_redis))}
    assert found == {*ids, late}
    assert by_replay(empty_redis, Filter()) == {*ids, late}
    assert by_page(Filter()) == set(ids)
    indexer.step()
    assert by_page(Filter()) == {*ids, late}
