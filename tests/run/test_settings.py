"""A wrong value stops the start with a sentence that names it; parts and aliases work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instance import NOT_PASSED_ON, REPOSITORY

DATABASES = "postgres://user:password@host/name or sqlite:////path"
#: What production demands.
PROD = {"PROD": "true", "SECRET_KEY": "k" * 50, "ALLOWED_HOSTS": "queue.example.org"}


def read(home: Path, name: str, environment: dict[str, str]) -> str:
    """The value of a setting under that environment, or the sentence that stopped it."""
    code = (
        "from django.core.exceptions import ImproperlyConfigured\n"
        "try:\n    from queueadmin import settings\n"
        f"    print(settings.{name})\n"
        "except ImproperlyConfigured as error:\n    print(error)\n"
    )
    clean = {key: value for key, value in os.environ.items() if key not in NOT_PASSED_ON}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=clean | {"QUEUEADMIN_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"PORT": "70000"}, "PORT must be between 0 and 65535, not 70000."),
        ({"DEBUG": "maybe"}, "DEBUG must be true or false, not 'maybe'."),
        ({"SECRET_KEY": ""}, "SECRET_KEY must not be empty."),
        ({"RQ_KEY_PREFIX": ""}, "RQ_KEY_PREFIX must be letters, digits and _ . : - { }, not ''."),
        ({"RQ_KEY_PREFIX": "a b"}, "RQ_KEY_PREFIX must be letters, digits and _ . : - { }, not 'a b'."),
        ({"SCRIPT_NAME": "queues"}, "SCRIPT_NAME must look like /queues, not 'queues'."),
        ({"SCRIPT_NAME": "//evil.example"}, "SCRIPT_NAME must look like /queues, not '//evil.example'."),
        ({"SCRIPT_NAME": "/a/../b"}, "SCRIPT_NAME must look like /queues, not '/a/../b'."),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL must start with redis://, rediss:// or unix://."),
        ({"REDIS_HOST": "r", "REDIS_PORT": "0"}, "REDIS_PORT must be between 1 and 65535, not 0."),
        ({"DATABASE_URL": "nonsense"}, f"DATABASE_URL must look like {DATABASES}."),
        ({"DATABASE_URL": "mysql://host/name"}, f"DATABASE_URL must look like {DATABASES}."),
        ({"DATABASE_URL": "postgres://host"}, f"DATABASE_URL must look like {DATABASES}."),
        (PROD | {"SECRET_KEY": ""}, "SECRET_KEY must not be empty."),
        (PROD | {"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS must be set when PROD is true."),
        (PROD | {"INGEST_REQUIRE_KEY": "0"}, "INGEST_REQUIRE_KEY must be true when PROD is true."),
        (PROD | {"QUEUEADMIN_FAULTS": "1"}, "QUEUEADMIN_FAULTS must be off when PROD is true."),
        ({"PROD": "true"}, "SECRET_KEY must be set when PROD is true."),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, environment: dict[str, str], sentence: str) -> None:
    assert read(tmp_path, "PORT", environment) == sentence


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"REDIS_URL": "redis://one:6379/2", "REDIS_HOST": "two"}, "redis://one:6379/2"),
        ({"REDIS_HOST": "two"}, "redis://two:6379/0"),
        (
            {"REDIS_HOST": "two", "REDIS_PORT": "7", "REDIS_DB": "3", "REDIS_PASSWORD": "a/b", "REDIS_USE_SSL": "yes"},
            "rediss://:a%2Fb@two:7/3",
        ),
        (PROD, "redis://redis:6379/0"),
    ],
)
def test_redis_is_found_by_its_url_or_by_its_parts(tmp_path: Path, environment: dict[str, str], url: str) -> None:
    """A2, C5."""
    assert read(tmp_path, "REDIS_URL", environment) == url
    assert read(tmp_path, "REDIS_EMBEDDED", environment) == "False"


def test_the_embedded_server_is_found_through_the_home(tmp_path: Path) -> None:
    assert read(tmp_path, "REDIS_URL", {}) == f"unix://{tmp_path}/sockets/valkey.sock"
    (tmp_path / "redis.url").write_text("unix:///short/valkey.sock\n")
    assert read(tmp_path, "REDIS_URL", {}) == "unix:///short/valkey.sock"
    assert read(tmp_path, "REDIS_EMBEDDED", {}) == "True"


def test_aliases_count_unless_the_name_itself_is_set(tmp_path: Path) -> None:
    assert read(tmp_path, "REDIS_POOL_MAX_CONNECTIONS", {"REDIS_MAX_CONNECTIONS": "7"}) == "7"
    both = {"REDIS_TIMEOUT": "7", "REDIS_SOCKET_TIMEOUT": "8"}
    assert read(tmp_path, "REDIS_SOCKET_TIMEOUT", both) == "8"


def test_the_secret_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = read(home, "SECRET_KEY", {})
    assert len(key) >= 50
    assert read(home, "SECRET_KEY", {}) == key
    assert (home / "secret_key").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_behind_a_proxy_cookies_static_files_and_forms_belong_to_its_path(tmp_path: Path) -> None:
    """Issue 7, point 7: SCRIPT_NAME, and PUBLIC_URL as the origin that browsers name."""
    environment = {"SCRIPT_NAME": "/queues/", "PUBLIC_URL": "https://ops.example.org/queues/"}
    expected = {
        "SCRIPT_NAME": "/queues",
        "FORCE_SCRIPT_NAME": "/queues",
        "SESSION_COOKIE_PATH": "/queues/",
        "CSRF_COOKIE_PATH": "/queues/",
        "STATIC_URL": "/queues/static/",
        "CSRF_TRUSTED_ORIGINS": "['https://ops.example.org']",
    }
    assert {name: read(tmp_path, name, environment) for name in expected} == expected
