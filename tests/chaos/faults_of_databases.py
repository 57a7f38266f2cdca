"""A database that is away, killed, read-only, slow or forgetful; and a disk that is full."""

import os
import signal
from typing import Final

from tests.chaos.databases import Postgresql, Sqlite
from tests.chaos.product import DEADLINE
from tests.chaos.proxy import forgetfully, slowly
from tests.chaos.scene import Scene
from tests.waiting import wait_until


def without_database(scene: Scene, seconds: float) -> None:
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


def database_away(scene: Scene) -> None:
    scene.under_load()
    scene.in_mid_batch()
    without_database(scene, 4)


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
    scene.product.treat_database = slowly(scene.rng)
    scene.last(6)


def database_replies_lost(scene: Scene) -> None:
    """Of a COMMIT too, so that nobody knows whether it was one."""
    scene.under_load()
    scene.product.treat_database = forgetfully(scene.rng)
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


def disk_full(scene: Scene) -> None:
    """Of Redis' file, of SQLite's and of the logs alike."""
    disk = scene.product.disk
    assert disk is not None
    scene.under_load()
    try:
        for _ in scene.until(12):
            disk.fill()
            scene.last(0.5)
    finally:
        disk.clear()
