"""Seed 002, a queue for GPS points, step by step on PostgreSQL: requirements C1 to C6, C10, with workers killed.

The steps are its sections: the endpoints, the conflicts, monitoring, the fallback, dead letters, reliability.
"""

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import requests

from queueadmin.run.home import socket_folder
from queueadmin.run.supervise import Supervisor
from tests.conftest import wait_until
from tests.instance import Instance
from tests.postgres import Cluster

pytestmark = pytest.mark.postgres

NOON = 1_795_348_800
QUEUES = ("critical", "high", "medium", "low")


class Tracking:
    """The running product, and what its database holds."""

    def __init__(self, instance: Instance, address: str) -> None:
        self.instance = instance
        self.supervisor = Supervisor(socket_folder(instance.home) / "supervisor.sock")
        self._database = psycopg.connect(address, autocommit=True)

    def send(self, path: str, points: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
        given = more or {"json": points}
        answer = requests.post(f"{self.instance.url}{path}", timeout=60, **given)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> Any:
        return requests.get(f"{self.instance.url}{path}", timeout=60).json()

    def done(self, sent: dict[str, Any]) -> list[dict[str, Any]]:
        """Its jobs, when all are finished."""
        found: list[dict[str, Any]] = []

        def finished() -> bool:
            found[:] = [self.get(f"/api/v1/jobs/{job['id']}") for job in sent["jobs"]]
            return all(job.get("state") == "finished" for job in found)

        wait_until(finished, what="the end of its jobs")
        return found

    def rows(self, device_id: str) -> int:
        query = "SELECT count(*) FROM ingest_point WHERE device_id LIKE %s"
        row = self._database.execute(query, [f"{device_id}%"]).fetchone()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        self._database.close()


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory, postgres: Cluster) -> Iterator[Tracking]:
    name = f"points_{os.getpid()}"
    with psycopg.connect(host=str(postgres.folder), user="qa", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        url = postgres.url.replace("/queueadmin?", f"/{name}?")
        instance = Instance(tmp_path_factory.mktemp("points"), DATABASE_URL=url, WORKERS="2", LEASE_SECONDS="2")
        try:
            instance.start()
            running = Tracking(instance, f"host={postgres.folder} user=qa dbname={name}")
            yield running
            running.close()
        finally:
            instance.discard()
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def track(device_id: str, count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"device_id": device_id, "time": NOON + first + n, "lat": 46.5, "lon": 7 + n / 1e4, "alt": 1850}
        for n in range(count)
    ]


def test_c1_c2_the_four_endpoints_queue_points_with_their_priorities(tracking: Tracking) -> None:
    flymaster = "".join(f"fm-1,{NOON + n},46.5,7.25,1200,33.5,270\n" for n in range(3))
    for path, stream, queue, given in (
        ("/tracking/live", "live", "high", {"json": track("live-1", 1)[0]}),
        ("/tracking/upload", "upload", "medium", {"json": track("upload-1", 2_500)}),
        ("/tracking/flymaster/upload/file", "flymaster", "low", {"files": {"file": ("log.txt", flymaster)}}),
        ("/scoring/batch", "scoring", "medium", {"json": track("scoring-1", 4)}),
    ):
        sent = tracking.send(path, **given)
        assert sent["status"] == "queued"
        jobs = tracking.done(sent)
        assert {job["queue"] for job in jobs} == {queue}
        kept = {"inserted": sent["queued"], "duplicates": 0, "rejected": 0}
        assert {name: sum(job["result"][name] for job in jobs) for name in kept} == kept
        assert tracking.get("/queue/status")[f"{stream}_points"] == {"pending": 0, **kept}
    assert [tracking.rows(f"{stream}-1") for stream in ("live", "upload", "scoring", "fm")] == [1, 2_500, 4, 3]


