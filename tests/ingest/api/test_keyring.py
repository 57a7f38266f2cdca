"""Keys made, listed, rotated and revoked; shown once, hashed at rest."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingest.api import keyring, keys
from ingest.api.keyring import KeyRefused
from ingest.models import ApiKey
from tests.migrated import give_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

MakeKey = Callable[..., str]


def sender_of(key: str) -> keys.Sender | None:
    """Whose key it is, asked anew."""
    keys.forget()
    try:
        return keys.authenticate({"x-api-key": key}, peer="192.0.2.7", host="queue.example.org")
    except keys.ProblemError:
        return None


def test_a_key_is_shown_once_and_kept_as_its_hash() -> None:
    new = keyring.create("edge", scopes=["read", "ingest"])

    assert new.secret.startswith("qa_")
    assert len(new.secret) == 46
    row = ApiKey.objects.get()
    assert (row.name, row.scopes, row.digest) == ("edge", "ingest,read", keys.digest(new.secret))
    assert new.secret.startswith(row.prefix)
    assert new.secret not in repr(new)
    assert new.secret not in repr(keyring.all_keys())


def test_a_leaked_database_shows_no_key() -> None:
    """S3. After all that can happen to keys, no table holds more than a secret's first characters."""
    first = keyring.create("edge", scopes=["admin"], tenant="acme", rate=5)
    second = keyring.rotate("edge")
    gone = keyring.create("gone")
    keyring.revoke("gone")
    for new in (first, second, gone):
        sender_of(new.secret)

    dumped = str([list(model.objects.values_list()) for model in apps.get_models() if model._meta.managed])

    assert "edge" in dumped
    for new in (first, second, gone):
        assert new.secret[keyring.SHOWN :] not in dumped
        assert new.secret[keyring.SHOWN : keyring.SHOWN + 8] not in dumped


def test_what_a_key_is_bound_to_is_what_its_sender_is() -> None:
    new = keyring.create(
        "edge", source="grafana", tenant="acme", max_priority="high", rate=2.5, expires_at=in_minutes(10)
    )

    sender = sender_of(new.secret)

    assert sender is not None
    assert (sender.source, sender.tenant, sender.max_priority) == ("grafana", "acme", "high")
    assert (sender.rate, sender.burst) == (2.5, 3)
    assert keyring.all_keys() == [
        keyring.Key(**{**{f: getattr(new.key, f) for f in new.key.__slots__}, "last_used_at": used_at()})
    ]


def test_a_rotated_key_has_two_secrets_for_a_while() -> None:
    first = keyring.create("edge", tenant="acme").secret
    second = keyring.rotate("edge", keep_minutes=10)

    assert second.key.previous_until is not None
    assert second.key.previous_until - timezone.now() <= timedelta(minutes=10)
    assert sender_of(first) == sender_of(second.secret)
    assert sender_of(second.secret).tenant == "acme"  # type: ignore[union-attr]

    third = keyring.rotate("edge", keep_minutes=10).secret
    assert sender_of(first) is None
    assert sender_of(second.secret) == sender_of(third)

    ApiKey.objects.update(previous_until=in_minutes(-1))
    assert sender_of(second.secret) is None
    assert sender_of(third) is not None
    assert keyring.all_keys()[0].previous_until is None


def test_the_old_secret_can_stop_at_once() -> None:
    first = keyring.create("edge").secret
    second = keyring.rotate("edge", keep_minutes=0)

    assert second.key.previous_until is None
    assert sender_of(first) is None
    assert sender_of(second.secret) is not None


def test_revoking_stops_both_secrets_for_good() -> None:
    first = keyring.create("edge").secret
    second = keyring.rotate("edge").secret

    assert keyring.revoke("edge").state == "revoked"

    assert sender_of(first) is sender_of(second) is None
    for again in (keyring.revoke, keyring.rotate):
        with pytest.raises(KeyRefused, match="no active key"):
            again("edge")


