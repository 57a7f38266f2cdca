"""A Redis that is gone under load, and kills at the worst moments: every 202 is run once (rules 1, 2, 4)."""

import json
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from queueadmin.run.home import socket_folder
from queueadmin.run.supervise import Supervisor
from tests.conftest import Valkey, wait_until
from tests.instance import Instance, free_port
from tests.postgres import Cluster
from tests.programs import Program


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that name an empty database."""
    if request.param == "sqlite":
        yield {"DATABASE_URL": f"sqlite:///{tmp_path}/spool.sqlite3"}
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    name = f"spool_{os.getpid()}_{abs(hash(request.node.name)) % 10**8}"
    with psycopg.connect(host=str(cluster.folder), user="qa", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield {"DATABASE_URL": cluster.url.replace("/queueadmin?", f"/{name}?")}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def ask(url: str) -> dict[str, Any]:
    """What a database holds, read without Django: another process for each look would cost a second of CPU."""
    opened: Any = (
        sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True, timeout=20)
        if url.startswith("sqlite")
        else psycopg.connect(url)
    )
    with closing(opened) as connection:

        def column(query: str) -> list[Any]:
            return [row[0] for row in connection.execute(query).fetchall()]

        return {
            "events": column("SELECT id FROM ingest_event ORDER BY id"),
            "occurrences": column("SELECT COALESCE(SUM(occurrences), 0) FROM ingest_alert")[0],
            "spooled": column("SELECT id FROM ingest_spooledevent ORDER BY id"),
        }


def test_redis_is_gone_for_a_while_under_load_and_every_202_is_run_once(
    tmp_path: Path, database: dict[str, str]
) -> None:
    instance = Instance(tmp_path, **database)
    supervisor = Supervisor(socket_folder(instance.home) / "supervisor.sock")
    accepted: dict[str, str] = {}
    statuses: set[int] = set()
    ended = threading.Event()

    def load(number: int) -> None:
        sent = 0
        with requests.Session() as session:
            while not ended.is_set():
                event = {"title": f"outage {number}", "id": f"{number}-{sent}"}
                try:
                    answer = session.post(f"{instance.url}/api/v1/events", json=event, timeout=60)
                except requests.RequestException:
                    continue  # the web process was killed: the same event again
                statuses.add(answer.status_code)
                if answer.status_code == 202:
                    accepted[answer.json()["id"]] = answer.json()["durability"]
                    sent += 1

    def number_of(durability: str) -> int:
        return list(accepted.values()).count(durability)

    def more(durability: str) -> None:
        before = number_of(durability)
        wait_until(lambda: number_of(durability) > before + 50, what=f"events in the {durability}")

    senders = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    try:
        instance.start()
        for sender in senders:
            sender.start()
        more("redis")
        supervisor._call("stopProcess", "valkey")
        more("database")
        health = requests.get(f"{instance.url}/health", timeout=60)
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["spool"]["count"] > 0
        spooled = next(job_id for job_id, where in accepted.items() if where == "database")
        assert requests.get(f"{instance.url}/api/v1/jobs/{spooled}", timeout=60).json()["state"] == "spooled"
        killed = instance.kill("web")
        wait_until(lambda: instance.pids().get("web", killed) != killed, what="the web process")
        more("database")
        supervisor._call("startProcess", "valkey")
        more("redis")
        ended.set()
        for sender in senders:
            sender.join()

        def all_run() -> bool:
            counts = ask(database["DATABASE_URL"])
            return not counts["spooled"] and accepted.keys() <= set(counts["events"])

        wait_until(all_run, what="the end of all jobs")
        counts = ask(database["DATABASE_URL"])
        assert len(set(counts["events"])) == len(counts["events"]) == counts["occurrences"], "each once"
        assert statuses <= {202, 503}
        report = json.loads(instance.manage("verify", "--json"))
        assert (report["holds"], report["spooled"]) == (True, 0)
    finally:
        ended.set()
        instance.discard()


class Alone:
    """Commands of one home, on one Valkey and one database."""

    def __init__(self, home: Path, valkey: Valkey, settings: dict[str, str]) -> None:
        self.home, self.valkey, self.settings = home, valkey, settings
        self.programs: list[Program] = []
        assert self.start("migrate").wait() == 0

    def start(self, *command: str, **more: str) -> "subprocess.Popen[bytes]":
        self.programs.append(Program(self.home, self.valkey.url, *command, **{**self.settings, **more}))
        return self.programs[-1].process

    def python(self, code: str) -> "subprocess.Popen[bytes]":
        return self.start("shell", "--verbosity=0", "-c", code)

    def ask(self) -> dict[str, Any]:
        return ask(self.settings["DATABASE_URL"])


@pytest.fixture
def alone(tmp_path: Path, own_valkey: Valkey, database: dict[str, str]) -> Iterator[Alone]:
    running = Alone(tmp_path, own_valkey, database)
    yield running
    for program in running.programs:
        program.process.kill()
        program.process.wait()


#: A web server whose process ends by SIGKILL right after the spool's commit, before anybody hears of it.
DYING_WEB = """
import os, signal, sys
from ingest.spool import writing
insert = writing._insert
def dies(*arguments):
    insert(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
writing._insert = dies
from daphne.cli import CommandLineInterface
CommandLineInterface().run(["-b", "127.0.0.1", "-p", "{port}", "-v", "0", "queueadmin.asgi:application"])
"""


def test_a_web_process_killed_between_the_commit_and_the_answer_doubles_nothing(alone: Alone) -> None:
    """The sender has no answer and sends again: the second copy meets the first."""
    alone.valkey.kill()
    port = free_port()
    web = alone.python(DYING_WEB.replace("{port}", str(port)))
    wait_until(lambda: _listens(port), what="the web server")
    events = [{"title": "once", "id": str(number)} for number in range(20)]
    with pytest.raises(requests.ConnectionError):
        requests.post(f"http://127.0.0.1:{port}/api/v1/events", json=events, timeout=60)
    assert web.wait(30) == -signal.SIGKILL
    assert len(alone.ask()["spooled"]) == 20

    port = free_port()
    alone.python(DYING_WEB[DYING_WEB.index("from daphne") :].replace("{port}", str(port)))
    wait_until(lambda: _listens(port), what="the web server")
    answer = requests.post(f"http://127.0.0.1:{port}/api/v1/events", json=events, timeout=60).json()
    assert (answer["accepted"], answer["duplicates"], answer["durability"]) == (0, 20, "database")
    alone.valkey.start()
    alone.start("maintain")
    alone.start("rqworker", "high", "medium")
    wait_until(lambda: len(alone.ask()["events"]) == 20, what="all of them run")
    wait_until(lambda: not alone.ask()["spooled"])
    assert alone.ask()["occurrences"] == 20


#: Maintenance whose process ends by SIGKILL after the jobs are in Redis, and before their rows are gone. The next one
#: leads as soon as its lease, s, is over.
DYING_MAINTENANCE = """
import os, signal
from ingest.maintenance import leader
from ingest.spool import draining
leader.LEASE = 2
draining.delete = lambda ids: os.kill(os.getpid(), signal.SIGKILL)
from django.core.management import call_command
call_command("maintain")
"""
SPOOL = """
from ingest import spool
from tests.ingest.spool.conftest import job
spool.store([job(f"once {number}", event_id=str(number) if number % 2 else None) for number in range(60)])
"""


def test_a_drainer_killed_between_enqueueing_and_deleting_doubles_nothing(alone: Alone) -> None:
    """Also when the jobs have long ended by the time the next one drains."""
    assert alone.python(SPOOL).wait(60) == 0
    assert alone.python(DYING_MAINTENANCE).wait(60) == -signal.SIGKILL
    alone.start("rqworker", "high")
    wait_until(lambda: len(alone.ask()["events"]) == 60, what="all of them run")
    assert len(alone.ask()["spooled"]) == 60

    alone.start("maintain")
    wait_until(lambda: not alone.ask()["spooled"], what="an empty spool")
    wait_until(lambda: alone.ask()["occurrences"] == 60)
    counts = alone.ask()
    assert len(counts["events"]) == len(set(counts["events"])) == 60


def _listens(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok
    except requests.RequestException:
        return False
