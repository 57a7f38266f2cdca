"""A process is known by more than its pid, and killed only when it is the one that was meant."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ingest import processes


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_the_one_that_was_meant_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    meant = processes.identity(sleeper.pid)
    assert processes.is_here(meant)
    assert processes.kill(meant)
    assert sleeper.wait(timeout=60) == -signal.SIGKILL
    assert not processes.is_here(meant)
    assert not processes.kill(meant)


def test_another_with_its_pid_or_on_another_machine_is_not(sleeper: subprocess.Popen[bytes]) -> None:
    boot, namespace, pid, started = processes.identity(sleeper.pid).split()
    for other in (
        f"{boot} {namespace} {pid} {int(started) + 1}",
        f"{boot} pid:[1] {pid} {started}",
        f"00000000-0000-0000-0000-000000000000 {namespace} {pid} {started}",
        f"{boot} {namespace} 999999999 {started}",
        "",
    ):
        assert not processes.is_here(other)
        assert not processes.kill(other)
    assert sleeper.poll() is None


def test_what_it_takes_of_the_machine() -> None:
    usage = processes.Usage()
    assert processes.memory() > 2**20
    assert usage.percent() >= 0


def test_who_starts_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUPERVISOR_ENABLED", "SYSTEMD_EXEC_PID", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert processes.supervisor() == ""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert processes.supervisor() == "kubernetes"
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "1")  # of the one that started our shell
    assert processes.supervisor() == "kubernetes"
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert processes.supervisor() == "systemd"
    monkeypatch.setenv("SUPERVISOR_ENABLED", "1")
    assert processes.supervisor() == "supervisor"