def test_states() -> None:
    keyring.create("a")
    keyring.create("b", expires_at=in_minutes(1))
    keyring.create("c")
    keyring.revoke("c")
    ApiKey.objects.filter(name="b").update(expires_at=in_minutes(-1))

    states = [(key.name, key.state) for key in keyring.all_keys()]
    assert states == [("a", "active"), ("b", "expired"), ("c", "revoked")]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"scopes": ["write"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"tenant": "a\nb"}, "tenant"),
        ({"source": "x" * 256}, "source"),
        ({"max_priority": "urgent"}, "max_priority"),
        ({"rate": 0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": 1e9}, "rate"),
        ({"burst": 5}, "burst"),
        ({"rate": 5, "burst": 0}, "burst"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        keyring.create("edge", **options)
    assert refused.value.field == field
    assert not ApiKey.objects.exists()


def in_minutes(minutes: float) -> Any:
    return timezone.now() + timedelta(minutes=minutes)


def used_at() -> Any:
    return ApiKey.objects.get().last_used_at


# --- the command ---------------------------------------------------------------------------------


def test_list_shows_every_key_but_no_secret(make_key: MakeKey, capsys: pytest.CaptureFixture[str]) -> None:
    key = make_key("edge", "ingest", "--rate=100", "--tenant=acme", "--source=grafana", "--max-priority=high")
    make_key("board", "read", "--expires=2999-01-01")
    call_command("api_key", "revoke", "board")
    capsys.readouterr()

    call_command("api_key", "list")

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"edge\t{key[:12]}…\tingest\t")
    assert "\tsource grafana\ttenant acme\tat most high\t100 events/s, 100 at once\tnever used\t" in first
    assert first.endswith("active")
    assert "\trevoked 20" in second
    assert key not in first


def test_rotate_shows_the_new_secret_alone_on_the_last_line(
    make_key: MakeKey, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_key()

    call_command("api_key", "rotate", "edge", "--keep-minutes=5")

    said = capsys.readouterr()
    second = said.out.splitlines()[-1]
    assert second != first
    assert sender_of(first) == sender_of(second) is not None
    assert "stays good until 20" in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "x", "--scopes=write"), "ingest, read, admin"),
        (("create", "x", "--scopes="), "ingest, read, admin"),
        (("create", "a\nb"), "printable"),
        (("create", "x" * 101), "100"),
        (("create", "edge"), "already"),
        (("create", "x", "--expires=soon"), "90d"),
        (("create", "x", "--rate=0"), "rate"),
        (("create", "x", "--max-priority=urgent"), "critical, high"),
        (("revoke", "nobody"), "nobody"),
        (("rotate", "nobody"), "nobody"),
        (("rotate", "edge", "--keep-minutes=-1"), "minutes"),
    ],
)
def test_the_command_says_what_is_wrong(make_key: MakeKey, arguments: tuple[str, ...], says: str) -> None:
    make_key("edge")
    with pytest.raises(CommandError, match=says):
        call_command("api_key", *arguments)


def test_the_key_is_alone_on_the_last_line_and_two_rotations_at_once_lose_none(tmp_path: Path) -> None:
    """Of two people who rotate at once neither gets a secret that is not good."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "queueadmin.settings", "QUEUEADMIN_HOME": str(tmp_path)}
    environment.pop("DATABASE_URL", None)

    def manage(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", arguments[0], "--skip-checks", *arguments[1:]]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def said(process: "subprocess.Popen[str]") -> str:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return output.splitlines()[-1] if output else ""

    give_database(tmp_path)
    first = said(manage("api_key", "create", "edge"))
    assert (first[:3], len(first)) == ("qa_", 46)
    made = [said(process) for process in [manage("api_key", "rotate", "edge") for _ in range(2)]]

    with closing(sqlite3.connect(tmp_path / "queueadmin.sqlite3")) as database:
        (good,) = database.execute("SELECT digest, previous_digest FROM ingest_apikey").fetchall()
    assert set(good) == {keys.digest(secret) for secret in made}
