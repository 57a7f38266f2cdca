"""An instance with task types, for the walk-throughs of the sources that are about them."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.conftest import wait_until
from tests.instance import REPOSITORY, Instance

_NUMBERS = itertools.count(1)


class Agents:
    """The source's queue, by its names where it has them."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.key = instance.manage("api_key", "create", "agents", "--scopes=ingest,read,admin").splitlines()[-1]

    def enqueue(self, task_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        task = {"task_id": f"t-{next(_NUMBERS)}", "task_type": task_type, "payload": payload or {}, **fields}
        answer = requests.post(f"{self.instance.url}/api/tasks", json=task, timeout=60)
        assert answer.status_code == 202, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    def get(self, path: str) -> dict[str, Any]:
        answer = requests.get(f"{self.instance.url}{path}", headers={"X-API-KEY": self.key}, timeout=60)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def press(self, path: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.instance.url}{path}", json=body, headers={"X-API-KEY": self.key}, timeout=60)

    def job(self, job_id: str) -> dict[str, Any]:
        return self.get(f"/api/v1/jobs/{job_id}")

    def until(self, job_id: str, *states: str) -> dict[str, Any]:
        """The job, when it is in one of these states."""
        wait_until(lambda: self.job(job_id)["state"] in states, what=f"{job_id} {' or '.join(states)}")
        return self.job(job_id)

    def statistics(self, query: str = "kind=task") -> dict[str, Any]:
        return self.get(f"/api/v1/statistics?{query}")

    def python(self, line: str) -> str:
        """What code of the project prints."""
        return self.instance.manage("shell", "-v", "0", "-c", f"from ingest import client; print({line})").strip()

    def notes(self) -> list[str]:
        log = self.instance.home / "agents.log"
        return log.read_text().split() if log.exists() else []


@pytest.fixture(scope="package")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    instance = Instance(
        tmp_path_factory.mktemp("agents"),
        LEASE_SECONDS="2",
        PYTHONPATH=f"{REPOSITORY}/examples:{REPOSITORY}",
        INGEST_HANDLERS="pipeline,tests.flows.agents",
    )
    try:
        yield Agents(instance.start())
    finally:
        instance.discard()
