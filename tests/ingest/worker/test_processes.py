"""Worker and maintenance as processes of their own: outages, and what SIGTERM means then."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.conftest import Valkey, wait_until
from tests.ingest.worker.conftest import QUEUES, Work
from tests.postgres import Cluster
from tests.programs import Start


def test_both_wait_through_an_outage_and_go_on_as_the_same_processes(own_valkey: Valkey, start: Start) -> None:
    worker, maintain = start("rqworker", *QUEUES), start("maintain")
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        wait_until(lambda: client.scard("rq:workers") and client.exists("rq:qa:leader"))
        # Accepts connections and answers nothing: the worst kind of outage.
        own_valkey.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: worker.said("does not answer") and maintain.said("does not answer"))
        own_valkey.process.send_signal(signal.SIGCONT)
        work.put({"title": "after the silence"})
        wait_until(lambda: work.count("completed") == 1)
        own_valkey.kill()
        wait_until(lambda: worker.said("does not answer") >= 2)
        own_valkey.start()
        work.put({"title": "after the crash"})
        wait_until(lambda: work.count("completed") == 2)
    assert (worker.process.poll(), maintain.process.poll()) == (None, None)
    own_valkey.kill()
    assert (worker.stop(), maintain.stop()) == (0, 0), "also without Redis"
    assert worker.said("Traceback") == maintain.said("Traceback") == 0


def test_sigterm_in_mid_batch_finishes_what_it_can_and_puts_the_rest_back(own_valkey: Valkey, start: Start) -> None:
    worker = start("rqworker", *QUEUES)
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        ids = work.put({"title": "too long", "fault": "slow:60"}, {"title": "behind it"})
        wait_until(lambda: work.started() == 2)
        assert worker.stop() == 0
        assert (work.waiting(), work.started(), work.count("released")) == (ids, 0, 2)
        assert client.scard("rq:workers") == 0


@pytest.mark.long
def test_an_event_that_kills_its_worker_is_poison_at_the_third_crash_and_harms_no_neighbour(
    own_valkey: Valkey, start: Start
) -> None:
    """B9. Its neighbours lost their worker once with it; after that it is claimed alone."""
    settings = {"LEASE_SECONDS": "1", "QUEUEADMIN_FAULTS": "1"}
    start("maintain", **settings)
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        ids = work.put(*[{"title": "neighbour"}] * 20, {"title": "killer", "fault": "crash"})
        for _ in range(3):
            worker = start("rqworker", *QUEUES, **settings)
            assert worker.process.wait(timeout=60) == -signal.SIGKILL
        wait_until(lambda: work.dead() == [ids[-1]])
        assert work.field(ids[-1], "reason") == "poison"
        start("rqworker", *QUEUES, **settings)
        wait_until(lambda: work.count("completed") == 20)
        assert (work.count("dead"), work.waiting(), work.started()) == (1, [], 0)


def test_stock_tools_see_a_pool_of_workers_and_the_queues(own_valkey: Valkey, start: Start) -> None:
    pool = start("rqworker-pool", *QUEUES, "--num-workers", "2")
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        wait_until(lambda: client.scard("rq:workers") == 2)
        work.put(*[{"title": "x"}] * 20)
        for queue in ("critical", "medium", "low"):
            work.put({"title": "x"}, queue=queue)
        wait_until(lambda: work.count("completed") == 20)
        shown = subprocess.run(
            [str(Path(sys.executable).parent / "rq"), "info", "--url", own_valkey.url],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TERM": "dumb"},
        ).stdout
        assert all(queue in shown for queue in QUEUES)
        assert "4 queues" in shown
        assert "2 workers" in shown
        pool.process.terminate()
        assert pool.process.wait(timeout=60) == 0
        assert client.scard("rq:workers") == 0


@pytest.mark.postgres
def test_postgresql_stopped_for_a_while_costs_no_attempt(own_valkey: Valkey, start: Start, postgres: Cluster) -> None:
    """Released without an attempt, waited for, then processed once; also when it dies in mid-transaction."""
    with psycopg.connect(postgres.url.replace("postgres://", "postgresql://"), autocommit=True) as database:
        database.execute("DROP DATABASE IF EXISTS outage")
        database.execute("CREATE DATABASE outage")
    url = postgres.url.replace("/queueadmin", "/outage")
    worker = start("rqworker", *QUEUES, DATABASE_URL=url)
    with redis.Redis.from_url(own_valkey.url) as client:
        work = Work(client)
        work.put({"title": "before"})
        wait_until(lambda: work.count("completed") == 1)
        postgres.stop()
        try:
            ids = work.put(*[{"title": "during"}] * 150)
            wait_until(lambda: worker.said("The database is away"))
            assert (work.waiting(), work.started()) == (ids, 0), "in the order that they had"
        finally:
            postgres.start()
        wait_until(lambda: work.count("completed") == 151)
        assert (work.count("retried"), work.count("dead")) == (0, 0)
    with psycopg.connect(url.replace("postgres://", "postgresql://")) as database:
        assert database.execute("SELECT COUNT(*), COUNT(DISTINCT id) FROM ingest_event").fetchone() == (151, 151)
        assert database.execute("SELECT SUM(occurrences) FROM ingest_alert").fetchone() == (151,)
    assert worker.stop() == 0
