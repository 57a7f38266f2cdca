"""The embedded server: which program, and with which settings."""

import stat
from pathlib import Path

import pytest

from queueadmin.run.valkey import find_server, quarter_of_memory, server_arguments


def _program(folder: Path, name: str, version: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho 'Server v={version} sha=0'\n")
    path.chmod(stat.S_IRWXU)
    return path


def test_a_server_on_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    redis = _program(tmp_path, "redis-server", "7.0.15")
    assert find_server() == redis
    valkey = _program(tmp_path, "valkey-server", "8.1.0")
    assert find_server() == valkey


def test_an_old_server_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    old = _program(tmp_path, "redis-server", "6.2.14")
    assert find_server() != old


def test_the_settings_keep_what_was_accepted(tmp_path: Path) -> None:
    """B23, E12: fsync on every write, nothing evicted, no TCP."""
    arguments = server_arguments(tmp_path, maxmemory=1000, socket=tmp_path / "s")
    settings = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert settings["--appendonly"] == "yes"
    assert settings["--appendfsync"] == "always"
    assert settings["--maxmemory-policy"] == "noeviction"
    assert settings["--maxmemory"] == "1000"
    assert settings["--hash-max-listpack-value"] == "4096"
    assert settings["--port"] == "0"
    assert settings["--unixsocket"] == str(tmp_path / "s")


def test_a_quarter_of_memory_is_a_sensible_number() -> None:
    assert 2**26 < quarter_of_memory() < 2**46
