"""Contract section 3, rule 5: `Idempotency-Key`, on both faces."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from ingest import spool
from ingest.api import fastlane, idempotency, views
from ingest.models import SpooledEvent
from ingest.queue import keys
from ingest.queue.transitions import Transitions
from tests.conftest import Valkey, wait_until
from tests.ingest.api.conftest import ALERT, EVENTS, NDJSON, Post, Response, ndjson, stored_ids, warmed
from tests.ingest.test_accept import kill_after_first_call

pytestmark = pytest.mark.both_databases

BATCH = [{"title": "a"}, {"title": 7}, {"title": "c", "id": "c"}]


def keyed(post: Post, body: object, key: str = "k-1", path: str = EVENTS, **more: Any) -> Response:
    headers = {"idempotency-key": key, **more.pop("headers", {})}
    return post(path, body, headers=headers, **more)


def replayed(first: Response, second: Response) -> bool:
    same = (first.status, first.body, first.headers["content-type"], first.headers.get("location"))
    assert same == (
        second.status,
        second.body,
        second.headers["content-type"],
        second.headers.get("location"),
    )
    assert "idempotency-replayed" not in first.headers
    return second.headers.get("idempotency-replayed") == "true"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [(EVENTS, {"title": "x"}, 202), (ALERT, {"title": "x"}, 202), (EVENTS, BATCH, 207), (EVENTS, [{"title": 1}], 422)],
)
def test_the_same_again_gets_the_first_answer(
    post: Post, empty_redis: redis.Redis, path: str, body: object, status: int
) -> None:
    first = keyed(post, body, path=path)
    before = stored_ids(empty_redis)
    second = keyed(post, body, path=path)

    assert first.status == status
    assert replayed(first, second)
    assert stored_ids(empty_redis) == before
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_an_answer_that_shows_the_items_is_shown_again(post: Post) -> None:
    headers = {"prefer": "return=representation"}
    first, second = (keyed(post, [{"title": "a"}], headers=headers) for _ in range(2))
    assert replayed(first, second)
    assert second.headers["preference-applied"] == "return=representation"


def test_another_body_is_422(post: Post, empty_redis: redis.Redis) -> None:
    keyed(post, {"title": "x"})
    for answer in (keyed(post, {"title": "y"}), keyed(post, b'{"title": "x"}\n', content_type=NDJSON)):
        assert (answer.status, answer.json["code"], answer.json["retryable"]) == (422, "idempotency_key_reused", False)
    assert len(stored_ids(empty_redis)) == 1


def test_another_key_is_another_request(post: Post, empty_redis: redis.Redis) -> None:
    ids = {keyed(post, {"title": "x"}, key).json["id"] for key in ("k-1", "k-2")}
    assert stored_ids(empty_redis) == ids
    assert len(ids) == 2


def test_each_owner_has_keys_of_its_own(post: Post, make_key: Callable[..., str], empty_redis: redis.Redis) -> None:
    senders = [{}, {"x-api-key": make_key("one")}, {"x-api-key": make_key("two")}]
    answers = [keyed(post, {"title": "x"}, headers=headers) for headers in senders]
    assert {answer.status for answer in answers} == {202}
    assert len(stored_ids(empty_redis)) == 3


def test_quoted_and_bare_are_the_same_key(post: Post) -> None:
    first = keyed(post, {"title": "x"}, 'a"b')
    assert replayed(first, keyed(post, {"title": "x"}, r'"a\"b"'))


@pytest.mark.parametrize("key", ["", "  ", '""', '"open', "x" * 256, '"a", "b"', "ü", "a\tb", '"' + "x" * 256 + '"'])
def test_what_is_no_key_is_400(post: Post, empty_redis: redis.Redis, key: str) -> None:
    answer = keyed(post, {"title": "x"}, key)
    assert (answer.status, answer.json["code"]) == (400, "invalid_idempotency_key")
    assert stored_ids(empty_redis) == set()


def test_the_longest_key_is_one(post: Post) -> None:
    assert keyed(post, {"title": "x"}, "x" * 255).status == 202


def test_the_headers_of_a_binary_cloud_event_are_part_of_it(post: Post, empty_redis: redis.Redis) -> None:
    def send(event_id: str) -> Response:
        headers = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/s", "ce-type": "t"}
        return keyed(post, {"title": "x"}, headers=headers)

    first = send("a")
    assert replayed(first, send("a"))
    assert send("b").status == 422
    assert len(stored_ids(empty_redis)) == 1


def test_an_answer_is_kept_for_a_day(post: Post, empty_redis: redis.Redis) -> None:
    keyed(post, {"title": "x"})
    [name] = empty_redis.scan_iter(keys.idempotency("*"))
    assert 86_000 < empty_redis.ttl(name) <= 86_400


# --- while the first one runs, and after a crash -----------------------------------------------------


def test_while_the_first_one_runs_the_second_is_409(
    post: Post, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis
) -> None:
    meanwhile: list[Response] = []

    def second() -> None:
        thread = threading.Thread(target=lambda: meanwhile.append(keyed(post, {"title": "x"})))
        thread.start()
        thread.join(10)

    accept, accept_async = views.accept, fastlane.accept_async

    async def slow(*arguments: Any, **more: Any) -> Any:
        if not meanwhile:
            await asyncio.to_thread(second)
        return await accept_async(*arguments, **more)

    def slow_too(*arguments: Any, **more: Any) -> Any:
        if not meanwhile:
            second()
        return accept(*arguments, **more)

    monkeypatch.setattr(fastlane, "accept_async", slow)
    monkeypatch.setattr(views, "accept", slow_too)
    first = keyed(post, {"title": "x"})

    assert first.status == 202
    [running] = meanwhile
    assert (running.status, running.json["code"], running.json["retryable"]) == (409, "idempotency_in_progress", True)
    assert 1 <= int(running.headers["retry-after"]) <= 2
    assert replayed(first, keyed(post, {"title": "x"}))
    assert stored_ids(empty_redis) == {first.json["id"]}


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on a request ends where a process does that is killed before it can keep its answer."""

    async def never(*arguments: Any) -> None:
        """Dead by then."""

    def patch() -> None:
        monkeypatch.setattr(idempotency, "_end", lambda *arguments: None)
        monkeypatch.setattr(idempotency, "_end_async", never)

    return patch


