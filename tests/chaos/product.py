"""The whole product under chaos: an instance as `make run` starts it, its stores, and ways to take them away."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis
import requests

from queueadmin.run.home import socket_folder
from queueadmin.run.supervise import Supervisor
from tests.chaos import clocks
from tests.chaos.databases import ERRORS, SOCKET, Database, Postgresql, Sqlite
from tests.chaos.disk import SmallDisk
from tests.chaos.jobs import InRedis, InSpool, Jobs
from tests.chaos.proxy import Proxy, Treatment
from tests.chaos.wires import Frontend, Message, Resp
from tests.instance import Instance
from tests.postgres import Cluster
from tests.programs import is_alive
from tests.valkey import Valkey
from tests.waiting import wait_until

#: Seconds after which nothing can be on its way any more, on a busy machine.
DEADLINE: Final = 300.0
WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Setup:
    """How a product stands; faults that need the same one share it."""

    #: With proxies in front of its stores.
    proxied: bool = False
    #: Settings beside those of every product.
    settings: tuple[tuple[str, str], ...] = ()
    #: Its home on a disk of so many MB, which can be filled; 0: on the machine's.
    disk: int = 0

    @property
    def has_redis(self) -> bool:
        return ("REDIS", "false") not in self.settings


#: What most faults take.
PLAIN: Final = Setup()


class Product:
    """Started by `start`, removed by `discard`."""

    def __init__(self, cluster: Cluster | None, setup: Setup) -> None:
        """On PostgreSQL in that cluster, else on the home's SQLite; on the home's own Valkey unless `proxied`."""
        self.setup = setup
        self.folder = Path(tempfile.mkdtemp(prefix="qa-chaos-"))
        self.disk = SmallDisk(self.folder, setup.disk) if setup.disk else None
        self.treat: Callable[[Message], Treatment] = untouched
        self.treat_database: Callable[[Message], Treatment] = untouched
        settings = {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "WORKERS": str(WORKERS),
            "LEASE_SECONDS": str(clocks.LEASE),
            "CLAIM_LIMIT": "50",
            "QUEUEADMIN_FAULTS": "1",
            **dict(setup.settings),
        }
        self._valkey: Valkey | None = None
        self._proxies: list[Proxy] = []
        if setup.proxied:
            (self.folder / "valkey").mkdir()
            self._valkey = Valkey(self.folder / "valkey", fsync="always")
            listen, server = self.folder / "proxy.sock", self._valkey.folder / "valkey.sock"
            self._proxies.append(Proxy(listen, server, Resp, lambda message: self.treat(message)))
            settings["REDIS_URL"] = f"unix://{listen}"
        self.database: Database
        if cluster is not None:
            self.database = Postgresql(cluster, "product")
            settings["DATABASE_URL"] = self.database.url
            if setup.proxied:
                treat = lambda message: self.treat_database(message)  # noqa: E731 - it is set later
                self._proxies.append(Proxy(self.folder / SOCKET, self.database.socket, Frontend, treat))
                settings["DATABASE_URL"] = self.database.url_through(self.folder)
        self.instance = Instance(self.folder, **settings)
        if cluster is None:
            self.database = Sqlite(self.instance.home / "queueadmin.sqlite3")
        self._jobs: Jobs | None = None
        self._redis: redis.Redis | None = None

    def start(self) -> "Product":
        self.instance.start()
        return self

    def discard(self) -> None:
        self.leave_alone()
        if self._redis is not None:
            self._redis.close()
        self.instance.discard()
        for proxy in self._proxies:
            proxy.close()
        if self._valkey is not None:
            self._valkey.kill()
        if self.disk is not None:
            self.disk.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def leave_alone(self) -> None:
        """The proxies forward everything at once."""
        self.treat = self.treat_database = untouched

    # --- its stores ---------------------------------------------------------------------------

    @property
    def redis(self) -> redis.Redis:
        """A client past the proxy."""
        if self._redis is None:
            url = self._valkey.url if self._valkey else (self.instance.home / "redis.url").read_text().strip()
            self._redis = redis.Redis.from_url(url)
        return self._redis

    def redis_answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.redis.ping())
        return False

    @property
    def valkey_pid(self) -> int:
        if self._valkey:
            return self._valkey.process.pid
        wait_until(self.redis_answers, seconds=DEADLINE, what="Valkey's new start")
        return self.instance.pids()["valkey"]

    def stop_valkey(self) -> None:
        """As an operator would, until `start_valkey`."""
        self._supervisor._call("stopProcess", "valkey")

    def start_valkey(self) -> None:
        self._supervisor._call("startProcess", "valkey")
        wait_until(self.redis_answers, seconds=DEADLINE, what="Valkey's new start")

    @property
    def _supervisor(self) -> Supervisor:
        return Supervisor(socket_folder(self.instance.home) / "supervisor.sock")

    @property
    def jobs(self) -> Jobs:
        if self._jobs is None:
            self._jobs = InRedis(self.redis) if self.setup.has_redis else InSpool(self.database)
        return self._jobs

    def settled(self) -> bool:
        """Whether nothing is left to be worked off."""
        try:
            return InSpool(self.database).unfinished() == 0 and self.jobs.unfinished() == 0
        except (redis.RedisError, *ERRORS):
            return False

    def carried_out(self) -> set[str]:
        """The events whose effect handler came to its end, at least once."""
        path = self.instance.home / "effects.log"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return {n for _, n, _, what in lines if what == "ends"}

    def verified(self) -> list[str]:
        """What `manage.py verify` says when it is not content; it is about Redis alone."""
        if not self.setup.has_redis:
            return []
        try:
            self.instance.manage("verify")
        except subprocess.CalledProcessError as error:
            return [f"manage.py verify: {line}" for line in f"{error.stdout}{error.stderr}".splitlines() if line]
        return []

    # --- its programs -------------------------------------------------------------------------

    def kill(self, program: str, number: signal.Signals = signal.SIGKILL) -> None:
        """kill -9, or another signal that ends it; return when supervisor has started it again."""
        pid: int | None = None

        def is_struck() -> bool:
            nonlocal pid
            pid = self.pid(program)
            with contextlib.suppress(ProcessLookupError):
                if pid is not None and is_alive(pid):
                    os.kill(pid, number)
                    return True
            return False

        wait_until(is_struck, seconds=DEADLINE, what=f"{program} running")
        wait_until(lambda: self.pid(program) not in (None, pid), seconds=DEADLINE, what=f"{program}'s new start")
        self.wait_for_all()

    def strike(self, program: str) -> None:
        """kill -9 if it runs; nothing is waited for."""
        if pid := self.pid(program):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def pid(self, program: str) -> int | None:
        with contextlib.suppress(OSError):
            return self.instance.pids().get(program)
        return None

    def wait_until_running(self, program: str) -> None:
        """Until supervisor takes its start for a good one; one that dies before that is started later each time."""

        def runs() -> bool:
            with contextlib.suppress(OSError):
                return any(
                    found["name"] == program and found["statename"] == "RUNNING"
                    for found in self._supervisor.processes()
                )
            return False

        wait_until(runs, seconds=DEADLINE, what=f"{program}, running")

    def wait_for_all(self) -> None:
        """Until it can take in and all its workers are there."""

        def ready() -> bool:
            if not self.setup.has_redis:
                return self.instance.answers("/readyz")
            with contextlib.suppress(redis.RedisError):
                return self.instance.answers("/readyz") and int(self.redis.scard("rq:workers")) >= WORKERS
            return False

        wait_until(ready, seconds=DEADLINE, what="readiness")

    def kill_everything(self) -> None:
        """kill -9 of every process, the database's and Valkey's too, and start it all again."""
        assert self.instance.process is not None
        pids = [self.instance.process.pid, *(child.pid for child in self.instance.alive())]
        if self._valkey:
            pids.append(self._valkey.process.pid)
        if isinstance(self.database, Postgresql):
            self.database.cluster.stop("immediate")
        # The supervisor first, so that it starts nothing anew.
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.instance.process.wait()
        if isinstance(self.database, Postgresql):
            self.database.cluster.start()
        if self._valkey:
            self._valkey.process.wait()
            self._valkey.start()
        self.instance.start()

    def accepts(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.instance.url}/readyz", timeout=5).ok
        return False


def untouched(message: Message) -> Treatment:
    return None
