"""Whoever takes the same jobs: this project, and the peers from an environment of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

from bench import corpus
from bench.ground import REPOSITORY, Database, Ground, Program, Unmeasured
from bench.report import Peer

#: `nothing` returns at once, `stamp` writes down when it began, `sleep` does that and then hangs.
Job = Literal["nothing", "stamp", "sleep"]

#: Not in .venv: what peers need must not be in the product's environment.
_FOLDER = REPOSITORY / ".venv-bench"
#: Lists of times, written by the programs in `ours/` and `peers/`.
ENQUEUED, STARTED = "bench:enqueued", "bench:started"


@dataclass(frozen=True, slots=True)
class Took:
    seconds: float
    #: Of these, on a core of its own; the rest waited for Redis or for a core.
    processor: float


class Contestant(Protocol):
    #: As it stands in the table.
    name: str
    #: More jobs a second than it will drain: so many are laid ready.
    most: int

    def fill(self, count: int, job: Job) -> Took:
        """Enqueue `count` alerts, many at a time; return what that took, without the program's start."""

    def trickle(self, count: int, pause: float, job: Job) -> None:
        """Enqueue one alert at a time, with a pause before each, and write down when."""

    def work(self, number: int = 0) -> Program:
        """Start one worker."""

    def remaining(self) -> int:
        """Jobs that are not done yet."""


class Ours:
    """This project. With a database the alerts are stored; without, their handler does nothing and leaves no row."""

    name = "this project"
    stored_in: Mapping[Database, str] = {"sqlite": "stored in SQLite", "postgresql": "stored in PostgreSQL"}

    def __init__(self, ground: Ground, database: Database | None = None) -> None:
        self.most = 20_000 if database is None else 12_000
        self._ground = ground
        self._stores = database is not None
        self._environment = ground.environment(database or "sqlite")
        self._count = 0

    def fill(self, count: int, job: Job) -> Took:
        self._count = count
        kind = "alert" if self._stores else job
        return _took(self._ground.run("-m", "bench.ours.put", "fill", str(count), kind, environment=self._environment))

    def enqueue_many(self, count: int) -> Took:
        """Through the Python client, which checks each alert as the API does."""
        return _took(
            self._ground.run("-m", "bench.ours.put", "many", str(count), "alert", environment=self._environment)
        )

    def trickle(self, count: int, pause: float, job: Job) -> None:
        self._ground.run(
            "-m", "bench.ours.put", "trickle", str(count), job, str(pause), environment=self._environment
        )  # fmt: skip

    def work(self, number: int = 0) -> Program:
        program = ["manage.py"] if self._stores else ["-m", "bench.ours.worker"]
        command = [sys.executable, *program, "rqworker", "critical", "high", "medium", "low"]
        return self._ground.start(command, name=f"ours-{number}", environment=self._environment)

    def remaining(self) -> int:
        return self._count - int(self._ground.redis.hget("rq:qa:count:medium", "completed") or 0)


class OursOnStock(Ours):
    """Our job function and our rows, run by RQ's SimpleWorker: what the batch worker saves."""

    name = "the same by RQ SimpleWorker"

    def __init__(self, ground: Ground, database: Database) -> None:
        super().__init__(ground, database)
        self.most = 500

    def work(self, number: int = 0) -> Program:
        command = [sys.executable, "-m", "bench.ours.stock_worker"]
        return self._ground.start(command, name=f"ours-on-stock-{number}", environment=self._environment)

    def remaining(self) -> int:
        return int(self._ground.redis.llen("rq:queue:medium"))


class _InPython:
    """A peer with a program in `peers/`, run by the bench's own environment."""

    name: str
    most: int
    module: str
    worker: tuple[str, ...]

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.python = peers_python()
        self.environment = {
            "PATH": f"{self.python.parent}:{os.environ.get('PATH', '')}",
            "BENCH_REDIS": f"{ground.folder}/valkey.sock",
            "PYTHONPATH": str(REPOSITORY),
        }

    def fill(self, count: int, job: Job) -> Took:
        return _took(self._run("fill", str(count), job))

    def trickle(self, count: int, pause: float, job: Job) -> None:
        self._run("trickle", str(count), job, str(pause))

    def work(self, number: int = 0) -> Program:
        command = [str(self.python), *self.worker]
        name = f"{type(self).__name__}-{number}"
        return self._ground.start(command, name=name, environment=self.environment)

    def _run(self, *arguments: str) -> object:
        return self._ground.run(
            "-m", f"bench.peers.{self.module}", *arguments, environment=self.environment, python=str(self.python)
        )


