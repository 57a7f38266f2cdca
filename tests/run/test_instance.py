"""`python -m queueadmin.run` as real processes: one of each, all gone after a stop, back after a kill."""

import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from ingest.worker.worker import GRACE
from queueadmin.run import child
from queueadmin.run.home import socket_folder
from queueadmin.run.instance import STOP_SECONDS as STOP_ALL_SECONDS
from queueadmin.run.supervise import STOP_SECONDS, VALKEY_STOP_SECONDS
from tests.conftest import wait_until
from tests.instance import ADMIN_PASSWORD, REPOSITORY, Instance

Make = Callable[..., Instance]
#: Seconds that a test waits for a stop. The promise of 10 s is kept by the times that add up below; a busy
#: machine that runs other tests may take longer to notice.
STOPPED = 60


def test_the_times_of_a_stop_add_up_to_less_than_ten_seconds() -> None:
    assert GRACE < STOP_SECONDS, "a worker needs a moment after its grace time to give back what it holds"
    assert STOP_SECONDS + VALKEY_STOP_SECONDS < STOP_ALL_SECONDS < 10


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make instances with homes of their own (or of the same `folder`); whatever is left is stopped at the end."""
    made: list[Instance] = []

    def make(folder: str = "one", **settings: str) -> Instance:
        made.append(Instance(tmp_path / folder, **settings))
        return made[-1]

    yield make
    for instance in made:
        instance.discard()


def accept_one(instance: Instance) -> str:
    """Send one alert and return the id of its job."""
    answer = requests.post(f"{instance.url}/api/alerts/event", json={"title": uuid.uuid4().hex}, timeout=60)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def is_finished(instance: Instance, job_id: str) -> bool:
    answer = requests.get(f"{instance.url}/api/v1/jobs/{job_id}", timeout=60)
    return answer.ok and answer.json()["state"] == "finished"


@dataclass(frozen=True)
class Past:
    """An instance that ran and was stopped by Ctrl-C, and what was seen of it."""

    instance: Instance
    programs: set[str]
    alive: set[str]
    exit_status: int


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    # The home's path is longer than a socket's may be.
    instance = Instance(tmp_path_factory.mktemp("o" * 110), WORKERS="2")
    instance.home.mkdir(mode=0o700)  # it is given nothing: all that is in it at the end is its own work
    try:
        instance.start()
        programs, alive = set(instance.pids()), {found.name for found in instance.alive()}
        job_id = accept_one(instance)
        wait_until(lambda: is_finished(instance, job_id), what="the alert's processing")
        assert instance.process is not None
        instance.process.send_signal(signal.SIGINT)
        yield Past(instance, programs, alive, instance.process.wait(timeout=STOPPED))
    finally:
        instance.discard()


def test_every_program_runs_once(past: Past) -> None:
    assert past.programs == {"web", "worker-1", "worker-2", "maintain", "publisher", "valkey"}
    assert past.alive == {*past.programs, "supervisord"}


def test_ctrl_c_leaves_nothing_behind(past: Past) -> None:
    assert past.exit_status == 0
    assert past.instance.said().endswith("Stopping …\n")
    assert past.instance.alive() == []
    assert not (past.instance.home / "redis.url").exists()
    assert not socket_folder(past.instance.home).exists()


def test_everything_in_the_home_is_the_owners_alone(past: Past) -> None:
    for path in (past.instance.home, *past.instance.home.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_no_password_ever_reaches_a_file(past: Past) -> None:
    for path in (past.instance.output, *past.instance.home.rglob("*")):
        if path.is_file():
            assert ADMIN_PASSWORD.encode() not in path.read_bytes(), path


def test_sigterm_while_it_still_starts_leaves_nothing_behind(make: Make) -> None:
    instance = make()
    process = instance.launch()
    wait_until(lambda: any(found.name == "valkey" for found in instance.alive()), what="Valkey")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=STOPPED) == 0
    assert instance.alive() == []


def test_programs_that_are_killed_come_back_and_lose_nothing(make: Make) -> None:
    """B23: Valkey's log holds what was accepted."""
    instance = make(WORKERS="0").start()  # none is legal
    job_id = accept_one(instance)

    for program in ("valkey", "web", "publisher"):
        killed = instance.kill(program)
        wait_until(lambda: instance.pids().get(program, killed) != killed, what=f"{program}'s return")  # noqa: B023
    wait_until(lambda: "valkey ended unexpectedly" in instance.said(), what="the notice")

    wait_until(lambda: instance.answers("/readyz"), what="readiness")
    state = requests.get(f"{instance.url}/api/v1/jobs/{job_id}", timeout=60).json()["state"]
    assert state == "queued"
    assert instance.stop() == 0


