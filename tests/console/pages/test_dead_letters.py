"""The buttons on dead letters and on one job: retry, discard, undo."""

import json
import re
from collections.abc import Callable

import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from ingest.queue import keys
from queueadmin.console.models import AuditEntry
from tests.console.conftest import WORKER, Jobs, outcome
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db


def test_retry_moves_what_was_ticked_and_says_how_many(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(3)
    response = operator.post("/dead-letters/retry/", {"ids": [*ids[:2], "gone"]})
    assert "2 jobs put back into the queue; 1 job had moved already (gone)." in message_after(operator, response)
    assert empty_redis.zcard(keys.failed("high")) == 1
    assert AuditEntry.objects.filter(actor="ada", action="retry", step="outcome", count=2).count() == 1


def test_retry_for_htmx_answers_with_the_fresh_list_and_a_toast(operator: Client, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    response = operator.post("/dead-letters/retry/", {"ids": ids[:1]}, headers=HTMX)
    assert said(response) == "1 job put back into the queue."
    page = text_of(response)
    assert page.startswith('<section class="card" id="dead"')
    assert ids[0] not in page
    assert ids[1] in page


def test_retrying_one_job_twice_says_that_it_had_moved(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.fail(1)
    assert said(operator.post(f"/jobs/{job_id}/retry/", headers=HTMX)) == "1 job put back into the queue."
    assert "had moved already (queued, by ada at " in said(operator.post(f"/jobs/{job_id}/retry/", headers=HTMX))


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [([], "No job was selected."), (["a b"], "is not a job id"), (["a"] * 501, "At most 500 jobs")],
)
def test_a_bad_selection_is_refused_with_the_limit(ids: list[str], sentence: str, operator: Client) -> None:
    response = operator.post("/dead-letters/retry/", {"ids": ids}, headers=HTMX)
    assert response.status_code == 422
    assert sentence in said(response)


def test_retry_all_asks_first_then_moves_one_queue_or_all(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    jobs.fail(2, queue="high")
    jobs.fail(3, queue="low")
    assert "Retry all 2 dead letters of high?" in text_of(operator.get("/dead-letters/retry-all/?queue=high"))
    response = operator.post("/dead-letters/retry-all/", {"queue": "high", "next": "/dead-letters/?queue=high"})
    assert response["Location"] == "/dead-letters/?queue=high"
    assert empty_redis.zcard(keys.failed("low")) == 3
    assert said(operator.post("/dead-letters/retry-all/", headers=HTMX)) == "3 jobs put back into the queue."


def test_a10_recover_stalled_says_what_it_took_back(operator: Client, jobs: Jobs) -> None:
    assert "No job was stalled" in message_after(operator, operator.post("/recover-stalled/"))
    jobs.enqueue(2)
    jobs.start(lease=0)
    assert "2 jobs taken back to the front of high." in said(operator.post("/recover-stalled/", headers=HTMX))


# --- discard and undo --------------------------------------------------------------------------


def _undo(response: HttpResponse) -> str:
    """The operation that the toast offers to undo."""
    operation: str = json.loads(response["HX-Trigger"])["said"]["undo"]
    return operation


def test_discard_moves_what_was_ticked_to_the_trash_and_offers_undo(
    operator: Client, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    ids = jobs.fail(3)
    response = operator.post("/dead-letters/discard/", {"ids": ids[:2]}, headers=HTMX)
    assert said(response) == "2 jobs moved to the trash, kept for 24 h."
    operation = _undo(response)
    assert operation == outcome().operation
    assert ids[2] in text_of(response)
    assert ids[0] not in text_of(response)
    assert (outcome().actor, outcome().action, outcome().count) == ("ada", "discard", 2)
    response = operator.post(f"/undo/{operation}/", headers=HTMX)
    assert (said(response), _undo(response)) == ("2 jobs restored.", "")
    assert empty_redis.zcard(keys.failed("high")) == 3


def test_discard_and_undo_work_without_scripts(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    (job_id,) = jobs.fail(1)
    response = operator.post(f"/jobs/{job_id}/discard/", {"next": f"/jobs/{job_id}/"})
    assert response["Location"] == f"/jobs/{job_id}/"
    page = text_of(operator.get(response["Location"]))
    toast = page.split('id="toast"')[1].split("</div>")[0]
    assert "1 job moved to the trash, kept for 24 h." in toast
    assert f'action="/undo/{outcome().operation}/"' in toast
    restored = operator.post(f"/undo/{outcome().operation}/", {"next": f"/jobs/{job_id}/"})
    assert "1 job restored." in message_after(operator, restored)
    assert empty_redis.zcard(keys.failed("high")) == 1


def test_discarding_twice_says_who_was_first_and_offers_no_undo(
    operator: Client, sign_in: Callable[..., Client], jobs: Jobs
) -> None:
    (job_id,) = jobs.fail(1)
    bob = sign_in("bob", "admin")
    bob.post(f"/jobs/{job_id}/discard/")
    response = operator.post(f"/jobs/{job_id}/discard/", headers=HTMX)
    assert said(response).startswith("1 job had moved already (trash, by bob at ")
    assert json.loads(response["HX-Trigger"])["said"]["level"] == "warning"
    assert _undo(response) == ""


# --- one job -----------------------------------------------------------------------------------


def _buttons(page: str) -> list[str]:
    head = page.split("job-hd")[1].split("</section>")[0]
    return re.findall(r"</svg>\s*([A-Z][a-z ]+?)</button>", head)


def test_a_job_page_has_the_buttons_of_its_state(operator: Client, jobs: Jobs) -> None:
    def shown(job_id: str) -> list[str]:
        # Moving and sending again have tests of their own, in test_job_pages.py.
        found = _buttons(text_of(operator.get(f"/jobs/{job_id}/")))
        return [name for name in found if name not in {"Retry there", "Move", "Duplicate"}]

    (dead,) = jobs.fail(1, queue="low")
    assert shown(dead) == ["Retry", "Mark permanent", "Discard"]
    operator.post(f"/jobs/{dead}/discard/")
    assert shown(dead) == ["Restore"]
    (retrying,) = jobs.enqueue(1, queue="medium", retries=(600,))
    claim = jobs.start(queue="medium")
    assert shown(retrying) == []
    jobs.transitions.fail("medium", claim, WORKER, [jobs.failure(retrying, retry=True)])
    assert shown(retrying) == ["Run now", "Cancel", "Discard"]
    operator.post(f"/jobs/{retrying}/run-now/")
    assert shown(retrying) == ["Cancel", "Discard"]
    operator.post(f"/jobs/{retrying}/cancel/")
    assert shown(retrying) == []
    page = text_of(operator.get(f"/jobs/{retrying}/"))
    assert "Canceled" in page
    assert "by ada" in page


def test_a_viewer_sees_no_buttons_on_a_job(sign_in: Callable[..., Client], jobs: Jobs) -> None:
    (dead,) = jobs.fail(1)
    assert _buttons(text_of(sign_in("vera", "viewer").get(f"/jobs/{dead}/"))) == []
