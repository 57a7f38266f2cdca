"""Rules 1 and 2: no receipt without a durable write, which the spool makes while Redis cannot; else 503, and soon."""

import os
import signal
from collections.abc import Iterator

import pytest
import redis
from django.db import DatabaseError, connection

from ingest import spool
from ingest.api import limits
from ingest.models import SpooledEvent
from ingest.queue import connections
from ingest.queue.transitions import Transitions
from ingest.spool import writing
from tests.conftest import Valkey, wait_until
from tests.ingest.api.conftest import ALERT, EVENTS, Post, stored_ids, warmed
from tests.ingest.test_accept import kill_after_first_call

pytestmark = pytest.mark.both_databases


def away(*arguments: object) -> None:
    raise DatabaseError("away")


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away for whoever writes the spool."""
    monkeypatch.setattr(writing, "insert", away)


@pytest.fixture
def stopped(mortal: Valkey, post: Post, impatient: None) -> Iterator[Valkey]:
    """A Redis that accepts connections and answers nothing."""
    warmed(post)
    os.kill(mortal.process.pid, signal.SIGSTOP)
    yield mortal
    os.kill(mortal.process.pid, signal.SIGCONT)


def spooled() -> set[str]:
    return set(SpooledEvent.objects.values_list("id", flat=True))


def test_the_spool_takes_it_while_redis_is_away_and_redis_again_after(post: Post, mortal: Valkey) -> None:
    mortal.kill()

    for _ in range(3):  # the first asks Redis, the others meet the open breaker
        answer = post(EVENTS, {"title": "x"})
        assert (answer.status, answer.json["durability"], answer.json["status"]) == (202, "database", "spooled")
        assert answer.headers["location"] == f"/api/v1/jobs/{answer.json['id']}"
        assert answer.json["id"] in spooled()
    alert = post(ALERT, {"title": "x"})
    assert (alert.status, alert.json["status"]) == (202, "spooled")
    batch = post(EVENTS, [{"title": "x"}, {"title": 7}])
    assert (batch.status, batch.json["durability"], batch.json["accepted"]) == (207, "database", 1)

    mortal.start()
    wait_until(lambda: post(EVENTS, {"title": "x"}).json["durability"] == "redis", what="taking in by Redis again")


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("replica", "")])
def test_the_spool_takes_what_a_full_or_read_only_redis_refuses(
    post: Post, mortal: Valkey, setting: tuple[str, str]
) -> None:
    with redis.Redis.from_url(mortal.url) as client:
        if setting[0] == "replica":
            client.replicaof("127.0.0.1", "1")
        else:
            client.config_set(*setting)
        answer = post(EVENTS, {"title": "x"})
        assert (answer.status, answer.json["durability"]) == (202, "database")
        assert spooled() == {answer.json["id"]}
        assert stored_ids(client) == set()


def test_an_outcome_that_is_not_known_is_spooled_under_the_same_id_and_settled_when_drained(
    post: Post, mortal: Valkey, impatient: None
) -> None:
    """S10: Redis did its part, and the answer came too late."""
    warm = warmed(post)
    os.kill(mortal.process.pid, signal.SIGSTOP)
    try:
        answers = [post(EVENTS, {"title": "x", "id": "a"}), post(EVENTS, {"title": "y"})]
    finally:
        os.kill(mortal.process.pid, signal.SIGCONT)
    assert [(answer.status, answer.json["durability"]) for answer in answers] == [(202, "database")] * 2
    ids = {answer.json["id"] for answer in answers}
    waiting = spooled()
    assert ids == waiting - warm
    with redis.Redis.from_url(mortal.url) as client:
        wait_until(lambda: mortal.answers())
        drained = spool.drain(Transitions(client).enqueue, lambda: True)
        assert drained.total == len(waiting)
        assert drained.empty
        assert spooled() == set()
        assert stored_ids(client) == warm | ids


def test_a_copy_of_a_spooled_event_is_recognised_and_another_body_is_refused(post: Post, mortal: Valkey) -> None:
    """Rule 4, also when Redis is back before the spool is empty."""
    mortal.kill()
    first = post(EVENTS, {"title": "x", "id": "a"})

    def again() -> None:
        copy, other = post(EVENTS, {"title": "x", "id": "a"}), post(EVENTS, {"title": "y", "id": "a"})
        assert (copy.status, copy.json["duplicate"], copy.json["status"]) == (202, True, "spooled")
        assert copy.json["id"] == first.json["id"]
        assert (other.status, other.json["code"]) == (409, "id_reused")

    again()
    mortal.start()
    wait_until(lambda: post(EVENTS, {"title": "z"}).json["durability"] == "redis", what="Redis takes events in")
    again()
    with redis.Redis.from_url(mortal.url) as client:
        assert first.json["id"] not in stored_ids(client)


def test_503_soon_and_nothing_stored_when_both_are_away(post: Post, mortal: Valkey, no_database: None) -> None:
    mortal.kill()

    for body in ({"title": "x"}, [{"title": "x"}, {"title": 7}]):
        answer = post(EVENTS, body)
        assert (answer.status, answer.json["code"], answer.json["retryable"]) == (503, "no_durable_store", True)
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"
    assert spooled() == set()


def test_503_within_two_seconds_while_the_database_is_locked_and_redis_hangs(post: Post, stopped: Valkey) -> None:
    """Whoever holds the table, the sender is answered; and what it sent is not stored later."""
    assert connections.ACCEPTANCE_TIMEOUT + writing.WAIT < 2
    before = spooled()
    with locked():
        answer = post(EVENTS, {"title": "x"})
    assert answer.status == 503
    assert answer.json["code"] == "outcome_unknown"  # of Redis
    wait_until(lambda: writing._Writer.current is None or writing._Writer.current._running_until is None)
    assert spooled() == before


class locked:
    """Somebody else's transaction that holds the spool's table."""

    def __enter__(self) -> None:
        self._other = connection.copy()
        self._other.set_autocommit(False)
        with self._other.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("LOCK TABLE ingest_spooledevent IN ACCESS EXCLUSIVE MODE")
            else:
                cursor.execute("DELETE FROM ingest_spooledevent WHERE id = 'x'")

    def __exit__(self, *raised: object) -> None:
        self._other.rollback()
        self._other.close()


def test_what_is_bad_is_told_even_then(post: Post, mortal: Valkey) -> None:
    mortal.kill()

    assert post(EVENTS, b"nonsense").status == 400


def test_when_redis_goes_away_half_way_the_rest_goes_into_the_spool(
    post: Post, mortal: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 2."""
    kill_after_first_call(monkeypatch, mortal)

    answer = post(EVENTS, [{"title": 7}, *({"title": str(number)} for number in range(150))])

    assert answer.status == 207
    assert [answer.json[name] for name in ("received", "accepted", "rejected")] == [151, 150, 1]
    assert answer.json["durability"] == "database"
    assert {item["status"] for item in answer.json["items"][1:]} == {202}
    assert spooled() == {item["id"] for item in answer.json["items"][101:]}


def test_when_both_go_away_half_way_each_item_says_what_became_of_it(
    post: Post, mortal: Valkey, no_database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 2."""
    kill_after_first_call(monkeypatch, mortal)

    answer = post(EVENTS, [{"title": 7}, *({"title": str(number)} for number in range(150))])

    assert answer.status == 207
    assert [answer.json[name] for name in ("received", "accepted", "rejected")] == [151, 100, 51]
    items = answer.json["items"]
    assert {item["status"] for item in items[1:101]} == {202}
    assert (items[0]["status"], items[0]["retryable"]) == (422, False)
    assert {(item["status"], item["retryable"]) for item in items[101:]} == {(503, True)}


def test_too_many_bytes_in_flight_are_refused() -> None:
    """Rule 6."""
    in_flight = limits.InFlight(limit=10)
    in_flight.take(6)

    with pytest.raises(limits.ProblemError) as refused:
        in_flight.take(5)

    problem = refused.value.problem
    assert (problem.status, problem.extra["limit"], problem.headers) == (503, "in_flight_bytes", {"Retry-After": "1"})
    in_flight.give_back(6)
    in_flight.take(10)
    assert in_flight.held == 10
