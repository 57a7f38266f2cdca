"""What a run stands on: servers, homes and processes of its own, all gone when it ends."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

import psycopg
import redis

from queueadmin.run.valkey import find_server, server_arguments
from tests.postgres import Cluster, programs

REPOSITORY = Path(__file__).resolve().parent.parent
Database = Literal["sqlite", "postgresql"]
DATABASES: tuple[Database, ...] = ("sqlite", "postgresql")

#: What a developer may have set; the run's own is set below.
_NOT_PASSED_ON = (
    "ALLOWED_HOSTS", "CLAIM_LIMIT", "DATABASE_URL", "DEBUG", "HOST", "INGEST_FAST_LANE", "INGEST_REQUIRE_KEY",
    "LEASE_SECONDS", "PORT", "PROD", "PUBLIC_URL", "QUEUEADMIN_FAULTS", "REDIS", "REDIS_HOST", "REDIS_URL",
    "RQ_KEY_PREFIX", "SCRIPT_NAME", "SECRET_KEY",
)  # fmt: skip


class Unmeasured(Exception):
    """A figure cannot be had; the message says why, in a few words that stand in the table."""


class Ground:
    """A Valkey that fsyncs always and a PostgreSQL that fsyncs, both on sockets in a temporary folder."""

    def __init__(self, *, seconds: float, small: bool = False, peers: bool = True) -> None:
        #: How long each thing is measured.
        self.seconds = seconds
        #: A smoke: sizes so small that the figures say nothing.
        self.small = small
        #: Whether peers are asked for.
        self.peers = peers
        # A socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="qa-bench-"))
        self.home = self.folder / "home"
        self._programs: list[Program] = []
        self._databases: set[str] = set()

    def __enter__(self) -> "Ground":
        try:
            self.home.mkdir()
            (self.home / "static").mkdir()
            self._start_valkey()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def size(self, jobs: float, *, tiny: int = 200) -> int:
        """A number of jobs; in a smoke, a tiny one."""
        return tiny if self.small else int(jobs)

    # --- servers ------------------------------------------------------------------------------

    @property
    def redis_url(self) -> str:
        return f"unix://{self.folder}/valkey.sock"

    @cached_property
    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(self.redis_url)

    def empty(self) -> None:
        """Nothing in Redis, nothing left to be freed, and a short append-only file."""
        self.redis.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]
        self.redis.config_set("slowlog-log-slower-than", 10_000)
        self.redis.slowlog_reset()

    def _start_valkey(self) -> None:
        # The product's own arguments; only the memory is larger, for the row at a million jobs.
        arguments = server_arguments(self.folder, maxmemory="8gb")
        self.valkey = self.start([str(find_server()), *arguments], name="valkey")
        wait_until(self._redis_answers, seconds=20, what="Valkey's first answer")

    def _redis_answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except redis.RedisError:
            return False

    @cached_property
    def postgres(self) -> Cluster:
        """Raises Unmeasured without PostgreSQL's server programs."""
        if programs() is None:
            raise Unmeasured("PostgreSQL's server programs were not found")
        # Its tests switch fsync off; a figure without it would be a lie.
        return Cluster("-c fsync=on", "-c max_wal_size=4GB", "-c shared_buffers=256MB")

    # --- the product's environment ------------------------------------------------------------

    def environment(self, database: Database = "sqlite") -> dict[str, str]:
        """For programs of ours: this Redis, a migrated database without events."""
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON} | {
            "DJANGO_SETTINGS_MODULE": "queueadmin.settings",
            "QUEUEADMIN_HOME": str(self.home),
            "REDIS_URL": self.redis_url,
        }
        if database == "postgresql":
            environment["DATABASE_URL"] = self.postgres.url
        if database not in self._databases:
            self.run("-m", "django", "migrate", "--verbosity", "0", environment=environment)
            self._databases.add(database)
        return environment

    def forget_events(self) -> None:
        """Empty tables, as for a new instance."""
        if "postgresql" in self._databases:
            with psycopg.connect(self.postgres_address(), autocommit=True) as connection:
                connection.execute(
                    "TRUNCATE ingest_event, ingest_alert, ingest_report, ingest_point, ingest_device,"
                    " ingest_pointcount, ingest_pointmonth"
                )
                connection.execute("CHECKPOINT")
        if "sqlite" in self._databases:
            with closing(sqlite3.connect(self.home / "queueadmin.sqlite3")) as connection:
                connection.executescript(
                    "DELETE FROM ingest_event; DELETE FROM ingest_alert; DELETE FROM ingest_report;"
                    " DELETE FROM ingest_point; DELETE FROM ingest_device; DELETE FROM ingest_pointcount;"
                    " DELETE FROM ingest_pointmonth; VACUUM;"
                )

    def postgres_seconds(self) -> float:
        """What PostgreSQL's living processes have used of a core."""
        pid = int((self.postgres.data / "postmaster.pid").read_text().split()[0])
        return sum(_used(each) for each in _family(pid))

    def postgres_address(self) -> str:
        return f"host={self.postgres.folder} user=qa dbname=queueadmin"

    # --- programs -----------------------------------------------------------------------------

    def run(self, *arguments: str, environment: dict[str, str], python: str = sys.executable) -> Any:
        """Run a Python program to its end; what the last line of its output says, as JSON if it is."""
        done = subprocess.run(
            [python, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unmeasured(f"{arguments[1]} failed: {_last_line(done.stderr or done.stdout)}")
        return json.loads(_last_line(done.stdout) or "null")

    def start(
        self, command: Sequence[str], *, name: str, environment: dict[str, str] | None = None, cwd: Path = REPOSITORY
    ) -> "Program":
        program = Program(command, environment=environment, log=self.folder / f"{name}.log", cwd=cwd)
        self._programs.append(program)
        return program

    def _remove(self) -> None:
        for program in reversed(self._programs):
            program.stop()
        if "postgres" in self.__dict__:
            self.postgres.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


class Program:
    """A process group that runs beside the measuring."""

    def __init__(self, command: Sequence[str], *, environment: dict[str, str] | None, log: Path, cwd: Path) -> None:
        self.log = log
        self._output: IO[bytes] = log.open("wb")
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        return self.process.poll() is not None

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def why(self) -> Unmeasured:
        """What to say when it did not do its work."""
        return Unmeasured(_last_line(self.said()) or "it ended without a word")

    def kill(self) -> None:
        """kill -9, with all its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and what does not end within some seconds is killed, its children in any case."""
        if not self.ended():
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=12)
        self.kill()
        self._output.close()

    def processor_seconds(self) -> float:
        """What the process and its living descendants have used of a core, to the microsecond."""
        return sum(_used(pid) for pid in _family(self.pid))


def wait_until(condition: Callable[[], object], *, seconds: float, what: str, pause: float = 0.01) -> None:
    """Return as soon as the condition holds. Raises Unmeasured after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unmeasured(f"{what} did not come within {seconds:g} s")
        time.sleep(pause)


def _family(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += parents.get(pid, [])
    return found


def _used(pid: int) -> float:
    total = 0
    for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(schedstat.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue
    return total / 1e9


def _last_line(text: str) -> str:
    found = [line for line in text.splitlines() if line.strip()]
    return found[-1].strip() if found else ""
