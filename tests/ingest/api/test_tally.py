"""What came in at the door is counted by source, key and reason, beside the requests and within bounds."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.api import admission, pressure, tally
from ingest.api.pressure import shed_at
from ingest.api.sender import KEYLESS
from ingest.api.tally import Tally
from ingest.models import ApiKey
from ingest.queue import connections, keys
from tests.conftest import wait_until
from tests.ingest.api.conftest import ALERT, EVENTS, NDJSON, Post, ndjson

STRICT = {"prefer": "handling=strict"}


def counts(client: redis.Redis, name: str = keys.TALLY) -> dict[str, int]:
    tally.settle()
    return {what.decode(): int(number) for what, number in client.hgetall(name).items()}


def of(client: redis.Redis, source: str) -> dict[str, int]:
    return counts(client, keys.tally_source(source))


@pytest.fixture
def own() -> Iterator[Tally]:
    """A tally as another process has it."""
    made = Tally()
    yield made
    made.forget()


def test_accepted_duplicates_and_rejected_are_counted_by_source_and_code(post: Post, empty_redis: redis.Redis) -> None:
    post(EVENTS, {"id": "1", "source": "edge", "title": "one"})
    post(
        EVENTS,
        [{"id": "1", "source": "edge", "title": "one"}, {"id": "2", "source": "db"}, {"title": 5, "source": "db"}],
    )
    post(EVENTS, {"id": "1", "source": "edge", "title": "another body"})
    post(EVENTS, ndjson(b'{"source": "db"}', b"not json"), content_type=NDJSON)

    assert of(empty_redis, "edge") == {"accepted": 1, "duplicates": 1, "rejected:id_reused": 1}
    assert of(empty_redis, "db") == {"accepted": 2, "rejected:wrong_type": 1}
    (code,) = of(empty_redis, "")
    assert code.startswith("rejected:")
    total = counts(empty_redis)
    assert total == {"accepted": 3, "duplicates": 1, "rejected:id_reused": 1, "rejected:wrong_type": 1, code: 1}
    assert counts(empty_redis, keys.tally_key(tally.LOCAL)) == total
    assert set(empty_redis.zrange(keys.TALLY_SOURCES, 0, -1)) == {b"edge", b"db", b""}


def test_a_request_that_is_refused_as_a_whole_is_one_also_under_an_idempotency_key(
    post: Post, empty_redis: redis.Redis
) -> None:
    for headers in ({}, {"idempotency-key": "k"}):
        assert post(EVENTS, [], headers=headers).status == 422
    assert post(ALERT, b"<xml/>", content_type="text/xml").status == 415
    assert counts(empty_redis) == {"rejected:no_events": 2, "rejected:unsupported_media_type": 1}


def test_a_replayed_answer_is_no_event(post: Post, empty_redis: redis.Redis) -> None:
    for _ in range(2):
        assert post(EVENTS, {"title": "once"}, headers={"idempotency-key": "k"}).status == 202
    assert counts(empty_redis) == {"accepted": 1}


def test_what_is_shed_is_counted_once_by_its_reason(
    post: Post, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 10."""
    monkeypatch.setattr(pressure.watch, "shed", lambda: shed_at(80, None, 0))
    events = [{"source": "edge", "priority": priority} for priority in ("low", "low", "high")]
    assert post(EVENTS, events).status == 207
    assert of(empty_redis, "edge") == {"accepted": 1, "shed:redis_memory": 2}
    # All or nothing: the good one is withheld.
    assert post(EVENTS, events, headers=STRICT).status == 503
    assert of(empty_redis, "edge") == {"accepted": 1, "shed:redis_memory": 4, "rejected:withheld": 1}


def test_a_strict_request_counts_the_bad_by_code_and_the_good_as_withheld(post: Post, empty_redis: redis.Redis) -> None:
    assert post(EVENTS, [{"source": "a"}, {"source": "a", "title": 5}, {"source": "b"}], headers=STRICT).status == 422
    assert counts(empty_redis) == {"rejected:withheld": 2, "rejected:wrong_type": 1}
    assert of(empty_redis, "b") == {"rejected:withheld": 1}


def test_a_full_queue_is_shedding(post: Post, empty_redis: redis.Redis, settings: Settings) -> None:
    settings.QUEUE_LIMITS = dict(settings.QUEUE_LIMITS) | {"low": 1}
    for _ in range(2):
        post(EVENTS, {"source": "edge", "priority": "low"})
    assert of(empty_redis, "edge") == {"accepted": 1, "shed:queue_full": 1}


