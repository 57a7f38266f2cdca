"""Leader, standby and the database as processes of their own: killed, stopped, hanging."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import redis

from ingest.maintenance import process
from ingest.maintenance.leader import LEASE
from ingest.queue import keys
from tests.conftest import Valkey, wait_until
from tests.ingest.maintenance.conftest import abandoned
from tests.ingest.worker.conftest import Work
from tests.postgres import Cluster
from tests.programs import Program, Start

SCHEDULE = (
    "from ingest import schedules;"
    "schedules.create('each second', kind='alert', body={'title': 'tick'}, interval_seconds=1)"
)


@pytest.mark.long
def test_a_standby_takes_over_when_the_leader_is_killed(own_valkey: Valkey, start: Start) -> None:
    """Within 15 s: the lease, and a try of the standby."""
    assert LEASE + 2 * process.ROUND < 15
    first = start("maintain")
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        wait_until(lambda: leader(client))
        second = start("maintain")
        wait_until(lambda: first.said("stands by"))
        ids = abandoned(work, 3)
        first.process.kill()
        wait_until(lambda: leads(client, second), what="the standby's lead")
        wait_until(lambda: work.waiting() == ids)
        assert second.stop() == 0
        assert not leader(client)


def test_a_leader_that_was_stopped_and_goes_on_doubles_nothing(
    own_valkey: Valkey, start: Start, tmp_path: Path
) -> None:
    """SIGSTOP, another one takes over, SIGCONT in the middle of whatever it did."""
    assert start("shell", "-c", SCHEDULE).process.wait() == 0
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        programs = [start("maintain"), start("maintain")]
        wait_until(lambda: work.count("enqueued", "medium") >= 2)
        wait_until(lambda: programs[0].said("stands by"))
        for number in range(1, 3):
            stopped, other = programs if leads(client, programs[0]) else reversed(programs)
            stopped.process.send_signal(signal.SIGSTOP)
            before = work.count("enqueued", "medium")
            ids = abandoned(work, 4, "low", f"claim-{number}-")
            client.pexpire(keys.LEADER, 1)  # as 12 seconds without a word do
            wait_until(lambda other=other: leads(client, other), what="the other's lead")  # type: ignore[misc]
            wait_until(lambda before=before: work.count("enqueued", "medium") > before)  # type: ignore[misc]
            stopped.process.send_signal(signal.SIGCONT)
            wait_until(lambda number=number: programs[0].said("stands by") > number)  # type: ignore[misc]
            wait_until(lambda: len(work.waiting("low")) == 4)
            assert work.waiting("low") == ids
            assert work.count("recovered", "low") == 4 * number
            client.delete(keys.queue("low"))
        assert [program.stop() for program in programs] == [0, 0]
        ticks = [work.field(job_id, "event_id") or "" for job_id in work.waiting("medium")]
    times = [datetime.fromisoformat(tick.removeprefix("each second@")) for tick in ticks]
    assert times == [times[0] + timedelta(seconds=number) for number in range(len(times))], (
        "each once, and none left out"
    )
    with closing(sqlite3.connect(tmp_path / "queueadmin.sqlite3")) as database:
        assert database.execute("SELECT COUNT(*) FROM ingest_redisloss").fetchone() == (0,)


@pytest.mark.postgres
def test_a_database_that_hangs_keeps_neither_recovery_nor_the_end_waiting(
    own_valkey: Valkey, start: Start, postgres: Cluster
) -> None:
    """PostgreSQL accepts connections, and answers nothing."""
    with psycopg.connect(postgres.url.replace("postgres://", "postgresql://"), autocommit=True) as database:
        database.execute("DROP DATABASE IF EXISTS hanging")
        database.execute("CREATE DATABASE hanging")
    url = postgres.url.replace("/queueadmin", "/hanging")
    assert start("migrate", DATABASE_URL=url).process.wait() == 0
    assert start("shell", "-c", SCHEDULE, DATABASE_URL=url).process.wait() == 0
    maintain = start("maintain", DATABASE_URL=url)
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        wait_until(lambda: work.count("enqueued", "medium") >= 2)
        with hanging(postgres):
            for number in range(2):
                ids = abandoned(work, 3, "high", f"claim-{number}-")
                wait_until(lambda ids=ids: work.waiting() == ids)  # type: ignore[misc]
                client.delete(keys.queue("high"))
        before = work.count("enqueued", "medium")
        wait_until(lambda: work.count("enqueued", "medium") > before, what="schedules after it goes on")
        with hanging(postgres):
            assert maintain.stop() == 0
        assert not leader(client)
    assert not maintain.said("Traceback")


@contextmanager
def hanging(cluster: Cluster) -> Iterator[None]:
    """All its processes are stopped."""
    parent = int((cluster.data / "postmaster.pid").read_text().split()[0])
    stopped = [parent]
    os.kill(parent, signal.SIGSTOP)
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        os.kill(int(child), signal.SIGSTOP)
        stopped.append(int(child))
    try:
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


def leader(client: redis.Redis) -> str:
    return (client.get(keys.LEADER) or b"").decode()


def leads(client: redis.Redis, program: Program) -> bool:
    """A leader's name has its process' id in it."""
    return f"-{program.process.pid}-" in leader(client)