def test_a_second_start_on_the_same_home_names_the_first(instance: Instance, tmp_path: Path) -> None:
    second = Instance(tmp_path, QUEUEADMIN_HOME=str(instance.home))
    assert second.launch().wait(timeout=60) == 1
    assert instance.process is not None
    assert f"already runs in {instance.home} as process {instance.process.pid};" in second.said()
    assert instance.answers("/healthz")


def test_a_killed_run_ends_and_what_is_left_is_named_and_stopped(make: Make) -> None:
    instance = make().start()
    assert instance.process is not None
    instance.process.kill()
    instance.process.wait()
    wait_until(lambda: not instance.alive(), what="the children's end")

    # One that hears nothing of its parent's death, as a process that hangs in the kernel does not.
    command = ["sleep", "600"]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", child.__file__, str(instance.home / "pids"), "worker-1", *command]
    ) as left:
        wait_until(instance.alive, what="the leftover")
        instance.start()
        said = f"An earlier run was killed and left these processes behind: worker-1 {left.pid}. Stopping them first."
        assert said in instance.said()
        assert left.wait() == -signal.SIGTERM


def test_it_all_ends_with_its_supervisor(make: Make) -> None:
    instance = make().start()
    supervisord = next(found.pid for found in instance.alive() if found.name == "supervisord")
    os.kill(supervisord, signal.SIGKILL)
    assert instance.process is not None
    assert instance.process.wait(timeout=STOPPED) == 1
    assert instance.alive() == []
    assert "supervisor ended by itself" in instance.said()


def test_a_port_in_use_is_one_sentence(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        instance = make(PORT=str(port))
        assert instance.launch().wait(timeout=60) == 1
        sentence = f"queueadmin cannot start: PORT {port} is in use; choose another: PORT={port + 1} make run\n"
        assert instance.said() == sentence
    assert instance.alive() == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PORT": "http"}, "PORT must be a whole number, not 'http'."),
        ({"WORKERS": "-1"}, "WORKERS must be between 0 and 256, not -1."),
        ({"REDIS_MAXMEMORY": "lots"}, "REDIS_MAXMEMORY must look like 512mb or 2gb, not 'lots'."),
        ({"QUEUEADMIN_HOME": "/proc/nowhere"}, "QUEUEADMIN_HOME /proc/nowhere cannot be written: "),
        ({"QUEUEADMIN_ADMIN_PASSWORD": "secret"}, "QUEUEADMIN_ADMIN_PASSWORD is refused: This password is too short."),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(make: Make, settings: dict[str, str], sentence: str) -> None:
    instance = make()
    instance.environment |= settings
    assert instance.launch().wait(timeout=60) == 1
    assert instance.said().startswith(f"queueadmin cannot start: {sentence}")
    assert len(instance.said().splitlines()) == 1


def test_the_one_time_password_is_the_last_thing_on_the_terminal_the_first_time(make: Make) -> None:
    instance = make()
    del instance.environment["QUEUEADMIN_ADMIN_PASSWORD"]
    first = _in_a_terminal(instance, until="change it under Account.")
    *_, address, password_line, last = first.splitlines()
    assert address == f"queueadmin runs at {instance.url}/"
    assert last == "It is shown this once; change it under Account."
    found = re.fullmatch(r"Log in as admin with the password (\S{16})", password_line)
    assert found, first
    for path in instance.home.rglob("*"):
        if path.is_file():
            assert found[1].encode() not in path.read_bytes(), path

    assert _in_a_terminal(instance, until="queueadmin runs at").splitlines()[-1] == address


def _in_a_terminal(instance: Instance, *, until: str) -> str:
    """Run it in a terminal of its own until it says `until`, press Ctrl-C, return what was shown before."""
    leader, terminal = pty.openpty()
    with subprocess.Popen(
        # `setsid --ctty` would do, but is not everywhere.
        [sys.executable, "-c", _TAKE_TERMINAL, sys.executable, "-m", "queueadmin.run"],
        cwd=REPOSITORY,
        env=instance.environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        shown = ""
        try:
            while until not in shown or not shown.endswith("\n"):
                shown += os.read(leader, 4096).decode().replace("\r\n", "\n")
            os.write(leader, b"\x03")
            assert process.wait(timeout=STOPPED) == 0
        except OSError:
            pytest.fail(f"it ended early: {shown}")
        finally:
            process.kill()
            os.close(leader)
    assert instance.alive() == []
    return shown


_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
