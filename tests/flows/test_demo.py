"""`make demo`: within a minute it has sent something for every part of the page."""

import random
import subprocess
import sys
import time
from io import StringIO
from types import SimpleNamespace

import pytest
import requests
from django.core.management import call_command

from ingest.kinds.points import read_point
from ingest.management.commands import demo
from ingest.management.commands.demo import Request, Sender, traffic
from tests.conftest import wait_until
from tests.instance import REPOSITORY, Instance, free_port


def events(requests: list[Request]) -> list[dict[str, object]]:
    return [
        event for request in requests for event in (request.body if isinstance(request.body, list) else [request.body])
    ]


def test_a_minute_holds_every_kind_of_traffic() -> None:
    sent = list(traffic(random.Random(1), 60))
    messages = [event for event in events(sent) if "user_id" in event]
    alerts = [event for event in events(sent) if "user_id" not in event]
    ids = [alert["id"] for alert in alerts if "id" in alert]
    assert {request.path for request in sent} == {
        "/api/alerts/event", "/api/v1/events", "/api/tasks", "/api/messages", "/tracking/live", "/tracking/upload",
    }  # fmt: skip
    for point in (event for event in events(sent) if "device_id" in event):
        read_point(point)
    assert {"error:1", "error:2", "error", "permanent", "slow:1", "slow:2", None} == {a.get("fault") for a in alerts}
    assert {"error:1", "permanent", None} == {message.get("fault") for message in messages}
    assert len({message["ordering_key"] for message in messages}) > 5
    assert {"trigger", "resolve"} <= {alert.get("action") for alert in alerts}
    assert len(ids) > len(set(ids)), "no duplicates"
    assert {alert["task_type"] for alert in alerts if "task_type" in alert} == {
        "demo-primes",
        "demo-fetch",
        "demo-report",
    }
    assert any(isinstance(request.body, list) and len(request.body) >= 500 for request in sent), "no burst"
    assert [request.at for request in sent] == sorted(request.at for request in sent)


def test_the_same_seed_sends_the_same_alerts() -> None:
    first, second = (
        [alert for alert in events(list(traffic(random.Random(7), 15))) if "id" in alert] for _ in range(2)
    )
    assert first == second


def test_it_is_accepted_by_a_running_instance(instance: Instance) -> None:
    def enqueued() -> int:
        health = requests.get(f"{instance.url}/api/admin/queue/health", timeout=60).json()
        return int(health["metrics"]["total_enqueued"])

    before = enqueued()
    said = instance.manage("demo", "--seconds", "2", "--seed", "1", "--url", instance.url)
    first, last = said.splitlines()[0], said.splitlines()[-1]
    assert first == f"Sending alerts to {instance.url}; Ctrl-C ends it."
    assert last.startswith("sent ")
    assert "refused" not in last
    wait_until(lambda: enqueued() > before, what="the alerts' arrival")


def test_it_ends_in_time_when_the_instance_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request that is not answered takes a second: of 500 seconds it made two hours."""
    now = 0.0
    sent: list[Request] = []

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    def unanswered(sender: Sender, request: Request) -> None:
        sent.append(request)
        wait(1)

    monkeypatch.setattr(demo, "time", SimpleNamespace(monotonic=lambda: now, sleep=wait, time=time.time))
    monkeypatch.setattr(Sender, "send", unanswered)
    call_command("demo", "--seconds", "20", "--seed", "1", stdout=StringIO())
    assert len(sent) == 20


def test_without_an_instance_it_says_how_to_start_one() -> None:
    run = subprocess.run(
        [sys.executable, "manage.py", "demo", "--url", f"http://127.0.0.1:{free_port()}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Nothing answers at http://127.0.0.1:" in run.stderr
    assert "start it with: make run" in run.stderr
