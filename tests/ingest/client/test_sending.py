"""Enqueue and enqueue_many: what comes in over Python is what comes in over HTTP (A5 B1 B3 B12 B13 D2 D8 E1 E14)."""

import enum
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest import client
from ingest.queue import keys
from ingest.queue.payload import decode
from tests.conftest import Valkey
from tests.ingest.client.conftest import Worker


def stored(connection: redis.Redis, job_id: str) -> Any:
    data = connection.hget(keys.job(job_id), "data")
    assert isinstance(data, bytes)
    return decode(data, job_id)


def told(job_id: str) -> None:
    """A callback."""


CALLBACK = f"{told.__module__}.told"


def test_an_event_becomes_a_job_of_its_kind_and_priority(face: Any, empty_redis: redis.Redis) -> None:
    receipt = face.enqueue("memo", source="bot", tenant="acme", priority="high", text="hello", n=2**70)

    assert (receipt.outcome, receipt.state) == ("accepted", "queued")
    assert empty_redis.lrange(keys.queue("high"), 0, -1) == [receipt.id.encode()]
    payload = stored(empty_redis, receipt.id)
    assert (payload.kind, payload.source, payload.tenant, payload.priority) == ("memo", "bot", "acme", "high")
    assert payload.body == (
        b'{"kind":"memo","source":"bot","tenant":"acme","priority":"high","text":"hello","n":1180591620717411303424}'
    )


def test_b12_the_id_is_the_idempotency_key(face: Any, empty_redis: redis.Redis) -> None:
    first = face.enqueue("memo", id="m1", text="hello")
    again = face.enqueue("memo", id="m1", text="hello")
    assert (again.outcome, again.id) == ("duplicate", first.id)

    with pytest.raises(client.IdReused, match="m1") as refused:
        face.enqueue("memo", id="m1", text="goodbye")
    assert [receipt.outcome for receipt in refused.value.receipts] == ["id_reused"]
    assert empty_redis.llen(keys.queue("medium")) == 1


@pytest.mark.parametrize("field", ["delay_seconds", "run_at"])
def test_b1_a_delayed_event_waits_for_its_time(face: Any, empty_redis: redis.Redis, field: str) -> None:
    when = {"delay_seconds": 60, "run_at": datetime.now(UTC) + timedelta(minutes=1)}[field]
    receipt = face.enqueue("memo", **{field: when})
    assert receipt.state == "scheduled"
    due = empty_redis.zscore(keys.scheduled("medium"), receipt.id)
    assert due == pytest.approx(datetime.now(UTC).timestamp() + 60, abs=15)


def test_d8_a_callback_is_a_function_that_the_settings_name(
    face: Any, empty_redis: redis.Redis, settings: Settings
) -> None:
    settings.CALLBACKS = (CALLBACK,)
    by_function = face.enqueue("memo", callback=told)
    by_path = face.enqueue("memo", callback=CALLBACK)
    for receipt in (by_function, by_path):
        assert empty_redis.hget(keys.job(receipt.id), keys.CALLBACK) == CALLBACK.encode()
        assert b"callback" not in stored(empty_redis, receipt.id).body


