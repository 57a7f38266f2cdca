"""B7 with real processes: whoever asked is told, whatever is killed in between."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import wait_until
from tests.ingest.callbacks.conftest import Receiver, receiving
from tests.instance import Instance

EVENTS = 40


def _told(receiver: Receiver, event: str) -> set[str]:
    return {notice["job"]["id"] for hit in list(receiver.hits) if (notice := hit.json)["event"] == event}


def _kill(instance: Instance) -> None:
    for program in ("worker-1", "maintain"):
        instance.kill(program)


@pytest.mark.long
def test_every_receiver_is_told_though_worker_and_maintenance_are_killed(tmp_path: Path) -> None:
    """At least once, and a repeat has the same webhook-id: one for each change of each job."""
    instance = Instance(tmp_path, CALLBACK_ALLOW_NETWORKS="127.0.0.1", LEASE_SECONDS="2")
    with receiving() as receiver:
        try:
            instance.start()
            events: list[dict[str, Any]] = [
                {"title": f"t{number}", "severity": "high", "callback_url": f"{receiver.url}?n={number}"}
                for number in range(EVENTS)
            ]
            answer = requests.post(
                f"{instance.url}/api/v1/events", json=events, headers={"Prefer": "return=representation"}, timeout=60
            )
            ids = {item["id"] for item in answer.json()["items"]}
            wait_until(lambda: receiver.hits, what="the first notice")
            _kill(instance)
            wait_until(lambda: len(receiver.hits) >= EVENTS, what="a part of the notices")
            _kill(instance)
            for event in ("queued", "started", "finished"):
                wait_until(lambda event=event: _told(receiver, event) == ids, what=f"{event} of every job")  # type: ignore[misc]
        finally:
            instance.discard()
    changes: dict[str, set[tuple[str, str, str]]] = {}
    for hit in receiver.hits:
        notice = hit.json
        change = (notice["job"]["id"], notice["event"], notice["at"])
        changes.setdefault(hit.headers["webhook-id"], set()).add(change)
    assert all(len(of_one) == 1 for of_one in changes.values())
    of_changes = Counter(change for of_one in changes.values() for change in of_one)
    assert set(of_changes.values()) == {1}, "one change was told under two ids"
