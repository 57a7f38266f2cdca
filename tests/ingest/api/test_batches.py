"""Contract section 3, rule 2: what became of a batch's items, asked for later; on both faces."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.test import Client
from pytest_django.fixtures import Settings

from ingest.api import batches
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from tests.conftest import Valkey, wait_until
from tests.ingest.api.conftest import EVENTS, NDJSON, Post, ndjson, stored_ids

pytestmark = pytest.mark.both_databases

COUNTS = ("received", "accepted", "duplicates", "rejected")


def look(batch_id: str, status: int = 200, **headers: str) -> Any:
    answer = Client(headers={"host": "localhost", **headers}).get(f"/api/v1/batches/{batch_id}")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_each_item_says_what_became_of_it(post: Post, empty_redis: redis.Redis) -> None:
    known = b'{"title":"x","id":"b"}'
    post(EVENTS, known)
    body = ndjson(b'{"id":"a","title":"x","severity":"critical"}', b"nonsense", known, b'{"title":"c"}')
    sent = post(EVENTS, body, content_type=NDJSON)
    assert sent.headers["location"] == f"/api/v1/batches/{sent.json['batch_id']}"
    shown = sent.json["items"]
    Transitions(empty_redis).cancel("medium", [shown[3]["id"]])

    batch = look(sent.json["batch_id"])

    assert {name: batch[name] for name in COUNTS} == {name: sent.json[name] for name in COUNTS}
    assert (batch["batch_id"], batch["durability"]) == (sent.json["batch_id"], "redis")
    assert batch["states"] == {"queued": 2, "canceled": 1}
    first, refused, copy, canceled = batch["items"]
    assert first == {
        "index": 0,
        "status": 202,
        "id": shown[0]["id"],
        "event_id": "a",
        "duplicate": False,
        "state": "queued",
        "queue": "critical",
    }
    assert refused["error"] == {"code": "malformed_json", "detail": shown[1]["error"]["detail"]}
    assert (refused["status"], refused["event_id"], refused["retryable"]) == (400, None, False)
    assert (copy["duplicate"], copy["event_id"], canceled["state"]) == (True, "b", "canceled")


def test_a_full_batch_whose_items_the_answer_left_out(post: Post, empty_redis: redis.Redis) -> None:
    body = ndjson(*(b'{"title":"%d","id":"%d"}' % (number, number) for number in range(1000)))
    sent = post(EVENTS, body, content_type=NDJSON)
    assert "items" not in sent.json
    size = empty_redis.memory_usage(keys.batch(sent.json["batch_id"]))
    assert size is not None
    assert size < 32 * 1024
    batch = look(sent.json["batch_id"])
    assert {item["id"] for item in batch["items"]} == stored_ids(empty_redis)
    assert [item["event_id"] for item in batch["items"]] == [str(number) for number in range(1000)]


def test_a_job_that_left_nothing_has_no_state(post: Post, empty_redis: redis.Redis) -> None:
    sent = post(EVENTS, [{"title": "x"}], headers={"prefer": "return=representation"})
    ours = sent.json["items"][0]["id"]
    Transitions(empty_redis).discard("medium", [ours])
    Transitions(empty_redis).purge("medium", [ours])
    assert look(sent.json["batch_id"])["items"][0]["state"] is None


def test_it_is_kept_for_a_day(post: Post, empty_redis: redis.Redis) -> None:
    sent = post(EVENTS, [{"title": "x"}])
    assert 86_000 < empty_redis.ttl(keys.batch(sent.json["batch_id"])) <= 86_400


def test_a_batch_of_a_tenants_key_is_that_tenants(post: Post, make_key: Callable[..., str]) -> None:
    acme, globex, both = (
        make_key("acme", "ingest,read", "--tenant=acme"),
        make_key("globex", "read", "--tenant=globex"),
        make_key("both", "read"),
    )
    sent = post(EVENTS, [{"title": "x"}], headers={"x-api-key": acme})
    unbound = post(EVENTS, [{"title": "x", "tenant": "acme"}])
    ours = sent.json["batch_id"]
    assert look(ours, **{"x-api-key": acme})["accepted"] == 1
    assert look(ours, **{"x-api-key": both})["accepted"] == 1
    assert look(ours, 404, **{"x-api-key": globex})["code"] == "batch_not_found"
    assert look(unbound.json["batch_id"], 404, **{"x-api-key": acme})["code"] == "batch_not_found"


@pytest.mark.parametrize(
    "unknown", ["x", "83db8c189b30429caa9c08d53fa0a4ab", "0" * 200, "ffffffffffff7000bfffffffffffffff"]
)
def test_an_unknown_one_is_404(db: None, empty_redis: redis.Redis, unknown: str) -> None:
    assert look(unknown, 404)["code"] == "batch_not_found"


def test_an_old_one_is_410(db: None, empty_redis: redis.Redis) -> None:
    assert look("019600000000700080000000000000aa", 410)["code"] == "batch_gone"


def test_while_redis_is_away_it_waits_here(post: Post, mortal: Valkey) -> None:
    post(EVENTS, {"title": "warm"})
    mortal.kill()
    sent = [post(EVENTS, [{"title": "x"}, {"title": 7}]).json for _ in range(3)]
    assert [each["durability"] for each in sent] == ["database"] * 3
    for each in sent:
        batch = look(each["batch_id"])
        assert batch["states"] == {"spooled": 1}
        assert batch["items"][0]["event_id"] is None
    mortal.start()
    wait_until(lambda: post(EVENTS, [{"title": "z"}]).json["durability"] == "redis", what="taking in by Redis again")
    with redis.Redis.from_url(mortal.url) as client:
        assert all(client.exists(keys.batch(each["batch_id"])) for each in sent)
    assert not batches._waiting


def test_without_redis_it_stays_here(post: Post, settings: Settings) -> None:
    settings.REDIS = False
    sent = post(EVENTS, [{"title": "x"}])
    assert (sent.status, sent.json["durability"]) == (202, "database")
    batch = look(sent.json["batch_id"])
    assert batch["items"][0]["state"] in {"spooled", "started", "finished"}


def test_all_together_are_bounded(empty_redis: redis.Redis) -> None:
    """The oldest go first, also those whose time is over."""

    def keep(number: int, seconds: int = 60, most: int = 3 * 300) -> None:
        names = [keys.batch(str(number)), keys.BATCHES, keys.BATCH_BYTES]
        connection().register_script(batches._SCRIPT)(keys=names, args=[b"x" * 100, seconds, most])

    for number in range(5):
        keep(number)
    kept = [number for number in range(5) if empty_redis.exists(keys.batch(str(number)))]
    assert kept == [2, 3, 4]
    assert (empty_redis.llen(keys.BATCHES), int(empty_redis.get(keys.BATCH_BYTES) or 0)) == (3, 900)
    empty_redis.delete(keys.BATCHES, keys.BATCH_BYTES)
    empty_redis.rpush(keys.BATCHES, f"1 300 {keys.batch('2')}")  # one whose time was over long ago
    empty_redis.set(keys.BATCH_BYTES, 300)
    keep(5)
    assert int(empty_redis.get(keys.BATCH_BYTES) or 0) == 300
    assert empty_redis.llen(keys.BATCHES) == 1
