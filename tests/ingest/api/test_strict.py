"""Contract section 3, rule 2: `Prefer: handling=strict` is all or nothing, on both faces."""

import pytest
import redis
from pytest_django.fixtures import Settings

from ingest.accept import CALL_BYTES
from ingest.api import preferences
from ingest.api.preferences import Preferences
from ingest.models import SpooledEvent
from tests.conftest import Valkey
from tests.ingest.api.conftest import EVENTS, NDJSON, Post, Response, ndjson, stored_ids
from tests.ingest.api.test_redis_away import away

pytestmark = pytest.mark.both_databases


def strict(post: Post, body: object, prefer: str = "handling=strict", content_type: str = NDJSON) -> Response:
    content_type = NDJSON if isinstance(body, bytes) else "application/json"
    return post(EVENTS, body, headers={"prefer": prefer}, content_type=content_type)


def test_all_good_is_202(post: Post, empty_redis: redis.Redis) -> None:
    post(EVENTS, {"title": "b", "id": "b"})
    answer = strict(post, [{"title": "a"}, {"title": "b", "id": "b"}], "handling=strict, return=representation")

    assert (answer.status, answer.json["accepted"], answer.json["duplicates"]) == (202, 1, 1)
    assert answer.headers["preference-applied"] == "return=representation, handling=strict"
    assert [item["status"] for item in answer.json["items"]] == [202, 202]
    assert len(stored_ids(empty_redis)) == 2


@pytest.mark.parametrize("bad", [b"nonsense", b'{"title":7}', b'{"a":1,"a":2}', b'{"n":NaN}'])
def test_a_bad_item_refuses_all(post: Post, empty_redis: redis.Redis, bad: bytes) -> None:
    answer = strict(post, ndjson(b'{"title":"a"}', bad, b'{"title":"c","id":"c"}'))

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json["code"], answer.json["retryable"]) == ("strict_refused", False)
    assert [answer.json[name] for name in ("received", "accepted", "duplicates", "rejected")] == [3, 0, 0, 3]
    good, refused, last = answer.json["items"]
    assert refused["status"] in {400, 422}
    assert [(item["status"], item["error"]["code"], item["retryable"]) for item in (good, last)] == [
        (424, "withheld", False)
    ] * 2
    assert last["event_id"] == "c"
    assert stored_ids(empty_redis) == set()


def test_an_id_that_is_taken_refuses_all(post: Post, empty_redis: redis.Redis) -> None:
    post(EVENTS, {"title": "a", "id": "a"})
    post(EVENTS, {"title": "b", "id": "b"})
    answer = strict(post, [{"title": "new"}, {"title": "a", "id": "a"}, {"title": "other", "id": "b"}])

    assert (answer.status, answer.json["code"]) == (422, "strict_refused")
    assert [item["status"] for item in answer.json["items"]] == [424, 202, 409]
    assert len(stored_ids(empty_redis)) == 2


def test_a_full_queue_refuses_all_and_may_be_tried_again(
    post: Post, empty_redis: redis.Redis, settings: Settings
) -> None:
    settings.QUEUE_LIMITS = settings.QUEUE_LIMITS | {"medium": 2}
    answer = strict(post, [{"title": "a"}, {"title": "b", "priority": "high"}, {"title": "c"}, {"title": "d"}])

    assert (answer.status, answer.json["code"], answer.json["retryable"]) == (503, "queue_full", True)
    assert int(answer.headers["retry-after"]) >= 1
    assert [item["status"] for item in answer.json["items"]] == [424, 424, 424, 503]
    assert stored_ids(empty_redis) == set()
    assert strict(post, [{"title": "a"}, {"title": "c"}]).status == 202


def test_more_than_one_call_names_the_limit(post: Post, empty_redis: redis.Redis) -> None:
    many = strict(post, [{"title": str(number)} for number in range(101)])
    assert (many.status, many.json["code"]) == (422, "strict_too_large")
    assert (many.json["limit"], many.json["limit_value"]) == ("strict_events", 100)
    large = strict(post, [{"payload": {"text": "x" * 250_000}} for _ in range(9)])
    assert (large.status, large.json["limit"], large.json["limit_value"]) == (422, "strict_bytes", CALL_BYTES)
    assert stored_ids(empty_redis) == set()
    assert strict(post, [{"title": str(number)} for number in range(100)]).status == 202


def test_the_spool_does_the_same(post: Post, mortal: Valkey) -> None:
    mortal.kill()
    answer = strict(post, [{"title": "a", "id": "a"}, {"title": "b"}])
    assert (answer.status, answer.json["durability"]) == (202, "database")
    refused = strict(post, [{"title": "c"}, {"title": "other", "id": "a"}])
    assert (refused.status, [item["status"] for item in refused.json["items"]]) == (422, [424, 409])
    assert SpooledEvent.objects.count() == 2


def test_what_follows_something_spooled_stays_with_it(post: Post, mortal: Valkey) -> None:
    """Two stores could not be all or nothing together."""
    mortal.kill()
    strict(post, [{"title": "a", "id": "a"}])
    mortal.start()
    answer = strict(post, [{"title": "a", "id": "a"}, {"title": "b"}])
    assert (answer.status, answer.json["duplicates"], answer.json["accepted"]) == (202, 1, 1)
    assert answer.json["durability"] == "database"
    assert SpooledEvent.objects.count() == 2


def test_503_when_no_store_is_there(post: Post, mortal: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.spool.writing.insert", away)
    mortal.kill()
    answer = strict(post, [{"title": "a"}, {"title": "b"}])
    assert (answer.status, answer.json["code"]) == (503, "no_durable_store")


def test_one_object_is_itself(post: Post) -> None:
    assert strict(post, {"title": 7}).json["code"] == "wrong_type"
    assert strict(post, {"title": "x"}).status == 202


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", Preferences()),
        ("handling=strict", Preferences(strict=True)),
        ('Handling = "strict" ; x=y , wait=10', Preferences(strict=True)),
        ("handling=lenient, handling=strict", Preferences()),
        ("return=representation;a,respond-async", Preferences(items=True)),
        ("return=minimal", Preferences()),
        (",;=,,", Preferences()),
    ],
)
def test_preferences_are_read_as_rfc_7240_says(given: str, found: Preferences) -> None:
    assert preferences.read({"prefer": given}) == found
    assert preferences.read({}) == Preferences()
