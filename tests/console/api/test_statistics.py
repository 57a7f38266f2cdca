"""E5: sizes and statistics with a success rate, of all, of a kind and of a task type; E17: how busy the workers are."""

from datetime import UTC, datetime

import pytest
import redis
from django.test import Client

from ingest.kinds import tasks
from ingest.queue import keys
from ingest.queue.transitions import Failure, new_id
from tests.console.api.conftest import problem_of
from tests.console.conftest import Jobs, worker
from tests.ingest.queue.conftest import make_job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TYPES", {})
    tasks.task("dev")(lambda given, context: None)
    tasks.task("qa", own_workers=True)(lambda given, context: None)


def test_each_type_is_counted_and_their_sum_is_the_kinds(local: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    run = jobs.transitions
    run.enqueue([make_job(kind="task", type="dev", retry_delays=(60,)) for _ in range(5)])
    run.enqueue([make_job(kind="task", type="qa", delay=60), make_job()])
    claim = run.claim("w", ["high"], claim_id=new_id(), limit=4, lease=30)
    assert claim is not None
    first, second, third, _ = (job.id for job in claim.jobs)
    run.complete("high", claim.id, "w", [first])
    run.fail("high", claim.id, "w", [Failure(second, "boom", retry=False), Failure(third, "boom")])
    of_dev = {
        "pending": 1, "processing": 1, "retrying": 1, "completed": 1, "dead": 1, "total": 5, "success_rate": 50.0
    }  # fmt: skip
    of_qa = {"pending": 1, "processing": 0, "retrying": 0, "completed": 0, "dead": 0, "total": 1, "success_rate": None}
    shown = local.get("/api/v1/statistics?task_type=dev").json()
    assert {name: shown[name] for name in of_dev} == of_dev
    assert (shown["kind"], shown["task_type"], "task_types" in shown) == ("task", "dev", False)
    whole = local.get("/api/v1/statistics?kind=task").json()
    assert whole["task_types"] == {"dev": of_dev, "qa": of_qa}
    assert (whole["pending"], whole["total"], whole["success_rate"]) == (2, 6, 50.0)
    assert local.get("/api/v1/statistics?kind=alert").json()["pending"] == 1
    assert local.get("/api/v1/statistics").json()["total"] == 7


def test_workers_say_how_much_of_their_lives_they_worked(local: Client, empty_redis: redis.Redis) -> None:
    seconds, _ = empty_redis.time()
    born = {"birth": _date(seconds - 100)}
    worker(empty_redis, "one", state="busy", **born, **{keys.WORKED: "30.0", keys.TYPES: ""})
    worker(empty_redis, "two", **born, **{keys.WORKED: "10.0", keys.TYPES: "qa"})
    worker(empty_redis, "stock", **born)
    worker(empty_redis, "killed", silent=120, **born, **{keys.WORKED: "100.0"})
    shown = local.get("/api/v1/statistics").json()["workers"]
    assert (shown["workers"], shown["busy"]) == (3, 1)
    assert shown["utilisation"] == pytest.approx(20.0, abs=0.5)
    own = local.get("/api/v1/statistics?task_type=qa").json()["workers"]
    assert (own["workers"], own["busy"]) == (1, 0)
    assert own["utilisation"] == pytest.approx(10.0, abs=0.5)


def test_without_workers_nobody_says_it(local: Client, empty_redis: redis.Redis) -> None:
    assert local.get("/api/v1/statistics").json()["workers"] == {"workers": 0, "busy": 0, "utilisation": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [("kind=mail", "kind"), ("task_type=nobody", "task_type"), ("kind=alert&task_type=dev", "task_type")],
)
def test_what_is_not_there_is_named(local: Client, empty_redis: redis.Redis, query: str, field: str) -> None:
    assert problem_of(local.get(f"/api/v1/statistics?{query}"), 422, "invalid_field")["field"] == field


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
