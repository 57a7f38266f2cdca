"""kill -9 of Valkey under load: everything that got a 202 is processed after it comes back, once (RQ13)."""

import threading

import redis
import requests

from tests.conftest import wait_until
from tests.flows.test_kill_worker import Ledger
from tests.instance import Instance


def test_everything_accepted_is_processed_after_valkey_comes_back(instance: Instance) -> None:
    ledger = Ledger(instance)
    rows_before, dead = ledger.rows(), ledger.count("dead")
    programs = {name: pid for name, pid in instance.pids().items() if name != "valkey"}
    accepted: set[str] = set()
    statuses: set[int] = set()
    ended = threading.Event()

    def load(number: int) -> None:
        with requests.Session() as session:
            while not ended.is_set():
                answer = session.post(
                    f"{instance.url}/api/v1/events",
                    json={"title": f"outage {number}", "severity": "high"},
                    timeout=60,
                )
                statuses.add(answer.status_code)
                if answer.status_code == 202:
                    accepted.add(answer.json()["id"])

    senders = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(2):
            before = len(accepted)
            wait_until(lambda before=before: len(accepted) > before + 100, what="load")  # type: ignore[misc]
            killed = instance.kill("valkey")
            wait_until(lambda killed=killed: instance.pids().get("valkey", killed) != killed)  # type: ignore[misc]
            wait_until(lambda: answers(ledger), what="Valkey's return")
            after = len(accepted)
            wait_until(lambda after=after: len(accepted) > after, what="taking in again")  # type: ignore[misc]
    finally:
        ended.set()
        for sender in senders:
            sender.join()
    wait_until(lambda: ledger.unfinished() == 0, what="the end of all jobs")
    rows = ledger.rows() - rows_before
    assert accepted <= rows, "a 202 is a promise"
    assert ledger.occurrences("outage") == len(rows), "each once, those with an unknown answer too"
    assert statuses <= {202, 503}
    assert ledger.count("dead") == dead
    assert {name: pid for name, pid in instance.pids().items() if name != "valkey"} == programs, "nobody died of it"


def answers(ledger: Ledger) -> bool:
    try:
        return bool(ledger.redis.ping())
    except redis.RedisError:
        return False