class SimpleWorker(_InPython):
    name = "RQ SimpleWorker"
    most = 800
    module = "rq_peer"
    worker = ("-m", "bench.peers.rq_peer", "work", "SimpleWorker")

    def remaining(self) -> int:
        return int(self._ground.redis.llen("rq:queue:medium"))


class Enqueuing(SimpleWorker):
    """RQ's client alone."""

    name = "RQ"


class ForkingWorker(SimpleWorker):
    name = "RQ Worker"
    most = 200
    worker = ("-m", "bench.peers.rq_peer", "work", "Worker")


class Celery(_InPython):
    name = "Celery"
    most = 3_000
    module = "celery_peer"
    worker = (
        "-m", "celery", "-A", "bench.peers.celery_peer", "worker", "-P", "solo", "-l", "WARNING",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    )  # fmt: skip

    def remaining(self) -> int:
        return int(self._ground.redis.llen("celery")) + int(self._ground.redis.hlen("unacked"))


class Dramatiq(_InPython):
    name = "Dramatiq"
    most = 5_000
    module = "dramatiq_peer"
    worker = ("-m", "dramatiq", "-p", "1", "bench.peers.dramatiq_peer")

    def remaining(self) -> int:
        return int(self._ground.redis.hlen("dramatiq:default.msgs"))


class BullMQ:
    name = "BullMQ, 10 at a time"
    most = 12_000

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._folder = bullmq_folder(ground)
        self._environment = {**os.environ, "BENCH_REDIS": f"{ground.folder}/valkey.sock"}

    def fill(self, count: int, job: Job) -> Took:
        return _took(self._run("fill", str(count), job))

    def trickle(self, count: int, pause: float, job: Job) -> None:
        self._run("trickle", str(count), job, str(pause))

    def work(self, number: int = 0) -> Program:
        command = ["node", "peer.mjs", "work"]
        return self._ground.start(command, name=f"bullmq-{number}", environment=self._environment, cwd=self._folder)

    def remaining(self) -> int:
        return int(self._ground.redis.llen("bull:bench:wait")) + int(self._ground.redis.llen("bull:bench:active"))

    def _run(self, *arguments: str) -> object:
        done = subprocess.run(
            ["node", "peer.mjs", *arguments],
            cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Unmeasured(next((line for line in done.stderr.splitlines() if "Error:" in line), "node failed"))
        return json.loads(done.stdout.splitlines()[-1])


PEERS: tuple[type[SimpleWorker | Celery | Dramatiq | BullMQ], ...] = (
    SimpleWorker, ForkingWorker, Celery, Dramatiq, BullMQ,
)  # fmt: skip


def beside(
    ground: Ground, measure: Callable[[Contestant], float], *kinds: "Callable[[Ground], Contestant]"
) -> tuple[Peer, ...]:
    """Each peer measured; one that cannot be installed, or does not work, says so."""
    found = []
    for kind in kinds:
        name: str = getattr(kind, "func", kind).name  # type: ignore[union-attr]
        try:
            require_peers(ground)
            found.append(Peer(name, measure(kind(ground))))
        except Unmeasured as error:
            found.append(Peer(name, None, str(error)))
    return tuple(found)


def require_peers(ground: Ground) -> None:
    """Raises Unmeasured when none are asked for."""
    if not ground.peers:
        raise Unmeasured("left out")


# --- their environments --------------------------------------------------------------------------


@cache
def peers_python() -> Path:
    """The Python of the bench's own environment, made at the first use. Raises Unmeasured."""
    python = _FOLDER / "bin" / "python"
    wanted = (REPOSITORY / "requirements-bench.txt").read_text()
    stamp = _FOLDER / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(_FOLDER)],
            [
                *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("-r", str(REPOSITORY / "requirements-bench.txt")),
            ],
        ):
            _install(command, REPOSITORY)
        stamp.write_text(wanted)
    return python


def bullmq_folder(ground: Ground) -> Path:
    """BullMQ with our program beside it, in a temporary folder. Raises Unmeasured."""
    folder = ground.folder / "bullmq"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unmeasured("node and npm were not found")
    if not (folder / "installed").exists():
        shutil.copytree(Path(__file__).parent / "peers" / "bullmq", folder, dirs_exist_ok=True)
        _install(["npm", "install", "--no-fund", "--no-audit", "--ignore-scripts", "--loglevel", "error"], folder)
        (folder / "alerts.ndjson").write_bytes(b"\n".join(corpus.lines(5_000)))
        (folder / "installed").touch()
    return folder


def _install(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise Unmeasured(f"could not be installed: {said[-1].strip()[:120] if said else command[0]}")


def _took(said: object) -> Took:
    assert isinstance(said, dict), said
    return Took(**said)