def test_what_is_over_a_keys_rate_is_counted_for_the_key(
    post: Post, make_key: Callable[..., str], empty_redis: redis.Redis
) -> None:
    key = {"x-api-key": make_key("slow", "ingest", "--rate=0.01", "--burst=1", "--source=edge")}
    assert [post(EVENTS, {}, headers=key).status for _ in range(3)] == [202, 429, 429]
    expected = {"accepted": 1, "limited:key_rate": 2}
    assert counts(empty_redis, keys.tally_key(str(ApiKey.objects.get().pk))) == expected
    assert of(empty_redis, "edge") == expected


def test_counting_waits_for_nobody_and_is_kept_while_redis_is_away(
    empty_redis: redis.Redis, settings: Settings, own: Tally, tmp_path: Path
) -> None:
    there = settings.REDIS_URL
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    for _ in range(3):
        own.add("7", {("edge", "accepted"): 1})
        own.settle()
    assert not empty_redis.exists(keys.TALLY)
    settings.REDIS_URL = there
    wait_until(lambda: empty_redis.hget(keys.TALLY, "accepted") == b"3", what="the counts")
    assert empty_redis.hget(keys.tally_key("7"), "accepted") == b"3"


def test_counts_whose_answer_was_lost_are_not_added_twice(
    empty_redis: redis.Redis, own: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = redis.client.Pipeline.execute
    lost = threading.Event()

    def losing(self: Any, *args: Any, **options: Any) -> Any:
        answer = execute(self, *args, **options)
        if not lost.is_set() and threading.current_thread().name.startswith("tally"):
            lost.set()
            raise redis.TimeoutError("no answer")
        return answer

    monkeypatch.setattr(redis.client.Pipeline, "execute", losing)
    own.add("7", {("edge", "accepted"): 1})
    own.settle()
    assert lost.is_set()
    own.add("7", {("edge", "accepted"): 1})
    wait_until(lambda: empty_redis.hget(keys.TALLY, "accepted") == b"2", what="both counts")


def test_many_counts_are_one_write(empty_redis: redis.Redis, own: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: Counter[str] = Counter()
    write = Tally._write
    monkeypatch.setattr(Tally, "_write", lambda self, sent: (writes.update(["write"]), write(self, sent))[1])
    own._flushed_at = time.monotonic() + 60  # a flush has just been: the next one waits until it is told
    for _ in range(500):
        own.add("7", {("edge", "accepted"): 1})
    own.settle()
    assert empty_redis.hget(keys.TALLY, "accepted") == b"500"
    assert writes == {"write": 1}


def test_made_up_sources_share_one_row(empty_redis: redis.Redis, own: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "SOURCES", 10)
    for start in (0, 20):  # within one flush, and over more than one
        own.add("7", {(f"source {number}", "accepted"): 1 for number in range(start, start + 20)})
        own.settle()
        wait_until(lambda start=start: empty_redis.hget(keys.TALLY, "accepted") == b"%d" % (start + 20), what="counts")
    assert empty_redis.zcard(keys.TALLY_SOURCES) <= 12
    names = empty_redis.zrange(keys.TALLY_SOURCES, 0, -1)
    rows = [empty_redis.hget(keys.tally_source(name.decode()), "accepted") for name in names]
    assert sum(map(int, rows)) == 40


def test_a_new_source_gets_the_row_of_one_that_was_silent_for_a_day(
    empty_redis: redis.Redis, own: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "SOURCES", 2)
    empty_redis.zadd(keys.TALLY_SOURCES, {"long ago": 1, "lately": 2e10})
    empty_redis.hset(keys.tally_source("long ago"), "accepted", 1)
    own.add("7", {("new", "accepted"): 1})
    own.settle()
    assert set(empty_redis.zrange(keys.TALLY_SOURCES, 0, -1)) == {b"lately", b"new"}
    assert not empty_redis.exists(keys.tally_source("long ago"))


def test_names_are_cut(empty_redis: redis.Redis) -> None:
    admission.refused("rate_limited", KEYLESS, "", 3, source="x" * 255)
    assert of(empty_redis, "x" * tally.NAME_LENGTH) == {"limited:key_rate": 3}


def test_without_redis_the_counts_stay_in_the_process(settings: Settings, own: Tally) -> None:
    settings.REDIS = False
    connections.close_connections()
    own.add("7", {("edge", "accepted"): 2})
    own.settle()
    assert own.here().total == {"accepted": 2}
    assert own.here().sources["edge"] == {"accepted": 2}
