"""Where one event lives its life: a Valkey, a database, and the product's programs behind proxies."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import redis
import requests

from ingest.queue import keys
from ingest.queue.payload import decode
from ingest.queue.transitions import Claim, Failure
from tests.chaos import clocks, roles
from tests.chaos.conservation import unbalanced
from tests.chaos.databases import SOCKET, Database, Postgresql, Sqlite
from tests.chaos.proxy import Cut, Proxy, Treatment
from tests.chaos.roles import OTHER, QUEUE, StatementKill, Surroundings
from tests.chaos.wires import Frontend, Message, Resp, Wire, sources
from tests.ingest.worker.conftest import Work
from tests.instance import NOT_PASSED_ON, REPOSITORY, free_port
from tests.postgres import Cluster
from tests.valkey import Valkey
from tests.waiting import NotInTime

Program = Literal["web", "worker", "maintain", "operator"]
Ends = dict[str, str]

_PROGRAMS: Final[tuple[Program, ...]] = ("web", "worker", "maintain", "operator")
#: Seconds in which everything must have come to its end, on a busy machine.
DEADLINE: Final = 40.0
_COMMANDS: Final[dict[Program, tuple[str, ...]]] = {"worker": ("rqworker", QUEUE), "maintain": ("maintain",)}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.chaos.roles"])
#: multiprocessing's own books are not for several threads.
_books: Final = threading.Lock()


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A message in a life: the `number`-th of its name that this program sends to this store."""

    program: Program
    store: Literal["redis", "postgresql", "sqlite"]
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.program} → {self.store}: {self.name} #{self.number}"


#: `before` and `after`: the program is killed before the message is forwarded, or when it was answered and the
#: answer not passed on. `reply`: nobody is killed, only the answer is lost with its connection.
When = Literal["before", "after", "reply"]


@dataclass(frozen=True, slots=True)
class Strike:
    point: Point
    when: When

    def __str__(self) -> str:
        return f"{self.point}, {self.when}"


