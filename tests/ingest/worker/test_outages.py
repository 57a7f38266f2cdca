"""Outages of the database and of Redis, with real servers and a real worker.

While the database is away no attempt is counted and nothing fails; while Redis is, the worker stays alive. After
it everything is processed, and every effect is there once.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
import redis

from ingest.queue import keys
from tests.conftest import wait_until
from tests.ingest.worker.conftest import Shop
from tests.postgres import Cluster
from tests.programs import Program


def conninfo(url: str) -> str:
    return url.replace("postgres://", "postgresql://")


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as database:
        for statement in statements:
            database.execute(statement)


@pytest.fixture
def database(postgres: Cluster) -> str:
    """The URL of a fresh database in the shared cluster."""
    execute(postgres.url, "DROP DATABASE IF EXISTS outage WITH (FORCE)", "CREATE DATABASE outage")
    return postgres.url.replace("/queueadmin", "/outage")


def end_sessions(url: str) -> None:
    execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'outage' AND pid <> pg_backend_pid()",
    )


def all_sorts(shop: Shop, number: int, **event: object) -> int:
    """One event of each sort of handler, and `number` alerts; return how many."""
    for kind in ("chat", "plain", "crunch"):
        shop.put(kind, {"n": number, **event})
    shop.put("alert", *[{"title": "x"}] * number)
    return number + 3


def nothing_was_counted(shop: Shop, worker: Program, number: int) -> None:
    """Everything is done, without a failed attempt or a crash, and every effect is there once."""
    shop.completed(number)
    counts = {name: shop.work.count(name) for name in ("retried", "dead", "recovered", "completed")}
    assert counts == {"retried": 0, "dead": 0, "recovered": 0, "completed": number}
    assert (shop.work.started(), shop.work.waiting()) == (0, [])
    effects = [(kind, number) for kind, number, _ in shop.effects("ends")]
    assert sorted(effects) == sorted(set(effects)), "each once"
    assert worker.process.poll() is None
    assert worker.said("Traceback") == 0


def rows(url: str) -> tuple[int, int, int]:
    with psycopg.connect(conninfo(url)) as database:
        found = database.execute(
            "SELECT COUNT(*), COUNT(DISTINCT id), COUNT(processed_at) FROM ingest_event"
        ).fetchone()
        assert found is not None
        return found[0], found[1], found[2]


# --- the database --------------------------------------------------------------------------------


@pytest.mark.postgres
def test_postgresql_stopped_while_effects_run(shop: Shop, postgres: Cluster, database: str) -> None:
    """What runs goes on, is marked done when it is back, and is not done twice."""
    worker = shop.worker(DATABASE_URL=database)
    number = all_sorts(shop, 1, seconds=0)
    shop.completed(number)
    shop.put("chat", *[{"n": each, "seconds": 2} for each in (10, 11)])
    wait_until(lambda: len(shop.effects("begins")) == 5)
    postgres.stop()
    try:
        wait_until(lambda: len(shop.effects("ends")) == 5)
        shop.put("crunch", {"n": 12})
        shop.put("alert", *[{"title": "during"}] * 20)
        wait_until(lambda: worker.said("could not be marked done"))
        wait_until(lambda: worker.said("The database is away"))
    finally:
        postgres.start()
    number += 23
    nothing_was_counted(shop, worker, number)
    assert rows(database) == (number, number, number)


@pytest.mark.postgres
@pytest.mark.long
def test_postgresql_read_only(shop: Shop, database: str) -> None:
    """As a replica is, after a failover that went wrong."""
    worker = shop.worker(DATABASE_URL=database)
    number = all_sorts(shop, 1)
    shop.completed(number)
    execute(database, "ALTER DATABASE outage SET default_transaction_read_only = on")
    end_sessions(database)
    more = all_sorts(shop, 20)
    wait_until(lambda: worker.said("The database is away") > 1)
    assert shop.work.count("completed") == number
    execute(
        database, "SET default_transaction_read_only = off", "ALTER DATABASE outage RESET default_transaction_read_only"
    )
    nothing_was_counted(shop, worker, number + more)


@pytest.fixture
def small_cluster() -> Iterator[Cluster]:
    """PostgreSQL with room for few clients."""
    cluster = Cluster("-c max_connections=4", "-c superuser_reserved_connections=0", "-c max_wal_senders=0")
    execute(cluster.url, "CREATE DATABASE outage")
    yield cluster
    cluster.remove()


@pytest.mark.postgres
@pytest.mark.long
def test_postgresql_without_a_free_connection(shop: Shop, postgres: Cluster, small_cluster: Cluster) -> None:
    url = small_cluster.url.replace("/queueadmin", "/outage")
    worker = shop.worker(DATABASE_URL=url)
    number = all_sorts(shop, 1)
    shop.completed(number)
    taken: list[psycopg.Connection] = []

    def take_all() -> bool:
        with suppress(psycopg.OperationalError):
            while True:
                taken.append(psycopg.connect(conninfo(small_cluster.url), autocommit=True))
        return True

    take_all()
    taken[0].execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'outage'")
    more = all_sorts(shop, 20)
    # The worker may have been quicker than we with a connection that got free.
    wait_until(lambda: take_all() and worker.said("The database is away"))
    for connection in taken:
        connection.close()
    nothing_was_counted(shop, worker, number + more)


@pytest.mark.postgres
@pytest.mark.long
def test_a_deadlock_in_postgresql_is_run_again_in_place(shop: Shop, database: str) -> None:
    workers = [shop.worker(DATABASE_URL=database) for _ in range(2)]
    execute(
        database,
        "INSERT INTO ingest_alert"
        " (identity, tenant, source, title, labels, priority, occurrences, first_seen, last_seen, opened_at,"
        " described_rank, described_at, described_by)"
        " SELECT row, '', '', '', '', 'high', 0, now(), now(), now(), 0, now(), '' FROM unnest(ARRAY['a', 'b']) AS row",
    )
    shop.put("locking", {"rows": ["a", "b"], "seconds": 3})
    wait_until(lambda: shop.work.started() == 1)
    shop.put("locking", {"rows": ["b", "a"], "seconds": 3})
    shop.completed(2)
    assert (shop.work.count("retried"), shop.work.count("dead"), shop.work.count("released")) == (0, 0, 0)
    with psycopg.connect(conninfo(database)) as connection:
        assert connection.execute("SELECT identity, occurrences FROM ingest_alert ORDER BY 1").fetchall() == [
            ("a", 2),
            ("b", 2),
        ]
        connection.execute("SELECT pg_stat_force_next_flush()")
        deadlocks = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = 'outage'").fetchone()
        assert deadlocks is not None
        assert deadlocks[0] >= 1, "or this test shows nothing"
    assert [worker.said("Traceback") for worker in workers] == [0, 0]


def test_sqlite_locked_by_somebody_else(shop: Shop, tmp_path: Path) -> None:
    worker = shop.worker(WORKSHOP_SQLITE_SECONDS="0.2")
    number = all_sorts(shop, 1)
    shop.completed(number)
    shop.put("chat", {"n": 10, "seconds": 2})
    wait_until(lambda: len(shop.effects("begins")) == 4)
    with closing(sqlite3.connect(tmp_path / "queueadmin.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        more = all_sorts(shop, 20)
        wait_until(lambda: worker.said("The database is away") and worker.said("could not be marked done"))
        assert shop.work.count("completed") == number
        other.execute("ROLLBACK")
    nothing_was_counted(shop, worker, number + more + 1)


# --- Redis ---------------------------------------------------------------------------------------


def away(shop: Shop) -> Callable[[], None]:
    shop.valkey.kill()
    return shop.valkey.start


def read_only(shop: Shop) -> Callable[[], None]:
    """A replica whose master is gone: what a failover may leave behind for a while."""
    shop.redis.replicaof("127.0.0.1", "1")
    return lambda: shop.redis.replicaof("NO", "ONE")


@pytest.mark.parametrize("outage", [away, read_only])
def test_redis_away_or_read_only_while_handlers_run(shop: Shop, outage: Callable[[Shop], Callable[[], None]]) -> None:
    """What they did is told when it is back; nothing runs twice, and it is the same process."""
    worker = shop.worker()
    for kind in ("chat", "crunch"):
        shop.put(kind, {"n": 1, "seconds": 2})
    shop.put("alert", *[{"title": "behind them"}] * 20)
    wait_until(lambda: len(shop.effects("begins")) == 2)
    end = outage(shop)
    wait_until(lambda: len(shop.effects("ends")) == 2)
    wait_until(lambda: worker.said("Redis was not told") >= 2)
    end()
    number = 22 + all_sorts(shop, 2)
    nothing_was_counted(shop, worker, number)


def test_a_full_redis_takes_nothing_in_and_is_worked_empty(shop: Shop) -> None:
    """RQ11: noeviction; every change of state that a worker makes passes, so that memory gets free."""
    worker = shop.worker()
    # One that begins writes its own hash, which a full Redis refuses.
    wait_until(lambda: shop.redis.hget(keys.worker(shop.name()), "state") == b"idle")
    shop.work.transitions.pause(None)
    number = all_sorts(shop, 50)
    shop.redis.config_set("maxmemory", 1)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        shop.put("alert", {"title": "refused"})
    shop.work.transitions.resume(None)
    nothing_was_counted(shop, worker, number)
    assert shop.redis.exists(keys.worker(shop.name()))
    shop.redis.config_set("maxmemory", 0)
    shop.put("alert", {"title": "taken again"})
    shop.completed(number + 1)


@pytest.mark.long
def test_a_slow_redis(shop: Shop) -> None:
    """Every answer takes up to a second and a half."""
    worker = shop.worker()
    stopped = threading.Event()

    def slow_down() -> None:
        with redis.Redis.from_url(shop.valkey.url) as client:
            while not stopped.is_set():
                client.client_pause(1500)
                stopped.wait(0.05)

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        number = sum(all_sorts(shop, each) for each in (20, 21))
        shop.completed(number)
    finally:
        stopped.set()
        thread.join()
    nothing_was_counted(shop, worker, number)
