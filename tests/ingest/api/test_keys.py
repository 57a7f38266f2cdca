"""API keys: who sends, asked of the database rarely and beside the requests; and who needs none."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.db.models import QuerySet

from ingest.api import key_use, keys, known_keys
from ingest.api.keys import KEYLESS, Sender, authenticate, authenticate_async, require
from ingest.api.problems import ProblemError
from ingest.models import ApiKey

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

MakeKey = Callable[..., str]
Ask = Callable[[str], Sender]


def ask_sync(key: str) -> Sender:
    return authenticate({"x-api-key": key}, peer="192.0.2.7", host="queue.example.org")


def ask_async(key: str) -> Sender:
    asking: Coroutine[Any, Any, Sender] = authenticate_async(
        {"x-api-key": key}, peer="192.0.2.7", host="queue.example.org"
    )
    try:
        return asyncio.run(asking)
    finally:
        settle()


def settle() -> None:
    """Wait for what goes on beside the requests."""
    known_keys._asking._thread.submit(int).result()
    key_use.settle()


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


class Clock:
    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def time(self) -> float:
        return time.time() + self.passed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(known_keys, "time", clock)
    return clock


def refusal(call: Callable[[], object]) -> int:
    with pytest.raises(ProblemError) as error:
        call()
    return error.value.problem.status


def test_a_key_says_who_sends(ask: Ask, make_key: MakeKey) -> None:
    sender = ask(make_key("edge", "ingest,read"))

    assert (sender.name, sender.scopes) == ("edge", {"ingest", "read"})
    assert sender.key_id == ApiKey.objects.get().pk


def test_unknown_keys_are_refused(ask: Ask, make_key: MakeKey) -> None:
    key = make_key()
    for wrong in ("", "x", key[:-1], key + "x", key.upper(), keys.new_key()):
        assert refusal(lambda: ask(wrong)) == 401  # noqa: B023 - called at once


def test_a_revoked_key_stops_within_five_seconds(ask: Ask, make_key: MakeKey, clock: Clock) -> None:
    key = make_key()
    ask(key)
    call_command("api_key", "revoke", "edge")

    clock.passed += known_keys.FRESH_SECONDS + 0.01

    assert refusal(lambda: ask(key)) == 401


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The digests of each query."""
    queries: list[set[str]] = []
    real = known_keys.look_up
    monkeypatch.setattr(known_keys, "look_up", lambda hashed: queries.append(set(hashed)) or real(hashed))
    return queries


def test_a_key_in_use_is_asked_about_once_in_some_seconds(
    ask: Ask, make_key: MakeKey, clock: Clock, asked: list[set[str]]
) -> None:
    key = make_key()

    for _ in range(50):
        ask(key)
        clock.passed += 0.1

    assert 1 <= len(asked) <= 1 + 5 / known_keys.RENEW_SECONDS


def test_a_wrong_key_is_asked_about_once_in_five_seconds(ask: Ask, clock: Clock, asked: list[set[str]]) -> None:
    for _ in range(3):
        assert refusal(lambda: ask("qa_wrong")) == 401
        clock.passed += 1

    assert len(asked) == 1


def test_what_cannot_be_a_key_is_not_asked_about(ask: Ask, asked: list[set[str]]) -> None:
    assert refusal(lambda: ask("nonsense")) == 401
    assert asked == []


