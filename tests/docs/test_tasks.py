"""docs/tasks.md: its module registers what it says, its request is taken, and its table of options is the code's."""

import inspect
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import Client

from ingest import client, effects
from ingest.kinds import Context, kind_of, register_named, task, tasks
from ingest.kinds.errors import Canceled, PermanentError
from ingest.worker.leases import CANCEL_GRACE
from tests.ingest.conftest import a_payload

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "tasks.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def _agents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first block as a file of somebody's, named in INGEST_HANDLERS; and the type of the example's request."""
    monkeypatch.setattr(tasks, "TYPES", {})
    (tmp_path / "agents.py").write_text(BLOCKS[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "agents", raising=False)
    register_named(["agents"])
    task("demo-report")(lambda given, context: None)


def payload_of(**fields: Any) -> Any:
    return a_payload({"task_type": "review", "payload": fields}, kind="task")


@pytest.mark.asyncio
async def test_the_reviewer_reviews_stops_and_refuses() -> None:
    kind = tasks.TYPES["review"]
    said: list[tuple[str, Any]] = []
    context = Context("x", report=lambda what, value: said.append((what, value)))
    assert await effects.run_async(kind, payload_of(files=["a.py", "b.py"]), context) == {"files": 2}
    assert said[-1] == ("progress", {"file": 2, "of": 2})
    with pytest.raises(PermanentError, match="names no file"):
        await effects.run_async(kind, payload_of(), Context("x"))
    with pytest.raises(Canceled):
        await effects.run_async(kind, payload_of(files=["a.py"]), Context("x", canceled=lambda: True))


def test_the_types_are_as_it_says() -> None:
    review, build = tasks.TYPES["review"], tasks.TYPES["build"]
    assert (review.retry_delays, review.timeout, review.mode) == ((0.0, 2.0), 600, "async")
    assert (build.retry_delays, build.mode, build.dead_letters) == ((10.0, 60.0), "process", False)


def test_every_option_stands_in_its_table_with_its_default() -> None:
    parameters = {
        name: parameter.default
        for name, parameter in inspect.signature(task).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| ([^|]+) \|$", TEXT, flags=re.MULTILINE))
    assert rows.keys() == parameters.keys()
    for name, shown in rows.items():
        if name != "isolation":
            assert shown.strip("`").replace(",", "") == str(parameters[name]), name


@pytest.mark.django_db
def test_the_request_is_taken_and_python_does_the_same(empty_redis: redis.Redis) -> None:
    command = next(block for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL) if "/api/tasks" in block)
    words = shlex.split(command.replace("\\\n", " "))
    body = words[words.index("-d") + 1]
    sent = Client(headers={"host": "localhost"}).post("/api/tasks", body, content_type="application/json")
    assert (sent.status_code, sent.json()["position"], sent.json()["task_type"]) == (202, 1, "demo-report")
    code = BLOCKS[1].replace("dev_main_py", "another")
    exec(code, {})  # noqa: S102 - ours
    assert client.statistics(task_type="review").pending == 1
    assert kind_of(a_payload(json.loads(body), kind="task")).timeout == 300


def test_its_numbers_are_the_codes() -> None:
    assert f"ended {CANCEL_GRACE:g} seconds later" in TEXT
    assert f"0 to {tasks.MOST_RETRIES})" in TEXT
    assert f"1 to {tasks.LONGEST_TIMEOUT:,} s" in TEXT
