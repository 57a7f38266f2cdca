"""The page /workers/ and its buttons: issue 7 (3)."""

from collections.abc import Callable

import pytest
import redis
from django.test import Client

from ingest.queue import keys
from ingest.queue.transitions import new_id
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs, outcome, worker
from tests.console.pages.conftest import message_after, text_of

pytestmark = pytest.mark.django_db

KILL, HERE = "/workers/qa-w1/kill/", {"host": "localhost"}
OURS = {"held": 0, "hostname": "node-a", "pid": 4121, "supervisor": "supervisor", "memory": 2**20 * 212, "cpu": 61.2}


@pytest.fixture
def two(empty_redis: redis.Redis) -> redis.Redis:
    """One of ours, and one of RQ's own."""
    worker(empty_redis, "qa-w1", successful_job_count=214118, failed_job_count=61, **OURS)
    worker(empty_redis, "stock", queues="low", hostname="node-b", pid=7)
    return empty_redis


def test_it_shows_what_each_does_and_takes(operator: Client, two: redis.Redis, jobs: Jobs) -> None:
    jobs.enqueue(3)
    jobs.transitions.claim("qa-w1", ["high"], claim_id=new_id(), limit=10, lease=30)
    page = text_of(operator.get("/workers/"))
    for text in (
        "qa-w1",
        "node-a · 4121",
        "3 alerts",
        "s left",
        "214,118",
        "212 MB",
        "61 % CPU",
        "61 failed",
        "RQ’s own",
    ):
        assert text in page, text
    assert "every queue has a worker" in page


def test_a_lost_worker_and_a_queue_without_one_are_warnings(
    operator: Client, empty_redis: redis.Redis, jobs: Jobs
) -> None:
    worker(empty_redis, "qa-w3", queues="critical,high", silent=60, **OURS)
    jobs.enqueue(3)
    jobs.transitions.claim("qa-w3", ["high"], claim_id=new_id(), limit=10, lease=-11)
    page = text_of(operator.get("/workers/"))
    assert "1 worker lost:" in page
    assert "with 3 alerts in hand" in page
    assert "Recover stalled (3)" in page
    assert "No worker serves critical, high, medium, low." in page
    assert 'class="stale"' in page
    assert "qa-w3" in text_of(operator.get("/workers/?state=lost"))
    assert "No worker is busy." in text_of(operator.get("/workers/?state=busy"))


def test_a_lost_worker_that_holds_nothing_any_more_is_one_too(operator: Client, two: redis.Redis) -> None:
    worker(two, "qa-w3", silent=60, **OURS)
    page = text_of(operator.get("/workers/"))
    assert "1 worker lost:" in page
    assert "What it held is back in its queue" in page


def test_without_workers_it_says_how_to_start_one(operator: Client) -> None:
    assert "manage.py rqworker critical high medium low" in text_of(operator.get("/workers/"))


def test_names_run_nothing(operator: Client, empty_redis: redis.Redis) -> None:
    worker(empty_redis, "<script>alert(1)</script>", **OURS | {"hostname": "<b>"})
    page = text_of(operator.get("/workers/"))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("group", "buttons"),
    [("viewer", set()), ("operator", {"Drain", "Restart"}), ("admin", {"Drain", "Restart", "Kill"})],
)
def test_x16_each_role_has_its_buttons_and_no_others(
    group: str, buttons: set[str], two: redis.Redis, sign_in: Callable[..., Client]
) -> None:
    client = sign_in("eve", group)
    page = text_of(client.get("/workers/"))
    assert {verb for verb in ("Drain", "Restart", "Kill") if f'aria-label="{verb} qa-w1"' in page} == buttons
    for verb in ("drain", "restart", "kill"):
        allowed = verb.capitalize() in buttons
        assert client.post(f"/workers/qa-w1/{verb}/").status_code == (302 if allowed else 403)


def test_killing_asks_strangers_to_sign_in(client: Client, two: redis.Redis) -> None:
    for answer in (client.get(KILL, headers=HERE), client.post(KILL, headers=HERE)):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/login/")
    assert not two.exists(keys.order("qa-w1"))


def test_a_press_says_what_it_did_or_why_not(operator: Client, two: redis.Redis) -> None:
    said = message_after(operator, operator.post("/workers/qa-w1/drain/", {"next": "/workers/?state=busy"}))
    assert "qa-w1 finishes what it holds and claims nothing more until it is resumed." in said
    assert (outcome().actor, outcome().action, outcome().target) == ("ada", "drain_worker", "qa-w1")
    assert two.get(keys.order("qa-w1")) == b"drain"
    said = message_after(operator, operator.post("/workers/stock/drain/"))
    assert "RQ&#x27;s own worker, which knows no drain" in said
    assert "There is no worker nobody" in message_after(operator, operator.post("/workers/nobody/resume/"))


def test_killing_asks_first_and_says_what_becomes_of_what_it_holds(
    sign_in: Callable[..., Client], two: redis.Redis, jobs: Jobs
) -> None:
    jobs.enqueue(3)
    jobs.transitions.claim("qa-w1", ["high"], claim_id=new_id(), limit=10, lease=30)
    admin = sign_in("root", "admin")
    page = text_of(admin.get("/workers/qa-w1/kill/"))
    assert "It holds 3 alerts" in page
    assert "Supervisor starts another." in page
    assert admin.get("/workers/nobody/kill/").status_code == 404
    assert "needs a reason" in message_after(admin, admin.post("/workers/qa-w1/kill/", {"reason": " "}))
    assert not AuditEntry.objects.exists()
    assert "cannot be reached" in message_after(admin, admin.post("/workers/qa-w1/kill/", {"reason": "it hangs"}))
    assert outcome().reason == "it hangs"


@pytest.mark.usefixtures("no_redis")
def test_without_redis_it_says_so(sign_in: Callable[..., Client]) -> None:
    client = sign_in("root", "admin")
    for path in ("/workers/", "/workers/x/kill/"):
        response = client.get(path)
        assert response.status_code == 503
        assert "Redis does not answer" in text_of(response)
