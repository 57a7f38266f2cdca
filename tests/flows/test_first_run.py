"""The README's first screen: a copy of the repository, `make run`, the curl line, the alert in the database."""

import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import wait_until
from tests.instance import ADMIN_PASSWORD, NOT_PASSED_ON, REPOSITORY, free_port

_LEFT_OUT = (".*_cache", ".git", ".hypothesis", ".venv", ".venv.lock", "__pycache__", "staticfiles", "var")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository as somebody who has just cloned it sees it."""
    folder = tmp_path / "clone"
    shutil.copytree(REPOSITORY, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    return folder


class MakeRun:
    """`make run` in a folder, on a free port, until `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder.parent / "make.log"
        environment = {name: value for name, value in os.environ.items() if name not in {*NOT_PASSED_ON, *_OF_MAKE}}
        environment |= {"PORT": str(self.port), "QUEUEADMIN_ADMIN_PASSWORD": ADMIN_PASSWORD, "PYTHON": _base_python()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, *, seconds: float) -> None:
        url = f"queueadmin runs at http://127.0.0.1:{self.port}/"
        wait_until(lambda: url in self.said() or self.process.poll() is not None, seconds=seconds, what=url)
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        return self.log.read_text()

    def stop(self) -> int:
        """Ctrl-C, which a terminal sends to make and to what it runs."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=60)


#: `make test` passes these on, and they would change what another make does.
_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "QUEUEADMIN_HOME")


def _base_python() -> str:
    """The Python that this environment was made with: as bare as a newcomer's."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def readme_curl(port: int) -> list[str]:
    """The command that the README gives, with another port."""
    (line,) = re.findall(r"^curl .*$", (REPOSITORY / "README.md").read_text(), flags=re.MULTILINE)
    return shlex.split(line.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))


def check_the_first_minute(run: MakeRun) -> None:
    """Send the README's alert; it gets a 202 and becomes a row."""
    _, _, url, _, header, _, body = readme_curl(run.port)
    name, value = header.split(": ")
    answer = requests.post(url, data=body, headers={name: value}, timeout=60)
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert receipt["durability"] == "redis"
    assert receipt["queue"] == "critical"

    def row() -> object:
        with sqlite3.connect(run.folder / "var" / "queueadmin.sqlite3") as database:
            found = database.execute("SELECT body FROM ingest_event WHERE id = ?", [receipt["id"]]).fetchone()
        database.close()
        return found

    wait_until(row, what="the alert's row")
    assert row() == (body,)


@pytest.fixture
def started(clone: Path) -> Iterator[MakeRun]:
    # The requirements are those that this test runs with: installing them is the long test's part.
    (clone / ".venv").symlink_to(sys.prefix)
    run = MakeRun(clone)
    yield run
    if run.process.poll() is None:
        run.stop()


def test_make_run_serves_and_the_alert_becomes_a_row(started: MakeRun) -> None:
    started.wait(seconds=100)
    check_the_first_minute(started)
    started.stop()
    assert started.said().splitlines()[-1].startswith(("Stopping …", "make: "))
    home = started.folder / "var"
    assert not (home / "redis.url").exists()
    assert not list((home / "pids").glob("*")), "a process is left"


@pytest.mark.long
def test_make_run_in_a_clean_clone_needs_nothing_but_python_and_make(clone: Path) -> None:
    run = MakeRun(clone)
    try:
        run.wait(seconds=300)
        check_the_first_minute(run)
    finally:
        run.stop()
