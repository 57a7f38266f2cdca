"""A worker that is stopped (SIGSTOP, a paused virtual machine) for longer than its lease, and then goes on.

Its jobs were taken back and claimed by another worker meanwhile: what it still does completes nothing and doubles
no row. An effect outside the database may happen twice, under one idempotency key.
"""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest.queue import keys
from tests.conftest import wait_until
from tests.ingest.worker.conftest import Shop
from tests.postgres import Cluster

#: Each sort of handler, stopped where it matters: before its transaction, in the middle of it, in its effect.
STOPPED = {
    "before the transaction": ("alert", {"title": "x", "fault": "slow:2"}),
    "in the transaction": ("slow", {"seconds": 2}),
    "a sync effect": ("plain", {"seconds": 2}),
    "an async effect": ("chat", {"seconds": 2}),
    "a process": ("crunch", {"seconds": 2}),
}


def run(shop: Shop, where: str, **settings: str) -> None:
    kind, event = STOPPED[where]
    holds_the_lock = where == "in the transaction"
    first = shop.worker(LEASE_SECONDS="2", **settings)
    name = shop.name()
    (job_id,) = shop.put(kind, event)
    wait_until(lambda: shop.effects("begins") if kind != "alert" else shop.work.started())
    first.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: shop.work.transitions.recover("high").requeued, what="the lapse of the lease")
    second = shop.worker(LEASE_SECONDS="30", **settings)
    wait_until(lambda: shop.work.count("claimed") == 2)
    if not holds_the_lock or "DATABASE_URL" in settings:
        shop.completed(1)
    first.process.send_signal(signal.SIGCONT)
    wait_until(lambda: shop.redis.hget(keys.worker(name), "held") == b"0", what="its end of the job")
    shop.completed(1)
    assert (first.stop(), second.stop()) == (0, 0)
    assert first.said("not ours any more") + first.said("were refused") + first.said("(refused)") >= 1
    counts = {each: shop.work.count(each) for each in ("completed", "late", "retried", "dead", "released", "recovered")}
    assert counts == {"completed": 1, "late": 0, "retried": 0, "dead": 0, "released": 0, "recovered": 1}
    assert (shop.work.started(), shop.work.waiting()) == (0, [])
    assert shop.work.field(job_id, "status") in (None, "finished")


def check(rows: list[Any], occurrences: list[Any], where: str) -> None:
    assert rows == [(1, 1)], "one row, and it is done"
    if STOPPED[where][0] == "alert":
        assert occurrences == [(1,)]


ROWS = "SELECT COUNT(*), COUNT(processed_at) FROM ingest_event"
OCCURRENCES = "SELECT occurrences FROM ingest_alert"


@pytest.mark.parametrize(
    "where",
    [pytest.param(each, marks=[] if each == "before the transaction" else pytest.mark.long) for each in STOPPED],
)
def test_on_sqlite(shop: Shop, tmp_path: Path, where: str) -> None:
    run(shop, where)
    with closing(sqlite3.connect(tmp_path / "queueadmin.sqlite3")) as database:
        check(database.execute(ROWS).fetchall(), database.execute(OCCURRENCES).fetchall(), where)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "where", [pytest.param(each, marks=[] if each == "in the transaction" else pytest.mark.long) for each in STOPPED]
)
def test_on_postgresql(shop: Shop, postgres: Cluster, where: str) -> None:
    """In mid-transaction its rows are let go by idle_in_transaction_session_timeout."""
    with psycopg.connect(postgres.url.replace("postgres://", "postgresql://"), autocommit=True) as database:
        database.execute("DROP DATABASE IF EXISTS stopped WITH (FORCE)")
        database.execute("CREATE DATABASE stopped")
    url = postgres.url.replace("/queueadmin", "/stopped")
    run(shop, where, DATABASE_URL=url)
    with psycopg.connect(url.replace("postgres://", "postgresql://")) as database:
        check(database.execute(ROWS).fetchall(), database.execute(OCCURRENCES).fetchall(), where)