class Lane:
    """Lives one life at a time. `close` removes everything."""

    def __init__(self, cluster: Cluster | None, *, name: str) -> None:
        """On PostgreSQL in that cluster, else on SQLite."""
        self.folder = Path(tempfile.mkdtemp(prefix="qa-lane-"))
        self.valkey = Valkey(self._make("valkey"), fsync="always")
        self.redis: redis.Redis = redis.Redis.from_url(self.valkey.url)
        for source in sources().values():  # else the first life alone would have to load them
            self.redis.script_load(source)
        self.work = Work(self.redis)
        self.database: Database = (
            Postgresql(cluster, f"lane_{name}") if cluster else Sqlite(self.folder / "lane.sqlite3")
        )
        self._proxies: list[Proxy] = []
        self._running: dict[str, Any] = {}
        self._wanted: set[Program] = set()
        self._port = free_port()
        # Written by the proxies' thread.
        self.seen: list[Point] = []
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._strike: Strike | None = None
        self.struck = threading.Event()
        for program in _PROGRAMS:
            self._put_proxies_before(program)
        self._once(roles.command, ("migrate", "--verbosity", "0"))

    def close(self) -> None:
        self.stop()
        for proxy in self._proxies:
            proxy.close()
        self.redis.close()
        self.valkey.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _put_proxies_before(self, program: Program) -> None:
        folder = self._make(program)

        def add(socket: str, upstream: Path, store: Literal["redis", "postgresql"], wire: type[Wire]) -> None:
            treat = lambda message: self._treat(program, store, message)  # noqa: E731
            self._proxies.append(Proxy(folder / socket, upstream, wire, treat))

        add("valkey.sock", self.valkey.folder / "valkey.sock", "redis", Resp)
        if isinstance(self.database, Postgresql):
            add(SOCKET, self.database.socket, "postgresql", Frontend)

    # --- messages -----------------------------------------------------------------------------

    def begin(self, strike: Strike | None) -> None:
        """Empty everything for the next life, and number its messages from 1."""
        self.redis.flushall()
        self.database.empty()
        for path in (*(self._statements(program) for program in _COMMANDS), self.folder / "effects.log"):
            path.unlink(missing_ok=True)
        self._counts.clear()
        self.seen = []
        self.struck.clear()
        self._strike = strike

    def _treat(self, program: Program, store: Literal["redis", "postgresql"], message: Message) -> Treatment:
        key = (program, store, message.name)
        self._counts[key] += 1
        point = Point(program, store, message.name, self._counts[key])
        self.seen.append(point)
        strike = self._strike
        if strike is None or strike.point != point:
            return None
        self._strike = None
        act = self.struck.set if strike.when == "reply" else lambda: self._kill(program)
        return Cut("before" if strike.when == "before" else "after", act)

    def _kill(self, program: str) -> None:
        if running := self._running.get(program):
            os.kill(running.pid, signal.SIGKILL)
        self.struck.set()

    def statements(self, program: Program) -> list[Point]:
        """What the program sent to SQLite, which has no wire; web and operators are not asked."""
        counts: Counter[str] = Counter()
        found = []
        path = self._statements(program)
        for name in path.read_text().splitlines() if path.exists() else ():
            counts[name] += 1
            found.append(Point(program, "sqlite", name, counts[name]))
        return found

    def _statements(self, program: Program) -> Path:
        return self.folder / f"{program}.statements"

    # --- programs -----------------------------------------------------------------------------

    def start(self, *programs: Program) -> None:
        """Start them now, and again whenever they die, as supervisor does."""
        self._wanted.update(programs)
        self._keep_alive()

    def stop(self, *programs: str) -> None:
        """kill -9: these programs, or all."""
        for program in programs or list(self._running):
            self._wanted.discard(program)  # type: ignore[arg-type]
            running = self._running.pop(program, None)
            if running is not None:
                with _books:
                    running.kill()
                    running.join() if isinstance(running, _context.Process) else running.wait()

    def terminate(self, program: str) -> None:
        """SIGTERM, and nobody starts it again; what comes of it is waited for elsewhere."""
        self._wanted.discard(program)  # type: ignore[arg-type]
        os.kill(self._running[program].pid, signal.SIGTERM)

    def is_alive(self, program: str) -> bool:
        running = self._running.get(program)
        if running is None:
            return False
        if isinstance(running, subprocess.Popen):
            return running.poll() is None
        with _books:
            return bool(running.is_alive())

    def _keep_alive(self) -> None:
        for program in self._wanted:
            if not self.is_alive(program):
                if program in self._running:
                    self.struck.set()  # by itself, at an SQL statement; no other program dies unasked
                if program == "web":
                    self._running[program] = self._spawn_web()
                else:
                    self._running[program] = self._fork(program, roles.command, _COMMANDS[program])

    def _fork(self, program: Program, target: Callable[..., None], *arguments: object) -> Any:
        numbered = program in _COMMANDS and self.database.vendor == "sqlite"
        where = Surroundings(
            redis=f"unix://{self.folder / program}/valkey.sock",
            database=self._address(program),
            home=self.folder,
            log=self.folder / f"{program}.log",
            statements=self._statements(program) if numbered else None,
            kill=self._statement_kill(program),
        )
        with _books:
            process = _context.Process(target=target, args=(where, *arguments))
            process.start()
        return process

    def _statement_kill(self, program: Program) -> StatementKill | None:
        strike = self._strike
        if (
            strike is None
            or strike.when == "reply"
            or (strike.point.program, strike.point.store) != (program, "sqlite")
        ):
            return None
        self._strike = None  # the first of its name alone
        return StatementKill(strike.point.name, strike.point.number, strike.when)

    def _address(self, program: Program) -> str:
        if isinstance(self.database, Postgresql):
            return self.database.url_through(self.folder / program)
        return self.database.url

    def _spawn_web(self) -> "subprocess.Popen[bytes]":
        """Daphne cannot be forked: its reactor is made when it is imported."""
        environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON} | {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "QUEUEADMIN_HOME": str(self._make("home")),
            "REDIS_URL": f"unix://{self.folder / 'web'}/valkey.sock",
            "DATABASE_URL": self._address("web"),
        }
        with (self.folder / "web.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "queueadmin.web", "-b", "127.0.0.1", "-p", str(self._port), "-v", "0",
                 "queueadmin.asgi:application"],
                cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def operate(self, method: str, *arguments: object, **options: object) -> None:
        """An operator asks for a transition; killed or refused, they ask again."""
        for _ in range(3):
            if self._ends_well(roles.operation, method, arguments, options):
                return
        raise NotInTime(f"the operator's {method} fails: {self.said('operator')[-1000:]}")

    def _once(self, target: Callable[..., None], *arguments: object) -> None:
        assert self._ends_well(target, *arguments), self.said("operator")[-1000:]

    def _ends_well(self, target: Callable[..., None], *arguments: object) -> bool:
        process = self._running["operator"] = self._fork("operator", target, *arguments)
        deadline = time.monotonic() + DEADLINE
        while self.is_alive("operator"):
            if time.monotonic() > deadline:
                raise NotInTime(f"the operator has no answer: {self.said('operator')[-1000:]}")
            time.sleep(0.01)
        return bool(process.exitcode == 0)

    def said(self, program: str) -> str:
        path = self.folder / f"{program}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- events -------------------------------------------------------------------------------

    def put(self, *events: dict[str, Any], **job: Any) -> list[str]:
        """Straight into the queue; their ids."""
        defaults = {"retry_delays": clocks.RETRY_DELAYS}
        return self.work.put(*events, **(defaults | job))  # type: ignore[arg-type]

    def schedule(self, *, due: datetime) -> str:
        """A schedule that is due then, and not again for a day; the id of the job that it fires."""
        path = self.folder / "schedule"
        self._once(roles.schedule, due, path)
        return path.read_text()

    def callbacks(self) -> list[tuple[str, str, str]]:
        """What the callbacks' jobs tell, none of which is run: job, event, and when."""
        found = []
        for job_id in self.redis.lrange(keys.queue(OTHER), 0, -1):
            data = self.redis.hget(keys.job(job_id.decode()), "data")
            told = json.loads(decode(data or b"").body)["notice"]
            found.append((told["job"]["id"], told["event"], told["at"]))
        return found

    def post(self, event: dict[str, Any]) -> str:
        """Through the web process, sent again until it is accepted, as a good client does; its id."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            self._keep_alive()
            try:
                answer = requests.post(f"http://127.0.0.1:{self._port}/api/v1/events", json=event, timeout=5)
            except requests.RequestException:
                pass
            else:
                if answer.status_code == 202:
                    return str(answer.json()["id"])
                if answer.status_code != 503:
                    raise AssertionError(f"{answer.status_code}: {answer.text}")
            time.sleep(0.05)
        raise NotInTime("the event is not accepted")

    def crash(self, ids: Sequence[str], *, times: int = 1) -> None:
        """Jobs that a worker held when it died: taken by nobody, and their lease is over."""
        for number in range(times):
            if number:
                self.work.transitions.recover(QUEUE, limit=100)
            held = 0
            while held < len(ids):  # crashed before, they come one by one
                claim = self.work.transitions.claim("gone", [QUEUE], claim_id=f"gone{number}.{held}", lease=-1)
                assert claim is not None
                held += len(claim.jobs)

    def fail(self, claim: Claim) -> None:
        """What a worker says of a claim of which all failed."""
        failures = [Failure(job.id, error="an error") for job in claim.jobs]
        self.work.transitions.fail(claim.queue, claim.id, "gone", failures)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Return when it holds; meanwhile what died is started again. Raises NotInTime."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                raise NotInTime(f"{what} did not come about within {DEADLINE:g} s")
            self._keep_alive()
            time.sleep(0.01)

    # --- what became of them ------------------------------------------------------------------

    def state(self, job_id: str) -> str:
        """`processed`, or the one place where the job is; several are joined by `and`. `gone`: nothing is left."""
        # By the script, since a job on its way from one place to another is in none for whoever looks place by place.
        where = self.work.transitions.where
        found = [place for queue in (QUEUE, OTHER) for place in where(queue, [job_id])[job_id]]
        if found not in ([], ["finished"]):
            return " and ".join(found)
        if not found and self.redis.exists(keys.job(job_id)):
            return "nowhere"
        return "processed" if self._rows(job_id) else "gone"

    def _rows(self, job_id: str) -> int:
        return int(self.database.read(_DONE, job_id)[0][0])

    def carried_out(self) -> "Counter[str]":
        """How often the effect of each event of an effect handler happened, by the event's `n`."""
        path = self.folder / "effects.log"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return Counter(n for _, n, _, what in lines if what == "ends")

    def findings(self, ends: Ends) -> "Findings":
        """Every event that is lost or doubled, and everything that does not add up."""
        states = {job_id: self.state(job_id) for job_id in ends}
        rows = {job_id: self._rows(job_id) for job_id in ends}
        effects = int(self.database.read(_OCCURRENCES)[0][0]) + len(self.carried_out())
        processed = sum(end == "processed" for end in ends.values())
        wrong = [f"{job_id} is {states[job_id]}, not {end}" for job_id, end in ends.items() if states[job_id] != end]
        lost = len(wrong)
        doubled = sum(number > 1 for number in rows.values())
        if effects != processed:
            wrong.append(f"{effects} effects of {processed} events")
            doubled += max(0, effects - processed)
        for job_id, end in ends.items():
            if rows[job_id] != (1 if end == "processed" else 0):
                wrong.append(f"{job_id}, which must be {end}, has {rows[job_id]} rows")
        return Findings(
            processed=sum(rows.values()),
            dead_letters=sum(state == "failed" for state in states.values()),
            lost=lost,
            doubled=doubled,
            wrong=[*wrong, *unbalanced(self.redis, QUEUE), *unbalanced(self.redis, OTHER)],
        )


#: The row of an effect handler's event stands open until it is done.
_DONE: Final = "SELECT COUNT(*) FROM ingest_event WHERE id = %s AND processed_at IS NOT NULL"
_OCCURRENCES: Final = "SELECT COALESCE(SUM(occurrences), 0) FROM ingest_alert"


@dataclass(frozen=True, slots=True)
class Findings:
    processed: int = 0
    dead_letters: int = 0
    lost: int = 0
    doubled: int = 0
    #: Sentences; none when all is well.
    wrong: Sequence[str] = ()