def test_kinds_for_code_alone_are_known_here(face: Any, empty_redis: redis.Redis) -> None:
    assert face.enqueue("chore").stored


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"title": "x" * 2000}, "title may have 1,024 characters, not 2,000"),
        ({"source": "a\nb"}, "source must not hold control characters"),
        ({"id": ""}, "id must not be empty"),
        ({"priority": "urgent"}, "priority must be one of critical, high, medium, low"),
        ({"text": ""}, "text must not be empty"),
        ({"user_id": 7}, "user_id must be a text"),
        ({"payload": {"n": float("nan")}}, "cannot be sent as JSON"),
        ({"payload": {"a": Colour.RED}}, "Colour is no JSON value"),
        ({"payload": "\ud800"}, "half of a surrogate pair"),
        ({"payload": "\0"}, "U\\+0000"),
        ({"payload": "x" * 300_000}, "larger than 262,144 bytes"),
        ({"delay_seconds": -1}, "delay_seconds must be a number from 0 to"),
        ({"run_at": datetime(2030, 1, 1)}, "run_at must be an RFC 3339 time with a zone"),  # noqa: DTZ001
        ({"callback": "os.system"}, "callback names a function that is not in CALLBACKS"),
        ({"callback": 7}, "callback must be a function or its dotted path"),
        ({"callback_url": "ftp://example.org"}, "callback_url must be an http or https address"),
    ],
)
def test_a_wrong_field_is_named_with_its_limit(
    face: Any, empty_redis: redis.Redis, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        face.enqueue("memo", **fields)
    assert not empty_redis.keys("rq:job:*")


def test_an_unknown_kind_is_refused(face: Any, empty_redis: redis.Redis) -> None:
    with pytest.raises(ValueError, match=r"kind must be one of alert, .*memo, chore"):
        face.enqueue("poem")


def test_b13_many_go_in_their_order_over_several_calls(face: Any, empty_redis: redis.Redis) -> None:
    events = [{"kind": "memo", "n": n, "priority": "high" if n % 2 else "low"} for n in range(350)]
    receipts = face.enqueue_many(events)
    assert [receipt.outcome for receipt in receipts] == ["accepted"] * 350
    for queue, rest in (("low", 0), ("high", 1)):
        ids = [receipt.id.encode() for receipt in receipts[rest::2]]
        assert empty_redis.lrange(keys.queue(queue), 0, -1) == ids


def test_many_may_be_of_several_kinds_and_come_from_a_generator(face: Any, empty_redis: redis.Redis) -> None:
    receipts = face.enqueue_many({"kind": kind} for kind in ("memo", "chore", "alert"))
    assert [receipt.event.kind.name for receipt in receipts] == ["memo", "chore", "alert"]
    assert face.enqueue_many([]) == []


def test_of_many_duplicates_are_told(face: Any, empty_redis: redis.Redis) -> None:
    receipts = face.enqueue_many([{"id": "a"}, {"id": "a"}, {"id": "b"}])
    assert [receipt.outcome for receipt in receipts] == ["accepted", "duplicate", "accepted"]


def test_of_many_a_wrong_one_is_named_and_none_is_stored(face: Any, empty_redis: redis.Redis) -> None:
    with pytest.raises(ValueError, match="event 1: title must be a text"):
        face.enqueue_many([{"title": "good"}, {"title": 3}])
    assert not empty_redis.keys("rq:job:*")


def test_of_many_a_reused_id_is_told_with_the_receipts_of_the_others(face: Any, empty_redis: redis.Redis) -> None:
    with pytest.raises(client.IdReused, match="1 of 2 events were not stored") as refused:
        face.enqueue_many([{"id": "a"}, {"id": "a", "title": "other"}])
    assert [receipt.outcome for receipt in refused.value.receipts] == ["accepted", "id_reused"]
    assert empty_redis.llen(keys.queue("medium")) == 1


def test_a_full_queue_takes_no_more(face: Any, empty_redis: redis.Redis, settings: Settings) -> None:
    settings.QUEUE_LIMITS = {**settings.QUEUE_LIMITS, "low": 2}
    with pytest.raises(client.Unavailable, match=r"The queue low is full\. 1 of 3 events were not stored") as refused:
        face.enqueue_many([{"priority": "low"}] * 3)
    assert [receipt.outcome for receipt in refused.value.receipts] == ["accepted", "accepted", "full"]
    assert not refused.value.unknown
    with pytest.raises(client.Unavailable, match="full"):
        face.enqueue("alert", priority="low")


@pytest.mark.parametrize("send", [lambda face: face.enqueue(), lambda face: face.enqueue_many([{}] * 150)])
def test_without_redis_nothing_is_stored_and_that_is_said(face: Any, mortal: Valkey, send: Any) -> None:
    mortal.kill()
    with pytest.raises(client.Unavailable) as refused:
        send(face)
    assert not refused.value.unknown
    assert refused.value.receipts == ()


def test_b5_b10_retries_and_timeout_are_those_of_the_kind(face: Any, worker: Worker) -> None:
    receipt = face.enqueue("memo")
    known = worker.redis.hmget(keys.job(receipt.id), "retries_left", "timeout", "result_ttl", "mode")
    assert known == [b"1", b"300", b"86400", b"single"]
