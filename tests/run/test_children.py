"""What an earlier run left behind is found by its locks, named and stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from queueadmin.run import child, children
from queueadmin.run.children import Child
from tests.conftest import wait_until

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program through child.py; everything is killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, code: str = "import time; time.sleep(600)") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", child.__file__, str(tmp_path), name, sys.executable, "-c", code]
        process = subprocess.Popen(command)
        started.append(process)
        wait_until(lambda: Child(name, process.pid) in children.alive(tmp_path), what=f"the lock of {name}")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_living_are_named_with_their_pids(tmp_path: Path, start: Start) -> None:
    web, worker = start("web"), start("worker-1")
    assert children.alive(tmp_path) == [Child("web", web.pid), Child("worker-1", worker.pid)]
    assert str(Child("web", web.pid)) == f"web {web.pid}"


def test_the_dead_are_forgotten_even_when_their_pid_lives_on(tmp_path: Path, start: Start) -> None:
    web = start("web")
    web.kill()
    web.wait()
    # Its pid given to somebody else: the file alone proves nothing.
    (tmp_path / f"web.{os.getpid()}").touch()
    assert children.alive(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_forked_process_is_found_after_its_parent_is_gone(tmp_path: Path, start: Start) -> None:
    worker = start("worker-1", "import os, time; os.fork() or os.setsid(); time.sleep(600)")
    wait_until(lambda: len(children.alive(tmp_path)) == 2, what="the fork")
    worker.kill()
    worker.wait()
    (horse,) = children.alive(tmp_path)
    assert horse.name == "worker-1"
    assert horse.pid != worker.pid
    assert children.stop(tmp_path, grace=5) == []


def test_a_stop_asks_first(tmp_path: Path, start: Start) -> None:
    web = start("web")
    assert children.stop(tmp_path, grace=10) == []
    assert web.wait() == -signal.SIGTERM


def test_a_stop_reaches_stopped_processes_and_kills_the_deaf(tmp_path: Path, start: Start) -> None:
    ready = tmp_path / "ready"
    deaf = start(
        "deaf",
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f" pathlib.Path({str(ready)!r}).touch(); time.sleep(600)",
    )
    stopped = start("stopped")
    stopped.send_signal(signal.SIGSTOP)
    wait_until(ready.exists, what="the handler of SIGTERM")
    assert children.stop(tmp_path, grace=0.5) == []
    assert stopped.wait() == -signal.SIGTERM
    assert deaf.wait() == -signal.SIGKILL


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of Linux alone can do this")
def test_a_child_goes_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", child.__file__, str(tmp_path), "web", "sleep", "600"]
    code = f"import subprocess, time; subprocess.Popen({command!r}); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        wait_until(lambda: children.alive(tmp_path), what="the child")
        parent.kill()
    wait_until(lambda: not children.alive(tmp_path), what="the child's end")


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", child.__file__, str(tmp_path), "web", "/nowhere/valkey-server"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr == "/nowhere/valkey-server cannot be executed: No such file or directory\n"
