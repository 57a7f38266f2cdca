"""Redis that dies, hangs, is full, is slow, is away for long, or is told to hold jobs back."""

import contextlib
import resource

from ingest.queue.limits import EACH, Limit, remove_limit, set_limit
from ingest.queue.transitions import Transitions
from tests.chaos.product import DEADLINE
from tests.chaos.proxy import forgetfully, slowly
from tests.chaos.scene import Scene, held
from tests.waiting import wait_until


def valkey_killed(scene: Scene) -> None:
    for _ in range(2):
        scene.under_load()
        scene.product.kill("valkey")


def valkey_stopped(scene: Scene) -> None:
    """It accepts connections and answers nothing."""
    scene.under_load()
    held(scene.product.valkey_pid, 4)


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
    scene.product.treat = slowly(scene.rng)
    scene.last(6)


def valkey_replies_lost(scene: Scene) -> None:
    scene.under_load()
    scene.product.treat = forgetfully(scene.rng)
    scene.last(6)


def valkey_away(scene: Scene) -> None:
    """For a minute, and all that is accepted meanwhile is accepted into the database."""
    scene.under_load()
    before = scene.ledger.spooled
    scene.product.stop_valkey()
    try:
        for _ in scene.until(60):
            scene.last(0.1)
        wait_until(lambda: scene.ledger.spooled > before + 50, seconds=DEADLINE, what="events in the database")
    finally:
        scene.product.start_valkey()


def valkey_and_web(scene: Scene) -> None:
    """The first copy of what was sent again is in one store, and the second one meets the other."""
    scene.under_load()
    before = scene.ledger.spooled
    for _ in scene.until(120):
        scene.product.stop_valkey()
        try:
            scene.last(scene.rng.uniform(0.2, 4))
            scene.product.strike("web")
            scene.last(scene.rng.uniform(0, 8))
        finally:
            scene.product.start_valkey()
        scene.last(scene.rng.uniform(0, 0.5))
        scene.product.strike("web")
        scene.product.wait_until_running("web")  # so that supervisor starts it at once the next time
    scene.product.wait_for_all()
    wait_until(lambda: scene.ledger.spooled > before, seconds=1, what="events in the database")


def held_back(scene: Scene) -> None:
    """Limits hold jobs back in lists of their own; a pause holds all of a queue."""
    client = scene.product.redis
    run = Transitions(client)
    limits = (Limit("kind", "alert", 25, 0.5), Limit("source", EACH, 40, 1))
    scene.under_load()
    for limit in limits:
        set_limit(client, limit)
    try:
        for program in ("worker-1", "maintain", "worker-2", "valkey", "web"):
            queue = scene.rng.choice(("critical", "high", None))
            scene.under_load(40)
            scene.product.kill(program)
            run.pause(queue)
            scene.last(scene.rng.uniform(0.2, 1.5))
            scene.product.kill(program)
            run.resume(queue)
    finally:
        for limit in limits:
            remove_limit(client, limit.dimension, limit.value)
        for name in ("critical", "high", None):
            run.resume(name)


def file_limit(scene: Scene) -> None:
    """Its append-only file may not grow any more, as under a quota; each new process meets the same."""
    scene.under_load()
    file = max((scene.product.instance.home / "valkey").rglob("*.aof"), key=lambda path: path.stat().st_size)
    most = file.stat().st_size + 5_000
    limited: set[int] = set()
    for _ in scene.until(12):
        pid = scene.product.pid("valkey")
        if pid is not None and _limit(pid, most):
            limited.add(pid)
        scene.last(0.05)
    for pid in limited:
        _limit(pid, resource.RLIM_INFINITY)


def _limit(pid: int, most: int) -> bool:
    """How long a file of the process may become, in bytes. False: it is gone."""
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        return True
    return False
