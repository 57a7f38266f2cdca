"""A1: REDIS=false with real processes: accept, run, retry, dead letters with Retry, kill and restart."""

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import requests

from ingest.accept.ids import derived_id
from tests.conftest import wait_until
from tests.instance import ADMIN_PASSWORD, Instance
from tests.postgres import Cluster


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One for all tests of a database: each looks at its own events, and waits until a killed process is back."""
    more = {}
    if request.param == "postgresql":
        more["DATABASE_URL"] = request.getfixturevalue("postgres").url
    running = Instance(tmp_path_factory.mktemp("alone"), REDIS="false", QUEUEADMIN_FAULTS="1", **more)
    try:
        yield running.start()
    finally:
        running.discard()
        if request.param == "postgresql":
            reset(request.getfixturevalue("postgres"))


def reset(cluster: Cluster) -> None:
    """An empty database for the next test."""
    with psycopg.connect(host=str(cluster.folder), user="qa", dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE queueadmin WITH (FORCE)")
        connection.execute("CREATE DATABASE queueadmin")


class Api:
    """A program on this machine that sends and reads; a person for what needs one."""

    def __init__(self, instance: Instance) -> None:
        self.url = instance.url
        self.person = requests.Session()
        page = self.person.get(f"{self.url}/login/", timeout=60).text
        self.person.post(
            f"{self.url}/login/",
            data={"username": "admin", "password": ADMIN_PASSWORD, "csrfmiddlewaretoken": token(page)},
            headers={"Referer": f"{self.url}/login/"},
            timeout=60,
        )

    def send(self, path: str = "/api/v1/events", **event: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}{path}", json=event, timeout=60)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(requests.get(f"{self.url}/api/v1/jobs/{job_id}", timeout=60).json())

    def wait(self, job_id: str, state: str, *, seconds: float = 30) -> dict[str, Any]:
        def reached() -> bool:
            with contextlib.suppress(requests.RequestException):
                return bool(self.job(job_id).get("state") == state)
            return False

        wait_until(reached, seconds=seconds, what=f"{job_id} {state}")
        return self.job(job_id)

    def page(self, path: str) -> requests.Response:
        return self.person.get(f"{self.url}{path}", timeout=60)

    def press(self, path: str, **data: str) -> requests.Response:
        page = self.page("/dead-letters/").text
        return self.person.post(
            f"{self.url}{path}",
            data={**data, "csrfmiddlewaretoken": token(page)},
            headers={"Referer": f"{self.url}/"},
            timeout=60,
        )


def token(page: str) -> str:
    found = re.search(r'csrfmiddlewaretoken"? value="([^"]+)"', page)
    found = found or re.search(r"X-CSRFToken&quot;: &quot;(\w+)", page)
    assert found, page[:2000]
    return found.group(1)


def test_a1_one_process_does_it_all(alone: Instance) -> None:
    api = Api(alone)
    assert set(alone.pids()) == {"web"}, "no Valkey, worker, maintenance or publisher"

    # Accept, and run.
    alert = api.send("/api/alerts/event", id="disk", title="Disk full", severity="critical")
    assert (alert["status"], alert["alert_id"], alert["durability"]) == ("processing", "disk", "database")
    done = api.wait(alert["id"], "finished")
    assert done["kind"] == "alert"
    # A copy and another body, after its end.
    again = api.send("/api/alerts/event", id="disk", title="Disk full", severity="critical")
    assert (again["duplicate"], again["id"]) == (True, alert["id"])
    other = requests.post(f"{api.url}/api/alerts/event", json={"id": "disk", "title": "Other"}, timeout=60)
    assert (other.status_code, other.json()["code"]) == (409, "id_reused")

    # Retried by its kind's delays (1 s, then 5 s), then well.
    twice = api.send(title="twice", severity="high", fault="error:1")
    retried = api.wait(twice["id"], "retrying")
    assert retried["error"]["type"] == "FaultError"
    assert (retried["attempts"], retried["attempts_left"]) == (1, 3)
    api.wait(twice["id"], "finished")

    # Dead letters, with Retry from the API and the page.
    dead = [api.send(title=f"bad {number}", fault="permanent")["id"] for number in range(3)]
    for job_id in dead:
        found = api.wait(job_id, "failed")
        assert (found["error"]["reason"], found["links"].get("retry")) == ("permanent", f"/api/v1/jobs/{job_id}/retry")
    listed = api.page("/dead-letters/").text
    assert all(job_id in listed for job_id in dead)
    assert "bad 0" in api.page(f"/jobs/{dead[0]}/").text
    health = requests.get(f"{alone.url}/health", timeout=60).json()
    assert (health["status"], health["redis"]["status"]) == ("healthy", "disabled")
    retried_by_api = api.person.post(
        f"{api.url}/api/v1/jobs/{dead[0]}/retry",
        json={},
        headers={"X-CSRFToken": api.person.cookies["csrftoken"], "Referer": f"{api.url}/"},
        timeout=60,
    )
    assert retried_by_api.status_code == 202, retried_by_api.text
    wait_until(lambda: api.job(dead[0])["attempts"] == 2, what="the second failure")
    api.wait(dead[0], "failed")
    assert api.press(f"/jobs/{dead[1]}/retry/").ok
    wait_until(lambda: api.job(dead[1])["attempts"] == 2, what="the second failure")

    # What needs Redis says so.
    for path in ("/api/v1/queues/high/pause", f"/api/v1/jobs/{dead[2]}/discard"):
        refused = api.person.post(
            f"{api.url}{path}",
            json={},
            headers={"X-CSRFToken": api.person.cookies["csrftoken"], "Referer": f"{api.url}/"},
            timeout=60,
        )
        assert (refused.status_code, refused.json()["code"]) == (503, "needs_redis"), refused.text
        assert "needs Redis" in refused.json()["detail"]
    for path in ("/", "/dead-letters/", f"/jobs/{alert['id']}/"):
        assert api.page(path).status_code == 200, path
    assert "disabled" in alone.manage("queues", "--json")


def test_a1_a_kill_in_the_middle_loses_and_doubles_nothing(alone: Instance) -> None:
    api = Api(alone)
    slow = [api.send(id=f"slow {number}", title="slow", fault="slow:0.3")["id"] for number in range(3)]
    later = [api.send(id=f"later {number}", title="later")["id"] for number in range(150)]
    delayed = api.send(title="delayed", delay_seconds=3)["id"]
    killed = alone.kill("web")
    wait_until(lambda: alone.pids().get("web", killed) != killed, what="the web process")
    wait_until(lambda: alone.answers("/readyz"), what="the web process's answers")
    for job_id in (*slow, *later, delayed):
        api.wait(job_id, "finished")
    assert occurrences(alone, "slow", "later", "delayed") == {"slow": 3, "later": 150, "delayed": 1}


def test_a1_a_stop_gives_back_what_it_did_not_run(alone: Instance) -> None:
    api = Api(alone)
    jobs = [api.send(title="one", fault="slow:0.5")["id"] for number in range(10)]
    web = alone.pids()["web"]
    os.kill(web, signal.SIGTERM)
    wait_until(lambda: alone.pids().get("web", web) != web, what="the web process")
    wait_until(lambda: alone.answers("/readyz"), what="the web process's answers")
    for job_id in jobs:
        found = api.wait(job_id, "finished")
        assert found["crashes"] == 0
    assert occurrences(alone, "one") == {"one": 10}


def test_a1_one_that_kills_its_process_is_poison_at_the_third_time_and_harms_nobody(alone: Instance) -> None:
    api = Api(alone)
    event = {"id": "killer", "source": "test", "title": "killer", "fault": "crash", "severity": "critical"}

    def taken_in() -> bool:
        # It may end the process before its own answer is out; the same again is the same event.
        with contextlib.suppress(requests.RequestException):
            return bool(api.send(**event)["id"])
        return False

    wait_until(taken_in, what="its acceptance")
    killer = derived_id("alert", "", "test", "killer")

    def poisoned() -> bool:
        with contextlib.suppress(requests.RequestException):
            return bool(api.job(killer).get("state") == "failed")
        return False

    wait_until(poisoned, what="the third crash")
    found = api.job(killer)
    assert (found["error"]["reason"], found["crashes"]) == ("poison", 3)
    other = api.send(title="other")["id"]
    api.wait(other, "finished")


def occurrences(instance: Instance, *titles: str) -> dict[str, int]:
    """How often each of these problems was counted; and the spool holds dead letters alone."""
    shown = instance.manage(
        "shell",
        "--verbosity=0",
        "-c",
        "from ingest.models import Alert, Event, SpooledEvent\n"
        "import json\n"
        "print(json.dumps({a.title: a.occurrences for a in Alert.objects.all()}))\n"
        "assert Event.objects.count() == len(set(Event.objects.values_list('id', flat=True)))\n"
        "assert not SpooledEvent.objects.exclude(state=SpooledEvent.State.FAILED).exists()",
    )
    counted = json.loads(shown.splitlines()[-1])
    return {title: counted[title] for title in titles}
