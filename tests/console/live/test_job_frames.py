"""What a socket is told about a followed job."""

import json

import pytest
import redis

from queueadmin.console.live import job_frames
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db


def test_a_frame_says_what_the_page_shows(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """B6, D11."""
    [job_id] = jobs.enqueue(1, retries=(60,))
    claim = jobs.start()
    jobs.transitions.progress("high", claim, job_id, value={"done": 3, "token": "hunter2"}, line="?token=hunter2")

    frame = json.loads(job_frames.frame(job_id))
    job = frame["job"]
    assert (frame["type"], frame["id"], job["state"], job["attempts"], job["error"]) == (
        "job",
        job_id,
        "started",
        1,
        None,
    )
    assert (job["progress"], frame["log"]) == ({"done": 3, "token": "•••"}, ["?token=•••"])
    assert isinstance(job["started_at"], float)

    failure = jobs.failure(job_id, retry=True)
    jobs.transitions.fail("high", claim, "w", [failure])
    job = json.loads(job_frames.frame(job_id))["job"]
    assert (job["state"], job["error"]["type"], job["error"]["message"]) == ("retrying", "ValueError", "no such device")


def test_a_job_that_nobody_knows_is_said_to_be_so(empty_redis: redis.Redis) -> None:
    assert json.loads(job_frames.frame("nobody")) == {"type": "job", "id": "nobody", "job": None, "log": []}
