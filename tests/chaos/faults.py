"""The faults. Each is a function that brings one and takes it away again, while events are being sent.

A new fault is a function and an entry in FAULTS.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from tests.chaos import clocks
from tests.chaos.databases import Postgresql, Sqlite
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.product import DEADLINE, Product
from tests.chaos.proxy import Cut, Delay, Treatment
from tests.chaos.wires import Message
from tests.waiting import wait_until

Vendor = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault happens in."""

    product: Product
    load: Load
    ledger: Ledger
    rng: random.Random

    def under_load(self, number: int = 120) -> None:
        """Return when so many more events were accepted."""
        before = self.ledger.accepted
        wait_until(lambda: self.ledger.accepted >= before + number, seconds=DEADLINE, what="the load")

    def in_mid_batch(self) -> None:
        """Return while a worker holds jobs, at another moment each time."""
        wait_until(lambda: self.product.started() > 0, seconds=DEADLINE, what="a claim")
        time.sleep(self.rng.uniform(0, 0.03))

    def last(self, seconds: float) -> None:
        """Let the fault last."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    #: For people; docs/chaos.md has it too.
    what: str
    bring: Callable[[Scene], None]
    databases: tuple[Vendor, ...] = ("sqlite", "postgresql")
    #: Needs the proxy in front of Valkey.
    proxied: bool = False
    #: Faults of events beside the usual ones, and how many events ask for each.
    rare: Mapping[str, int] = field(default_factory=dict)


# --- programs ------------------------------------------------------------------------------------


def idle_worker(scene: Scene) -> None:
    scene.under_load()
    scene.load.pause()
    wait_until(scene.product.settled, seconds=DEADLINE, what="an idle system")
    scene.product.kill("worker-1")
    scene.load.go_on()
    scene.under_load()


def busy_worker(scene: Scene) -> None:
    for number in range(2):  # an event that meets three crashes is poison, by design
        scene.under_load()
        scene.in_mid_batch()
        scene.product.kill(f"worker-{number % 2 + 1}")


def web(scene: Scene) -> None:
    for _ in range(2):
        scene.under_load()
        scene.product.kill("web")


def maintenance(scene: Scene) -> None:
    for _ in range(2):
        scene.under_load()
        scene.product.kill("maintain")


def stopped_worker(scene: Scene) -> None:
    """Longer than its lease, so that its jobs are taken back and run by the other one."""
    scene.under_load()
    scene.in_mid_batch()
    _stopped(scene.product.instance.pids()["worker-1"], clocks.LEASE * 4)


def restarted(scene: Scene) -> None:
    """As a new version is rolled out: SIGTERM to one program after the other, then Ctrl-C and a start of all."""
    for program in ("worker-1", "web", "maintain"):
        scene.under_load(40)
        scene.product.kill(program, signal.SIGTERM)
    scene.under_load(40)
    scene.product.instance.stop()
    scene.product.instance.start()


def everything(scene: Scene) -> None:
    scene.under_load()
    scene.in_mid_batch()
    scene.product.kill_everything()


def poison(scene: Scene) -> None:
    """The events of `rare` end their workers, or never end, in a stream of good ones."""
    scene.under_load(300)
    scene.load.pause()
    wait_until(scene.product.settled, seconds=DEADLINE, what="the end of the deadly events")
    scene.load.go_on()


def storm(scene: Scene) -> None:
    """Everything that can be killed or held up, once each, in an order of chance, and nothing is waited for."""
    product = scene.product
    blows: list[Callable[[], None]] = [
        *(partial(product.strike, program) for program in ("worker-1", "worker-2", "web", "maintain", "valkey")),
        lambda: _stopped(product.valkey_pid, 1),
        lambda: _without_database(scene, 1),
    ]
    scene.rng.shuffle(blows)
    scene.under_load()
    for blow in blows:
        blow()
        scene.last(scene.rng.uniform(0, 1))
    product.wait_for_all()


def _stopped(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def _without_database(scene: Scene, seconds: float) -> None:
    database = scene.product.database
    if isinstance(database, Postgresql):
        database.cluster.stop("immediate")
        try:
            scene.last(seconds)
        finally:
            database.cluster.start()
    else:
        assert isinstance(database, Sqlite)
        lock = database.lock()
        try:
            scene.last(seconds)
        finally:
            lock.close()


# --- Redis ---------------------------------------------------------------------------------------


def valkey_killed(scene: Scene) -> None:
    for _ in range(2):
        scene.under_load()
        scene.product.kill("valkey")


def valkey_stopped(scene: Scene) -> None:
    """It accepts connections and answers nothing."""
    scene.under_load()
    _stopped(scene.product.valkey_pid, 4)


def valkey_full(scene: Scene) -> None:
    scene.under_load()
    client = scene.product.redis
    before = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 20_000)
    try:
        scene.last(4)
    finally:
        client.config_set("maxmemory", before)


def valkey_read_only(scene: Scene) -> None:
    """A replica of nobody, as after a failover that went wrong."""
    scene.under_load()
    scene.product.redis.replicaof("127.0.0.1", "1")
    try:
        scene.last(4)
    finally:
        scene.product.redis.replicaof("NO", "ONE")


def valkey_slow(scene: Scene) -> None:
    scene.under_load()
    scene.product.treat = _slow(scene.rng)
    scene.last(6)


def valkey_replies_lost(scene: Scene) -> None:
    scene.under_load()
    scene.product.treat = _forgetful(scene.rng)
    scene.last(6)


def _slow(rng: random.Random) -> Callable[[Message], Treatment]:
    """Every message takes up to 0.3 s longer, and a few are longer away than acceptance waits."""
    rng = random.Random(rng.random())  # of the proxies' thread alone
    return lambda message: Delay(rng.uniform(0, 0.3) if rng.random() < 0.95 else 1.0)


def _forgetful(rng: random.Random) -> Callable[[Message], Treatment]:
    """One message in thirty is carried out, and its answer is lost with its connection."""
    rng = random.Random(rng.random())
    return lambda message: Cut("after") if rng.random() < 1 / 30 else None


# --- the database --------------------------------------------------------------------------------


def database_away(scene: Scene) -> None:
    scene.under_load()
    scene.in_mid_batch()
    _without_database(scene, 4)


def database_killed(scene: Scene) -> None:
    """kill -9 of one backend in the middle of its work: PostgreSQL ends all others, and recovers."""
    database = scene.product.database
    assert isinstance(database, Postgresql)
    for _ in range(2):
        scene.under_load()
        scene.in_mid_batch()
        for (pid,) in database.read(_BACKENDS, database.name)[:1]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _answers(database), seconds=DEADLINE, what="PostgreSQL's recovery")


def database_slow(scene: Scene) -> None:
    scene.under_load()
    scene.product.treat_database = _slow(scene.rng)
    scene.last(6)


def database_replies_lost(scene: Scene) -> None:
    """Of a COMMIT too, so that nobody knows whether it was one."""
    scene.under_load()
    scene.product.treat_database = _forgetful(scene.rng)
    scene.last(6)


def database_read_only(scene: Scene) -> None:
    """As a replica is."""
    database = scene.product.database
    assert isinstance(database, Postgresql)
    scene.under_load()
    database.make_read_only(True)
    try:
        scene.last(4)
    finally:
        database.make_read_only(False)


_BACKENDS: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def _answers(database: Postgresql) -> bool:
    try:
        return bool(database.read("SELECT 1"))
    except Exception:  # of the driver: it is not there yet
        return False


FAULTS: Final = (
    Fault("worker-idle", "kill -9 of a worker that waits", idle_worker),
    Fault("worker-busy", "kill -9 of each worker in mid-batch", busy_worker),
    Fault("worker-stopped", "SIGSTOP of a worker for four leases, then SIGCONT", stopped_worker),
    Fault("web", "kill -9 of the web process, twice", web),
    Fault("maintenance", "kill -9 of maintenance, twice", maintenance),
    Fault("valkey", "kill -9 of Valkey, twice", valkey_killed),
    Fault("valkey-stopped", "Valkey accepts connections and answers nothing for 4 s", valkey_stopped),
    Fault("valkey-full", "maxmemory reached for 4 s, then raised", valkey_full),
    Fault("valkey-read-only", "Valkey a replica of nobody for 4 s", valkey_read_only),
    Fault("valkey-slow", "every command up to 0.3 s later, some 1 s, for 6 s", valkey_slow, proxied=True),
    Fault("valkey-forgetful", "one answer of Valkey's in thirty lost, for 6 s", valkey_replies_lost, proxied=True),
    Fault("database-stopped", "PostgreSQL shut down in mid-batch for 4 s", database_away, ("postgresql",)),
    Fault("database-killed", "kill -9 of a backend in mid-batch, twice", database_killed, ("postgresql",)),
    Fault("database-read-only", "PostgreSQL takes no writes for 4 s", database_read_only, ("postgresql",)),
    Fault("database-slow", "each message up to 0.3 s later, for 6 s", database_slow, ("postgresql",), proxied=True),
    Fault(
        "database-forgetful",
        "one answer of PostgreSQL's in thirty lost, for 6 s",
        database_replies_lost,
        ("postgresql",),
        proxied=True,
    ),
    Fault("database-locked", "SQLite's write lock held for 4 s", database_away, ("sqlite",)),
    Fault("restarted", "SIGTERM to a worker, web and maintenance in turn, then a stop and a start of all", restarted),
    Fault("storm", "all of that at once, in an order of chance", storm),
    Fault("everything", "kill -9 of all processes at once, then a new start", everything),
    Fault(
        "poison",
        "events that kill their worker, break it or never end, among good ones",
        poison,
        rare={"crash": 1, "segfault": 1, "hang": 1},
    ),
)
