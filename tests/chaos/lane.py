"""Where one event lives its life: a Valkey, a database, and the product's programs behind proxies."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

import redis
import requests

from ingest.queue import keys
from ingest.queue.payload import body_of
from ingest.queue.transitions import Claim, Failure
from tests.chaos import clocks, roles
from tests.chaos.conservation import unbalanced
from tests.chaos.databases import SOCKET, Database, Postgresql, Sqlite
from tests.chaos.points import Program, Store, Strike, Watch
from tests.chaos.programs import Programs
from tests.chaos.proxy import Proxy, Treatment
from tests.chaos.roles import OTHER, QUEUE
from tests.chaos.wires import Frontend, Message, Resp, Wire, sources
from tests.ingest.queue.conftest import make_job
from tests.ingest.worker.conftest import Work
from tests.postgres import Cluster
from tests.valkey import Valkey

#: How each event of a life must end, by its id: `processed`, `gone`, or the place where it must be.
Ends = dict[str, str]


class Lane:
    """Lives one life at a time. `close` removes everything."""

    def __init__(self, cluster: Cluster | None, *, name: str) -> None:
        """On PostgreSQL in that cluster, else on SQLite."""
        self.folder = Path(tempfile.mkdtemp(prefix="qa-lane-"))
        self._make("home")
        self._proxies: list[Proxy] = []
        self.valkey = Valkey(self._make("valkey"), fsync="always")
        self.redis: redis.Redis = redis.Redis.from_url(self.valkey.url)
        self.work = Work(self.redis)
        self.watch = Watch(self.folder)
        self.programs = Programs(self.folder, self.watch, database=self._address, numbered=cluster is None)
        try:
            self._load_scripts()
            self.database: Database = (
                Postgresql(cluster, f"lane_{name}") if cluster else Sqlite(self.folder / "lane.sqlite3")
            )
            for program in get_args(Program):
                self._put_proxies_before(program)
            self.programs.once(roles.command, ("migrate", "--verbosity", "0"))
        except BaseException:
            self.close()
            raise

    def begin(self, strike: Strike | None) -> None:
        """Empty everything for the next life, and number its messages from 1."""
        if not self.valkey.answers():  # a life ended while it was away
            self.return_redis()
        self.redis.flushall()
        self.database.empty()
        self._effects.unlink(missing_ok=True)
        self.watch.begin(strike)

    def take_redis_away(self) -> None:
        self.valkey.kill()

    def return_redis(self) -> None:
        self.valkey.start()
        self._load_scripts()

    def close(self) -> None:
        self.programs.stop()
        for proxy in self._proxies:
            proxy.close()
        self.redis.close()
        self.valkey.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load_scripts(self) -> None:
        """Else the first life alone would have to."""
        for source in sources().values():
            self.redis.script_load(source)

    def _make(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _put_proxies_before(self, program: Program) -> None:
        folder = self._make(program)
        kill = partial(self.programs.kill, program)

        def add(socket: str, upstream: Path, store: Store, wire: type[Wire]) -> None:
            def treat(message: Message) -> Treatment:
                return self.watch.treat(program, store, message, kill)

            self._proxies.append(Proxy(folder / socket, upstream, wire, treat))

        add("valkey.sock", self.valkey.folder / "valkey.sock", "redis", Resp)
        if isinstance(self.database, Postgresql):
            add(SOCKET, self.database.socket, "postgresql", Frontend)

    def _address(self, program: Program) -> str:
        if isinstance(self.database, Postgresql):
            return self.database.url_through(self.folder / program)
        return self.database.url

    # --- events -------------------------------------------------------------------------------

    def put(self, *events: dict[str, Any], **job: Any) -> list[str]:
        """Straight into the queue; their ids."""
        defaults = {"retry_delays": clocks.RETRY_DELAYS}
        return self.work.put(*events, **(defaults | job))

    def spool(self, number: int) -> list[str]:
        """So many events, accepted while Redis was away."""
        jobs = [make_job(event_id=None) for _ in range(number)]
        self.programs.once(roles.spool, jobs)
        return [job.id for job in jobs]

    def spooled(self) -> int:
        return int(self.database.read("SELECT COUNT(*) FROM ingest_spooledevent")[0][0])

    def schedule(self, *, due: datetime) -> str:
        """A schedule that is due then, and not again for a day; the id of the job that it fires."""
        path = self.folder / "schedule"
        self.programs.once(roles.schedule, due, path)
        return path.read_text()

    def callbacks(self) -> list[tuple[str, str, str]]:
        """What the callbacks' jobs tell, none of which is run: job, event, and when."""
        found = []
        for job_id in self.redis.lrange(keys.queue(OTHER), 0, -1):
            data = self.redis.hget(keys.job(job_id.decode()), "data")
            told = json.loads(body_of(data or b""))["notice"]
            found.append((told["job"]["id"], told["event"], told["at"]))
        return found

    def post(self, event: dict[str, Any], *, key: str = "") -> str:
        """Through the web process, sent again until it is accepted, as a good client does; its id.

        With `key` under that Idempotency-Key.
        """
        headers = {"Idempotency-Key": key} if key else {}
        ids: list[str] = []

        def is_accepted() -> bool:
            try:
                answer = requests.post(
                    f"http://127.0.0.1:{self.programs.port}/api/v1/events", json=event, headers=headers, timeout=5
                )
            except requests.RequestException:
                return False
            if answer.status_code == 202:
                ids.append(str(answer.json()["id"]))
            # 409: a copy that a crash ended is taken to be running for a while.
            elif answer.status_code != 503 and not (key and answer.status_code == 409):
                raise AssertionError(f"{answer.status_code}: {answer.text}")
            return bool(ids)

        self.programs.until(is_accepted, "the event's acceptance")
        return ids[0]

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
        lines = [line.split() for line in self._effects.read_text().splitlines()] if self._effects.exists() else []
        return Counter(n for _, n, _, what in lines if what == "ends")

    @property
    def _effects(self) -> Path:
        return self.folder / "effects.log"

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
