"""API keys: shown once, hashed at rest, revoked within 5 s; and who needs none."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from ingest.api import keys
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
    return asyncio.run(asking)


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(keys, "time", clock)
    return clock


def refusal(call: Callable[[], object]) -> int:
    with pytest.raises(ProblemError) as error:
        call()
    return error.value.problem.status


def test_a_key_is_shown_once_and_kept_as_its_hash(make_key: MakeKey) -> None:
    key = make_key("edge", "read,ingest")

    assert key.startswith("qa_")
    assert len(key) == 46
    row = ApiKey.objects.get()
    assert (row.name, row.scopes, row.digest) == ("edge", "ingest,read", keys.digest(key))
    assert key.startswith(row.prefix)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM ingest_apikey")
        assert key not in str(cursor.fetchall())


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

    clock.now += keys.FRESH_SECONDS + 0.01

    assert refusal(lambda: ask(key)) == 401


def test_the_database_is_asked_once_in_five_seconds(
    ask: Ask, make_key: MakeKey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = keys._ask
    monkeypatch.setattr(keys, "_ask", lambda key: asked.append(key) or real(key))
    key = make_key()

    for _ in range(3):
        ask(key)
        assert refusal(lambda: ask("qa_wrong")) == 401
        clock.now += 1

    assert asked == [key, "qa_wrong"]


def test_while_the_database_is_away_known_keys_go_on(
    ask: Ask, make_key: MakeKey, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise OperationalError("gone")

    key = make_key()
    ask(key)
    monkeypatch.setattr(ApiKey.objects, "filter", away)
    clock.now += keys.FRESH_SECONDS + 1

    assert ask(key).name == "edge"
    assert refusal(lambda: ask("qa_never_seen")) == 503
    clock.now += keys.STALE_SECONDS
    assert refusal(lambda: ask(key)) == 503


def test_guessed_keys_do_not_push_out_known_ones(make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_KEPT", 5)
    key = make_key()
    ask_sync(key)
    for number in range(20):
        assert refusal(lambda: ask_sync(f"qa_{number}")) == 401  # noqa: B023 - called at once

    assert len(keys._answers) <= 5
    assert keys._fresh(key) is not None


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


def test_list_shows_every_key_but_no_secret(make_key: MakeKey, capsys: pytest.CaptureFixture[str]) -> None:
    key = make_key("edge", "ingest")
    make_key("board", "read")
    call_command("api_key", "revoke", "board")
    capsys.readouterr()

    call_command("api_key", "list")

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"edge\t{key[:12]}…\tingest\t")
    assert first.endswith("active")
    assert "\trevoked 20" in second
    assert key not in first


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "x", "--scopes=write"), "ingest, read, admin"),
        (("create", "x", "--scopes="), "ingest, read, admin"),
        (("create", "a\nb"), "printable"),
        (("create", "x" * 101), "100"),
        (("create", "edge"), "already"),
        (("revoke", "nobody"), "nobody"),
    ],
)
def test_the_command_says_what_is_wrong(make_key: MakeKey, arguments: tuple[str, ...], says: str) -> None:
    make_key("edge")
    with pytest.raises(CommandError, match=says):
        call_command("api_key", *arguments)


def test_the_key_is_alone_on_the_last_line(tmp_path: Any) -> None:
    import os

    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "queueadmin.settings", "QUEUEADMIN_HOME": str(tmp_path)}
    environment.pop("DATABASE_URL", None)

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    manage("migrate", "--verbosity=0")
    assert keys.digest(manage("api_key", "create", "edge").splitlines()[-1])
    assert manage("api_key", "create", "other").splitlines()[-1].startswith("qa_")
