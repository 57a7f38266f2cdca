"""`POST /api/messages` on both faces: identity, position, order, user, callback, and what is refused (D2, D8, D10)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from ingest import accept, client
from ingest.accept import jobs
from ingest.api import idempotency
from ingest.models import SpooledEvent
from ingest.queue import keys
from ingest.queue.payload import body_of
from ingest.queue.transitions import Transitions
from tests.ingest.api.conftest import EVENTS, Post

MESSAGES = "/api/messages"


def message(**fields: Any) -> dict[str, Any]:
    """As the source's usage section sends it, without its id."""
    said = {"user_id": "user123", "message": "Hello, world!", "source_type": "telegram", "source_id": "chat123"}
    return {**said, "chat_id": "chat123", "chat_type": "private", **fields}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Acceptance's, a second before its minute ends; calling it moves it on."""

    class Clock(datetime):
        at = datetime(2026, 11, 27, 12, 0, 59, tzinfo=UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return cls.at

    monkeypatch.setattr(jobs, "datetime", Clock)

    def move(seconds: float) -> None:
        Clock.at += timedelta(seconds=seconds)

    return move


def test_a_message_is_queued_with_its_position(post: Post, empty_redis: redis.Redis) -> None:
    sent = message(message_id="msg123", response_token="bot-token", unknown="kept")
    answers = [post(MESSAGES, sent), *(post(MESSAGES, message(message_id=f"m{n}")) for n in range(2))]
    assert [answer.status for answer in answers] == [202] * 3
    assert [answer.json["position"] for answer in answers] == [1, 2, 3]
    first = answers[0].json
    assert {**first, "id": ""} == {
        "id": "", "event_id": "msg123", "status": "queued", "duplicate": False, "durability": "redis",
        "kind": "message", "priority": "medium", "queue": "medium", "position": 1, "warnings": [],
        "severity": {"raw": None, "mapped": "medium", "by": "default"},
    }  # fmt: skip
    found = empty_redis.hgetall(keys.job(first["id"]))
    assert json.loads(body_of(found[b"data"])) == sent
    assert (found[b"source"], found[b"mode"], found[b"result_ttl"]) == (b"telegram", b"async", b"86400")
    assert json.loads(found[b"retry_intervals"]) == [10, 20, 40, 80, 160]
    assert client.get_user_request("user123").id == answers[2].json["id"]


def test_copies_are_told_by_where_they_were_said(post: Post) -> None:
    first = post(MESSAGES, message(message_id="1", response_token="a")).json
    again = post(MESSAGES, message(message_id="1", response_token="another one"))
    assert (again.status, again.json["id"], again.json["duplicate"]) == (202, first["id"], True)
    assert again.json["position"] == 1
    for field in ("source_type", "source_id", "chat_id"):
        other = post(MESSAGES, message(message_id="1", **{field: "elsewhere"}))
        assert (other.status, other.json["duplicate"]) == (202, False)
    edited = post(MESSAGES, message(message_id="1", message="Hello!"))
    assert (edited.status, edited.json["code"]) == (409, "id_reused")
    assert post(MESSAGES, message(id="1")).json["duplicate"]
    assert post(EVENTS, message(kind="message", message_id="1")).json["duplicate"]


def test_without_an_id_who_said_what_where_is_told_for_a_minute(post: Post, clock: Any, worked: Any) -> None:
    """Also across the border of two windows, while the first one waits, and after it ran."""
    first = post(MESSAGES, message()).json
    assert first["event_id"] is None
    for seconds in (0, 30, 29.9):
        clock(seconds)
        again = post(MESSAGES, message(response_token="another one")).json
        assert (again["id"], again["duplicate"], again["status"]) == (first["id"], True, "queued")
    assert not post(MESSAGES, message(user_id="user124")).json["duplicate"]
    assert not post(MESSAGES, message(message="Hello")).json["duplicate"]
    worked()
    again = post(MESSAGES, message()).json
    assert (again["id"], again["status"]) == (first["id"], "finished")


@pytest.fixture
def worked(empty_redis: redis.Redis) -> Any:
    def work() -> None:
        transitions = Transitions(empty_redis)
        claim = transitions.claim("w1", ["medium"], claim_id="c1", lease=30)
        assert claim is not None
        assert not transitions.complete("medium", claim.id, "w1", [job.id for job in claim.jobs])

    return work


def test_the_same_said_again_later_is_another_message(
    post: Post, clock: Any, worked: Any, empty_redis: redis.Redis
) -> None:
    """Though the first one still waits, or its result is kept."""
    first = post(MESSAGES, message()).json
    for number in range(3):
        clock(61)
        for marker in empty_redis.scan_iter(keys.marker("*")):
            assert 0 < empty_redis.ttl(marker) <= 60
            empty_redis.delete(marker)  # as its time to live does
        later = post(MESSAGES, message()).json
        assert (later["duplicate"], later["id"] == first["id"]) == (False, False)
        if number == 1:
            worked()


def test_a_discarded_message_may_be_said_again_at_once(post: Post, clock: Any) -> None:
    first = post(MESSAGES, message()).json
    client.cancel(first["id"])
    clock(2)  # the next window
    assert not post(MESSAGES, message()).json["duplicate"]


@pytest.mark.both_databases
def test_copies_are_told_in_the_spool_too(post: Post, clock: Any, down: Any) -> None:
    first = post(MESSAGES, message())
    assert (first.json["status"], first.json["durability"], first.json["position"]) == ("spooled", "database", None)
    clock(30)
    again = post(MESSAGES, message()).json
    assert (again["id"], again["duplicate"]) == (first.json["id"], True)
    clock(31)
    assert not post(MESSAGES, message()).json["duplicate"]
    assert SpooledEvent.objects.count() == 2


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acceptance does not reach Redis."""
    monkeypatch.setattr(accept.breaker, "lets_through", lambda: False)


def test_a_copy_of_a_spooled_message_meets_it_there(post: Post, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:
        away.setattr(accept.breaker, "lets_through", lambda: False)
        first = post(MESSAGES, message()).json
    clock(30)
    again = post(MESSAGES, message()).json
    assert (again["id"], again["duplicate"], again["durability"]) == (first["id"], True, "database")


def test_all_or_nothing_tells_copies_of_earlier_messages(post: Post, clock: Any) -> None:
    strict = {"Prefer": "handling=strict"}
    first = post(MESSAGES, message()).json
    clock(5)
    sent = [message(kind="message"), message(kind="message", message="Good morning")]
    answer = post(EVENTS, sent, headers={**strict, "Prefer": "handling=strict, return=representation"})
    assert (answer.status, answer.json["duplicates"], answer.json["accepted"]) == (202, 1, 1)
    assert answer.json["items"][0]["id"] == first["id"]
    clock(30)
    bad = [message(kind="message", message="Good night")] * 2 + [message(kind="message", message_id="x")] * 2
    bad[3] = {**bad[3], "message": "edited"}
    assert post(EVENTS, bad, headers=strict).status == 422
    assert not post(MESSAGES, message(message="Good night")).json["duplicate"]


def test_an_idempotency_key_reaches_further_than_the_window(post: Post, clock: Any, empty_redis: redis.Redis) -> None:
    headers = {"Idempotency-Key": "one"}
    first = post(MESSAGES, message(), headers=headers).json
    empty_redis.delete(*empty_redis.scan_iter(keys.idempotency("*")))  # the answer was lost in a crash
    idempotency.forget()
    clock(3600)
    again = post(MESSAGES, message(), headers=headers).json
    assert (again["id"], again["duplicate"]) == (first["id"], True)


def test_messages_of_one_ordering_key_follow_one_another(post: Post, empty_redis: redis.Redis) -> None:
    answers = [post(MESSAGES, message(message_id=str(n), ordering_key="chat123")).json for n in range(3)]
    assert [answer["position"] for answer in answers] == [1, 2, 3]
    assert empty_redis.llen(keys.queue("medium")) == 1
    assert empty_redis.zrange(keys.behind("medium"), 0, -1) == [answer["id"].encode() for answer in answers[1:]]


@pytest.mark.parametrize("field", ["callback", "callback_url"])
def test_it_is_told_at_every_step(post: Post, empty_redis: redis.Redis, field: str) -> None:
    answer = post(MESSAGES, message(**{field: "https://example.org/told"}))
    assert answer.status == 202
    (line,) = (json.loads(line) for line in empty_redis.lrange(keys.OUTBOX, 0, -1))
    assert (line["event"], line["callback"]) == ("queued", "https://example.org/told")
    both = post(MESSAGES, message(callback="https://example.org/a", callback_url="https://example.org/b"))
    assert (both.status, both.json["field"]) == (422, "callback")


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"user_id": None}, "user_id", "missing_field"),
        ({"user_id": ""}, "user_id", "missing_field"),
        ({"user_id": 7}, "user_id", "wrong_type"),
        ({"user_id": "u" * 256}, "user_id", "too_long"),
        ({"message": None}, "message", "missing_field"),
        ({"message": ""}, "message", "missing_field"),
        ({"message": ["Hello"]}, "message", "wrong_type"),
        ({"source_type": 7}, "source_type", "wrong_type"),
        ({"chat_id": "a\x07"}, "chat_id", "invalid_value"),
        ({"chat_type": "c" * 256}, "chat_type", "too_long"),
        ({"message_id": 7}, "message_id", "wrong_type"),
        ({"message_id": ""}, "message_id", "invalid_value"),
        ({"message_id": "a", "id": "b"}, "id", "conflict"),
        ({"response_token": "t" * 4_097}, "response_token", "too_long"),
        ({"response_token": 7}, "response_token", "wrong_type"),
        ({"ordering_key": 7}, "ordering_key", "wrong_type"),
        ({"ordering_key": "k" * 256}, "ordering_key", "too_long"),
        ({"callback": 7}, "callback", "wrong_type"),
        ({"callback": "ftp://example.org"}, "callback", "invalid_value"),
        ({"kind": "alert"}, "kind", "unknown_kind"),
    ],
)
def test_what_is_wrong_is_named(post: Post, fields: dict[str, Any], field: str, code: str) -> None:
    answer = post(MESSAGES, message(**fields))
    assert (answer.status, answer.json["field"], answer.json["code"]) == (422, field, code)
    assert "t" * 100 not in answer.body.decode(), "a credential is not answered"


def test_it_takes_one_and_not_several(post: Post) -> None:
    answer = post(MESSAGES, [message(), message()])
    assert (answer.status, answer.json["code"]) == (422, "wrong_type")
