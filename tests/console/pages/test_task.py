"""A task's page while it runs and after: its type, Cancel, who asked for its end, its result."""

import pytest
import redis
from django.test import Client

from ingest.queue.transitions import new_id
from tests.console.conftest import WORKER, Jobs
from tests.console.pages.conftest import text_of
from tests.ingest.queue.conftest import make_job

pytestmark = pytest.mark.django_db


def started(jobs: Jobs, **fields: object) -> tuple[str, str]:
    """A task that runs: its id and that of its claim."""
    job = make_job(kind="task", type="review", mode="async", result_ttl=60, **fields)
    jobs.transitions.enqueue([job])
    claim = jobs.transitions.claim(WORKER, ["high"], claim_id=new_id(), lease=30)
    assert claim is not None
    return job.id, claim.id


def test_a_running_task_can_be_canceled_by_its_button(operator: Client, jobs: Jobs) -> None:
    job_id, claim = started(jobs)
    page = text_of(operator.get(f"/jobs/{job_id}/"))
    assert "task review" in page
    assert f'action="/jobs/{job_id}/cancel/"' in page
    pressed = operator.post(f"/jobs/{job_id}/cancel/", {"next": f"/jobs/{job_id}/"}, follow=True)
    page = text_of(pressed)
    assert "1 job asked to end, and canceled as soon as it does." in page
    assert "Asked to end" in page
    assert f'action="/jobs/{job_id}/cancel/"' not in page
    jobs.transitions.fail("high", claim, WORKER, [jobs.failure(job_id)])
    page = text_of(operator.get(f"/jobs/{job_id}/"))
    assert "Canceled" in page
    assert "Dead letter</span>" not in page


def test_what_runs_in_a_batch_has_no_such_button(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue()
    jobs.start()
    assert "/cancel/" not in text_of(operator.get(f"/jobs/{job_id}/"))


def test_its_result_stands_there_without_credentials(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    job_id, claim = started(jobs)
    result = {"files": 3, "api_key": "s3cret-value"}
    jobs.transitions.complete("high", claim, WORKER, [job_id], results={job_id: result})
    page = text_of(operator.get(f"/jobs/{job_id}/"))
    assert 'aria-label="Result"' in page
    assert "files" in page
    assert "s3cret-value" not in page