def test_c3_what_was_sent_before_conflicts_and_adds_nothing(tracking: Tracking) -> None:
    before = tracking.get("/queue/status")["upload_points"]["duplicates"]
    [job] = tracking.done(tracking.send("/tracking/upload", track("upload-1", 500) + track("upload-1", 10, 9_000)))
    assert job["result"] == {"inserted": 10, "duplicates": 500, "rejected": 0}
    assert tracking.rows("upload-1") == 2_510
    assert tracking.get("/queue/status")["upload_points"]["duplicates"] == before + 500


def test_c6_c9_health_and_queue_status(tracking: Tracking) -> None:
    health, status = tracking.get("/health"), tracking.get("/queue/status")
    assert health["redis"]["status"] == "connected"
    assert set(status["queues"]) == set(QUEUES)
    assert status["total_pending"] == 0
    assert status["processor"]["processed"] >= 6
    devices = {each["device_id"]: each for each in tracking.get("/api/v1/devices")["items"]}
    assert (devices["upload-1"]["points"], devices["upload-1"]["lon"]) == (2_510, 7.0009)


def test_c10_a_chunk_that_fails_is_a_dead_letter_and_can_be_retried(tracking: Tracking) -> None:
    event = {"kind": "point", **track("dead-1", 1)[0], "fault": "error:1"}
    job = requests.post(f"{tracking.instance.url}/api/v1/events", json=event | {"fault": "permanent"}, timeout=60)
    dead = f"/api/v1/jobs/{job.json()['id']}"
    wait_until(lambda: tracking.get(dead)["state"] == "failed", what="the dead letter")
    again = requests.post(f"{tracking.instance.url}/api/v1/events", json=event, timeout=60).json()["id"]
    wait_until(lambda: tracking.get(f"/api/v1/jobs/{again}")["state"] == "finished", what="the retry")
    assert tracking.rows("dead-1") == 1


def test_c4_without_redis_points_go_straight_to_the_database(tracking: Tracking) -> None:
    tracking.supervisor._call("stopProcess", "valkey")
    try:
        sent = tracking.send("/tracking/upload", track("away-1", 2_000) + track("away-1", 1))
        assert sent["durability"] == "database"
        wait_until(lambda: tracking.rows("away-1") == 2_000, what="the rows, without Redis")
        jobs = tracking.done(sent)
        assert sum(job["result"]["inserted"] for job in jobs) == 2_000
        assert sum(job["result"]["duplicates"] for job in jobs) == 1
        assert tracking.get("/health")["redis"]["status"] == "disconnected"
    finally:
        tracking.supervisor._call("startProcess", "valkey")
    wait_until(lambda: tracking.get("/health")["redis"]["status"] == "connected", what="Redis")
    [job] = tracking.done(tracking.send("/tracking/upload", track("away-1", 5)))
    assert (job["result"]["duplicates"], tracking.rows("away-1")) == (5, 2_000)


def test_workers_killed_under_points_lose_and_double_nothing(tracking: Tracking) -> None:
    """ "Reliability: fallback mechanisms ensure no data loss"."""
    before = tracking.get("/queue/status")["upload_points"]
    sent: list[str] = []
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            sent.append(f"killed-{len(sent)}")
            tracking.send("/tracking/upload", track(sent[-1], 2_000))

    def busy() -> bool:
        return any(queue["processing"] for queue in tracking.get("/queue/status")["queues"].values())

    sender = threading.Thread(target=load)
    sender.start()
    try:
        for number in range(4):
            wait_until(busy, what="a claim")
            name = f"worker-{number % 2 + 1}"
            killed = tracking.instance.kill(name)
            wait_until(lambda name=name, killed=killed: tracking.instance.pids().get(name, killed) != killed)  # type: ignore[misc]
    finally:
        ended.set()
        sender.join()
    points = len(sent) * 2_000

    def kept() -> bool:
        now = tracking.get("/queue/status")["upload_points"]
        return bool(now["inserted"] - before["inserted"] == points)

    wait_until(kept, what="the end of all jobs")
    assert tracking.rows("killed-") == points
    assert tracking.get("/queue/status")["upload_points"]["duplicates"] == before["duplicates"], "no chunk ran twice"
    report = json.loads(tracking.instance.manage("verify", "--json"))
    assert report["holds"] is True
