"""The whole product as real processes, for tests: what `make run` starts, with a home and a port of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import redis
import requests

from queueadmin.run import children
from queueadmin.run.home import socket_folder
from queueadmin.run.supervise import Supervisor
from tests.migrated import give_database
from tests.programs import is_alive
from tests.waiting import PATIENCE, wait_until

REPOSITORY = Path(__file__).resolve().parent.parent
ADMIN_PASSWORD = "lantern-orbit-42"  # known to tests only; every instance here is thrown away

#: What the tests' own process sets for itself, or a developer may have set: none of it is the instance's.
NOT_PASSED_ON = (
    "ALLOWED_HOSTS", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "HOST", "INGEST_FAST_LANE", "INGEST_REQUIRE_KEY",
    "PROD", "PUBLIC_URL", "REDIS", "REDIS_HOST", "REDIS_URL", "RQ_KEY_PREFIX", "SCRIPT_NAME", "SECRET_KEY",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _give_earlier_work(home: Path, environment: dict[str, str]) -> None:
    """The static files that an earlier instance collected, and a migrated database.

    Hashing and compressing those files takes seconds each time, and migrating one. The first instance of a process
    begins with nothing, as do those of tests/flows/test_first_run.py.
    """
    if _are_collected() and not home.exists():
        home.mkdir(mode=0o700)
        shutil.copytree(_collected[0], home / "static")
        if "DATABASE_URL" not in environment:
            give_database(home)


def _are_collected() -> bool:
    """An instance that was thrown away took them with it."""
    return bool(_collected) and _collected[0].is_dir()


#: Where this process keeps the static files of an earlier instance; one path, or none yet.
_collected: list[Path] = []


class Instance:
    """One `python -m queueadmin.run` in `folder`; more settings as keyword arguments, in capitals.

    A test may kill any of its programs: `web`, `worker-1` …, `maintain`, `publisher`, `valkey`.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.home = folder / "home"
        self.port = int(settings.get("PORT", free_port()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / "run.log"
        self.environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON} | {
            "QUEUEADMIN_HOME": str(self.home),
            "PORT": str(self.port),
            "WORKERS": "1",
            "QUEUEADMIN_ADMIN_PASSWORD": ADMIN_PASSWORD,
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start it without waiting for anything."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        _give_earlier_work(self.home, self.environment)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "queueadmin.run"],
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # No terminal: passwords are neither asked for nor shown.
                start_new_session=True,
            )
        return self.process

    def start(self) -> "Instance":
        """Start it and wait until it can take events in and its workers are there."""
        process = self.launch()
        wait_until(
            lambda: process.poll() is not None or "queueadmin runs at" in self.said(),
            what="the start",
        )
        assert process.poll() is None, self.said()
        wait_until(self._is_ready, what=f"readiness of {self.home}")
        if not _are_collected():
            _collected[:] = [self.home / "static"]
        return self

    def _is_ready(self) -> bool:
        if self.environment.get("REDIS") == "false":
            return self.answers("/readyz")
        with self.redis() as client:
            return self.answers("/readyz") and client.scard("rq:workers") >= int(self.environment["WORKERS"])

    def answers(self, path: str) -> bool:
        """Whether a GET of the path succeeds."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}{path}", timeout=5).ok
        return False

    def stop(self) -> int:
        """Stop it as Ctrl-C does and return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE)

    def said(self) -> str:
        """All that it has written to its output since the last start."""
        return self.output.read_text() if self.output.exists() else ""

    # --- its processes ------------------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        """The running programs and their pids."""
        supervisor = Supervisor(socket_folder(self.home) / "supervisor.sock")
        return {p["name"]: p["pid"] for p in supervisor.processes() if p["pid"]}

    def kill(self, program: str) -> int:
        """kill -9 one program, once it runs: it may be between two lives; return the pid that it had."""
        killed: list[int] = []

        def is_killed() -> bool:
            pid = self.pids().get(program)
            # Supervisor may tell of one that is dead: it has not looked yet.
            if pid is not None and is_alive(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            return bool(killed)

        wait_until(is_killed, what=f"{program} running")
        return killed[0]

    def alive(self) -> list[children.Child]:
        """Every process of it that is alive, whoever its parent is."""
        folder = self.home / "pids"
        return children.alive(folder) if folder.exists() else []

    def discard(self) -> None:
        """Kill whatever is left, however it got there: nobody looks at it any more, and a stop takes seconds."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.alive():
            children.stop(self.home / "pids", grace=0)
        shutil.rmtree(socket_folder(self.home), ignore_errors=True)

    def rest(self) -> None:
        """Nothing of it runs until `wake`, which leaves address and data as they were."""
        if self.process is not None and self.process.poll() is None:
            self.discard()

    def wake(self) -> None:
        if self.process is not None and self.process.poll() is not None:
            self.start()

    # --- what it holds ------------------------------------------------------------------------

    def redis(self) -> "redis.Redis":
        """A client of its Valkey; the caller closes it."""
        url = self.environment.get("REDIS_URL") or (self.home / "redis.url").read_text().strip()
        return redis.Redis.from_url(url)

    def manage(self, *arguments: str) -> str:
        """Run a management command beside it and return what it wrote.

        Without the system checks, which take longer than the rest of most: `make check` runs them, and each start.
        """
        command, *others = arguments
        unchecked = [] if command == "shell" else ["--skip-checks"]  # which runs none
        return subprocess.run(
            [sys.executable, "manage.py", command, *unchecked, *others],
            cwd=REPOSITORY,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
