"""The buttons on queues: pause, resume, empty; and what the overview shows of them."""

import re
from datetime import UTC, datetime

import pytest
import redis
from django.test import Client

from ingest.queue import keys, limits
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs, outcome, worker
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db


def _row(operator: Client, queue: str) -> str:
    """The queue's row in the overview's table."""
    return text_of(operator.get("/")).split(f'data-q="{queue}"')[1].split("</tr>")[0]


def _visible(row: str, mark: str) -> bool:
    tag = re.search(rf'<[a-z]+ [^>]*data-f="{mark}"[^>]*>', row)
    assert tag is not None, mark
    return " hidden" not in tag[0]


def test_b3_a_queue_is_paused_shows_it_and_goes_on(operator: Client, jobs: Jobs) -> None:
    jobs.enqueue(3, queue="low")
    assert "Pause low for how long?" in text_of(operator.get("/queues/low/pause/"))
    response = operator.post("/queues/low/pause/", {"minutes": "15", "reason": "their disk is full"})
    assert response["Location"] == "/"
    assert "low is paused for 15 min; what runs already goes on." in message_after(operator, response)
    assert (outcome().actor, outcome().target, outcome().reason) == ("ada", "low", "their disk is full")
    row = _row(operator, "low")
    assert "paused, 15 min left" in row
    assert (_visible(row, "paused"), _visible(row, "resume"), _visible(row, "pause")) == (True, True, False)
    assert said(operator.post("/queues/low/resume/", headers=HTMX)) == "low goes on."
    row = _row(operator, "low")
    assert (_visible(row, "paused"), _visible(row, "resume"), _visible(row, "pause")) == (False, False, True)


def test_b3_all_queues_are_paused_until_resumed(operator: Client, jobs: Jobs) -> None:
    assert "Pause all queues for how long?" in text_of(operator.get("/queues/pause/"))
    response = operator.post("/queues/pause/", {"minutes": ""}, headers=HTMX)
    assert said(response) == "All queues are paused until resumed; what runs already goes on."
    page = text_of(operator.get("/"))
    assert page.count("<span>paused</span>") == 4
    assert 'id="resume-all" action="/queues/resume/" hx-post="/queues/resume/" hx-swap="none">' in page
    # Its own pause can still be set, and it alone would not go on.
    row = _row(operator, "low")
    assert (_visible(row, "resume"), _visible(row, "pause")) == (False, True)
    assert said(operator.post("/queues/resume/", headers=HTMX)) == "All queues go on."


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "soon", "10081", "1e400"])
def test_b3_a_pause_has_bounds(operator: Client, empty_redis: redis.Redis, minutes: str) -> None:
    response = operator.post("/queues/low/pause/", {"minutes": minutes}, headers=HTMX)
    assert response.status_code == 422
    assert said(response) == "A pause lasts up to 10,080 minutes."
    assert not empty_redis.exists(keys.PAUSED)


def test_emptying_asks_with_the_number_then_moves_it_to_the_trash(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    jobs.enqueue(7, queue="low")
    page = text_of(operator.get("/queues/low/empty/"))
    assert "Move 7 waiting jobs of low to the trash?" in page
    assert "Empty low (7)" in page
    response = operator.post("/queues/low/empty/", {"reason": ""})
    assert "7 jobs of low moved to the trash, kept for 24 h." in message_after(operator, response)
    assert empty_redis.zcard(keys.trash("low")) == 7
    assert '<dd data-k="trash">7</dd>' in text_of(operator.get("/"))
    assert "No job waits in low" in text_of(operator.get("/queues/low/empty/"))


def test_emptying_more_than_100_asks_why(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(101)
    page = text_of(operator.get("/queues/high/empty/"))
    assert "needed for more than 100 jobs" in page
    response = operator.post("/queues/high/empty/", {"reason": " "})
    assert response["Location"] == "/queues/high/empty/"
    assert "over 100 need a reason" in message_after(operator, response)
    assert empty_redis.llen(keys.queue("high")) == 101
    operator.post("/queues/high/empty/", {"reason": "a flood of tests"})
    assert empty_redis.llen(keys.queue("high")) == 0


@pytest.mark.parametrize("path", ["/queues/urgent/pause/", "/queues/urgent/resume/", "/queues/urgent/empty/"])
def test_an_unknown_queue_is_no_page(path: str, operator: Client) -> None:
    assert operator.post(path).status_code == 404
    assert not AuditEntry.objects.exists()


def test_what_is_held_back_and_what_is_starved_shows_in_the_row(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    limits.set_limit(empty_redis, limits.Limit("source", "test", 2, 600))
    jobs.enqueue(5, queue="high")
    jobs.start(queue="high")
    row = _row(operator, "high")
    assert _visible(row, "parked")
    assert "3 held back" in row
    assert not _visible(row, "starved")
    worker(empty_redis, "one", held=3, state="busy")
    (job_id,) = jobs.enqueue(1, queue="low", source="other")
    long_ago = datetime.fromtimestamp(empty_redis.time()[0] - 720, UTC)
    empty_redis.hset(keys.job(job_id), "enqueued_at", long_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    row = _row(operator, "low")
    assert _visible(row, "starved")
    assert "starved 12 min" in row
    reasons = operator.get("/health").json()["reasons"]
    assert "low starved 12 min: 1 job waits while higher queues keep every worker." in reasons