def test_after_a_crash_it_says_when_to_come_again_and_doubles_nothing(
    post: Post, crash: Callable[[], None], empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = ndjson(b'{"title":"same"}', b'{"title":"same"}', b'{"title":"named","id":"n"}')
    with monkeypatch.context():
        crash()
        first = keyed(post, body, content_type=NDJSON, headers={"prefer": "return=representation"})
    monkeypatch.undo()
    assert (first.status, len(stored_ids(empty_redis))) == (202, 3)
    [mark] = empty_redis.scan_iter(keys.idempotency("*"))
    assert 50 < empty_redis.ttl(mark) <= 60

    empty_redis.expire(mark, 40)  # 20 s later
    waits = keyed(post, body, content_type=NDJSON)
    assert (waits.status, int(waits.headers["retry-after"])) == (409, 40)
    empty_redis.delete(mark)  # a minute later
    again = keyed(post, body, content_type=NDJSON, headers={"prefer": "return=representation"})

    assert (again.status, again.json["duplicates"]) == (202, 3)
    assert [item["id"] for item in again.json["items"]] == [item["id"] for item in first.json["items"]]
    assert len(stored_ids(empty_redis)) == 3


def test_a_repeat_that_meets_the_other_store_doubles_nothing(
    post: Post, crash: Callable[[], None], mortal: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = [{"title": "same"}, {"title": "same"}]
    crash()
    assert keyed(post, body).json["durability"] == "redis"
    monkeypatch.undo()
    mortal.kill()
    again = keyed(post, body)
    assert (again.status, again.json["durability"], again.json["accepted"]) == (202, "database", 2)
    mortal.start()
    wait_until(mortal.answers)
    with redis.Redis.from_url(mortal.url) as client:
        drained = spool.drain(Transitions(client).enqueue, lambda: True)
        assert (drained.enqueued, drained.duplicates) == (0, 2)
        assert len(stored_ids(client)) == 2


# --- Redis away --------------------------------------------------------------------------------------


def test_without_redis_this_process_keeps_the_answer(post: Post, mortal: Valkey) -> None:
    keyed(post, {"title": "warm"}, "warm")
    mortal.kill()

    first = keyed(post, {"title": "x"})
    assert (first.status, first.json["durability"]) == (202, "database")
    assert replayed(first, keyed(post, {"title": "x"}))
    assert keyed(post, {"title": "y"}).json["code"] == "idempotency_key_reused"
    mortal.start()
    wait_until(lambda: post(EVENTS, {"title": "z"}).json["durability"] == "redis", what="taking in by Redis again")
    assert replayed(first, keyed(post, {"title": "x"}))
    assert SpooledEvent.objects.filter(id=first.json["id"]).count() == 1


def test_a_redis_that_hangs_is_waited_for_once(
    post: Post, mortal: Valkey, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the breaker along: acceptance goes into the spool at once."""
    warmed(post)
    tried: list[str] = []
    trip = idempotency.ask.__globals__["breaker"].trip
    monkeypatch.setattr(idempotency.ask.__globals__["breaker"], "trip", lambda error: tried.append("x") or trip(error))
    os.kill(mortal.process.pid, signal.SIGSTOP)
    try:
        answer = keyed(post, {"title": "x"})
    finally:
        os.kill(mortal.process.pid, signal.SIGCONT)
    assert (answer.status, answer.json["durability"]) == (202, "database")
    assert len(tried) == 1


def test_what_may_go_better_is_not_kept(post: Post, mortal: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with nothing stored, and a 207 with items that may be sent again: the repeat stores what is missing."""
    from tests.ingest.api.test_redis_away import away

    post(EVENTS, {"title": "warm"})
    body = [{"title": str(number)} for number in range(150)]
    with monkeypatch.context() as broken:
        broken.setattr("ingest.spool.writing.insert", away)
        kill_after_first_call(broken, mortal)
        first = keyed(post, body)
        assert (first.status, first.json["accepted"], first.json["rejected"]) == (207, 100, 50)
        assert keyed(post, body).status == 503
    mortal.start()
    wait_until(mortal.answers)
    wait_until(lambda: post(EVENTS, {"title": "z"}).json.get("durability") == "redis", what="taking in by Redis again")
    with redis.Redis.from_url(mortal.url) as client:
        for name in client.scan_iter(keys.idempotency("*")):
            client.delete(name)  # the mark of the first, which runs out
    last = keyed(post, body)
    assert (last.status, last.json["received"]) == (202, 150)
    assert last.json["duplicates"] == 100
    assert replayed(last, keyed(post, body))


def test_what_one_process_keeps_is_bounded() -> None:
    here = idempotency._Here()
    for number in range(idempotency.HERE + 10):
        here.put(str(number), b"x", 60)
    assert here.find("9") is None
    assert here.find("10") == (b"x", 59)
    here.put("large", b"x" * idempotency.HERE_BYTES, 60)
    assert here.find("10") is None
    assert here.find("large") is not None
    here.put("late", b"x", 0)
    assert here.find("late") is None
