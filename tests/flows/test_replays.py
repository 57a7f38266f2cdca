"""A replay while all under it is killed: each job runs once, the late ones are untouched (X1, issue 8 part 4)."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.flows.test_kill_worker import QUEUES, Ledger, send
from tests.instance import Instance
from tests.waiting import wait_until

#: Alerts are dead after their fourth attempt, so the fifth, which is the replay's, succeeds.
BROKEN = "error:4"
#: A worker that is killed under it counts as an attempt, so it fails more often than the replay's fifth.
FAILING = "error:20"


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    started = Instance(tmp_path_factory.mktemp("replays"), WORKERS="2", LEASE_SECONDS="2")
    try:
        yield started.start()
    finally:
        started.discard()


class Operator:
    """Somebody who operates by the API."""

    def __init__(self, instance: Instance) -> None:
        self.url = instance.url
        key = instance.manage("api_key", "create", "operator", "--scopes", "admin").split()[-1]
        self.headers = {"X-API-KEY": key}

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}{path}", json=body, headers=self.headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def replay(self, number: int) -> dict[str, Any]:
        """As it is now; {} while the web process is away."""
        with contextlib.suppress(requests.ConnectionError):
            answer = requests.get(f"{self.url}/api/v1/replays/{number}", headers=self.headers, timeout=60)
            if answer.ok:
                return answer.json()  # type: ignore[no-any-return]
        return {}


def fail_for_good(ledger: Ledger, count: int) -> None:
    """Wait until so many are dead, without waiting for the delays of their retries."""

    def are_dead() -> bool:
        for queue in QUEUES:
            for job in ledger.redis.zrange(f"rq:scheduled:{queue}", 0, -1):
                ledger.redis.zadd(f"rq:scheduled:{queue}", {job: 1}, xx=True)
        return dead(ledger) >= count

    wait_until(are_dead, what="the dead letters")


def dead(ledger: Ledger) -> int:
    return sum(int(ledger.redis.zcard(f"rq:failed:{queue}")) for queue in QUEUES)


def test_x1_maintenance_worker_and_web_killed_in_the_middle_of_a_replay(two_workers: Instance) -> None:
    """Nothing is lost, doubled or swept in."""
    ledger, operator = Ledger(two_workers), Operator(two_workers)
    source = f"incident-{uuid.uuid4().hex[:8]}"
    events: list[dict[str, object]] = [
        {
            "title": f"{source} {number}",
            "severity": "high",
            "source": source,
            "fault": BROKEN if number >= 10 else FAILING,
        }
        for number in range(260)
    ]
    ids = send(two_workers, events)
    fail_for_good(ledger, 260)
    begun = operator.post(
        "/api/v1/dlq/retry",
        filter=f"source:{source}",
        reason="fixed",
        canary=5,
        ramp=[20, 60],
        step_seconds=2,
        stop_percent=100,
        stop_wait=False,
    )
    number = begun["id"]
    late = send(two_workers, [{"title": "late", "severity": "high", "source": source, "fault": "permanent"}] * 3)
    for killed, released in (("maintain", 10), ("worker-1", 60), ("web", 100), ("maintain", 150)):
        wait_until(
            lambda least=released: moved(operator.replay(number)) >= least,  # type: ignore[misc]
            what=f"{released} released",
        )
        two_workers.kill(killed)
    wait_until(lambda: operator.replay(number).get("settled"), what="the replay's end")
    ended = operator.replay(number)
    assert (ended["state"], ended["outcome"]) == ("done", "Of 260: 250 succeeded, 10 failed again."), json.dumps(ended)
    assert ledger.rows() >= set(ids[10:])
    # Each was counted once by its problem, and each has a problem of its own.
    assert [ledger.occurrences(f"{source} {number}") for number in range(100, 260)] == [1] * 160
    assert ledger.occurrences(f"{source} ") == 250
    stay = {job for queue in QUEUES for job in ledger.redis.zrange(f"rq:failed:{queue}", 0, -1)}
    assert {job.decode() for job in stay} == {*ids[:10], *late}
    assert all(ledger.redis.hget(f"rq:job:{job}", "replay") is None for job in late)
    assert two_workers.manage("verify")


def moved(replay: dict[str, Any]) -> int:
    """Members whose turn came."""
    return replay["size"] - replay["waiting"] if replay.get("frozen_at") else 0