def test_while_the_database_is_away_known_keys_go_on(
    ask: Ask, make_key: MakeKey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("gone")

    key = make_key()
    ask(key)
    monkeypatch.setattr(ApiKey.objects, "filter", away)
    clock.passed += known_keys.FRESH_SECONDS + 1

    for _ in range(3):
        assert ask(key).name == "edge"
    assert refusal(lambda: ask("qa_never_seen")) == 503
    clock.passed += known_keys.STALE_SECONDS
    assert refusal(lambda: ask(key)) == 503


def test_a_database_that_hangs_holds_nobody_up_who_is_known(
    make_key: MakeKey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the event loop: the first one waits for a second, the others not at all."""
    key = make_key()
    ask_async(key)
    hanging = threading.Event()
    real = known_keys.look_up
    monkeypatch.setattr(known_keys, "look_up", lambda hashed: hanging.wait() and real(hashed))
    monkeypatch.setattr(known_keys, "WAIT_SECONDS", 0.05)
    clock.passed += known_keys.FRESH_SECONDS + 1

    async def many() -> None:
        for _ in range(20):
            await authenticate_async({"x-api-key": key}, peer="192.0.2.7", host="queue.example.org")

    try:
        asyncio.run(many())
    finally:
        hanging.set()
        settle()


def test_guessed_keys_do_not_push_out_known_ones(make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "_WRONG_KEPT", 5)
    key = make_key()
    ask_sync(key)
    for number in range(20):
        assert refusal(lambda: ask_sync(f"qa_{number}")) == 401  # noqa: B023 - called at once

    assert len(known_keys._wrong) == 5
    assert known_keys._kept(keys.digest(key)) is not None


def test_a_flood_of_guessed_keys_is_a_few_queries(
    make_key: MakeKey, asked: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one query runs the others collect, and go together."""
    right = make_key()
    everybody_asked = threading.Event()
    real = known_keys.look_up
    monkeypatch.setattr(known_keys, "look_up", lambda hashed: everybody_asked.wait(60) and real(hashed))

    async def flood() -> list[Sender | BaseException]:
        requests = [
            asyncio.ensure_future(authenticate_async({"x-api-key": key}, peer="192.0.2.7", host="queue.example.org"))
            for key in [*(f"qa_{number}" for number in range(1000)), right]
        ]
        await asyncio.sleep(0)  # Each runs until it waits for its answer.
        everybody_asked.set()
        return await asyncio.gather(*requests, return_exceptions=True)

    answers = asyncio.run(flood())
    settle()

    assert isinstance(answers[-1], Sender)
    assert all(isinstance(answer, ProblemError) for answer in answers[:-1])
    # The first with whoever had asked by then, and the others by 200.
    assert len(asked) <= 1 + 1000 // known_keys._AT_ONCE


def test_whoever_asked_first_may_leave(make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is canceled takes nobody's answer with it."""
    key = make_key()
    going_on = threading.Event()
    real = known_keys.look_up
    monkeypatch.setattr(known_keys, "look_up", lambda hashed: going_on.wait(60) and real(hashed))

    async def two() -> Sender:
        first, second = (
            asyncio.ensure_future(authenticate_async({"x-api-key": key}, peer="192.0.2.7", host="queue.example.org"))
            for _ in range(2)
        )
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        going_on.set()
        return await second

    assert asyncio.run(two()).name == "edge"
    settle()


def test_an_expired_key_is_nobody_s_at_once(ask: Ask, make_key: MakeKey, clock: Clock) -> None:
    key = make_key("edge", "ingest", "--expires=1h")
    assert ask(key).name == "edge"

    clock.passed += 3595
    ask(key)
    clock.passed += 5.1

    assert refusal(lambda: ask(key)) == 401


def test_wrong_revoked_and_expired_keys_are_refused_alike(make_key: MakeKey, clock: Clock) -> None:
    """S29: nobody learns that a key was one."""
    revoked, expired = make_key("gone"), make_key("old", "ingest", "--expires=1m")
    call_command("api_key", "revoke", "gone")
    clock.passed += 61
    said = set()
    for key in (revoked, expired, "qa_" + revoked[3:].swapcase(), "nonsense"):
        with pytest.raises(ProblemError) as error:
            ask_sync(key)
        said.add(error.value.problem.body())

    assert len(said) == 1


def test_the_last_use_is_written_once_a_minute(
    ask: Ask, make_key: MakeKey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key()
    assert ApiKey.objects.get().last_used_at is None
    ask(key)
    first = ApiKey.objects.get().last_used_at
    assert first is not None

    clock.passed += known_keys.FRESH_SECONDS
    ask(key)
    assert ApiKey.objects.get().last_used_at == first

    monkeypatch.setattr(key_use, "EVERY", timedelta(0))
    clock.passed += known_keys.FRESH_SECONDS
    ask(key)
    assert ApiKey.objects.get().last_used_at > first


def test_a_last_use_that_cannot_be_written_harms_nobody(
    ask: Ask, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    key = make_key()
    monkeypatch.setattr(QuerySet, "update", locked)

    assert ask(key).name == "edge"
    monkeypatch.undo()
    assert ApiKey.objects.get().last_used_at is None


def test_a_scope_is_needed() -> None:
    require(KEYLESS, "read")
    assert refusal(lambda: require(KEYLESS, "admin")) == 403


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]", "[::1]:8000"])
def test_this_machine_needs_no_key(peer: str, host: str) -> None:
    assert authenticate({}, peer=peer, host=host) is KEYLESS


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        (None, "localhost"),
        ("", "localhost"),
        ("unix:", "localhost"),
        ("10.0.0.1", "localhost"),
        ("::ffff:10.0.0.1", "localhost"),
        ("127.0.0.1", ""),
        ("127.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "localhost.example.org"),
        ("127.0.0.1", "example.org"),
        ("127.0.0.1", "[::2]"),
    ],
)
def test_everyone_else_does(peer: str | None, host: str) -> None:
    assert refusal(lambda: authenticate({}, peer=peer, host=host)) == 401
