"""What a list's row says of a job: the time that matters in its state, and its error."""

import pytest

from queueadmin.console import queries
from queueadmin.console.job_rows import rows
from tests.console.conftest import Jobs
from tests.console.job_lists.conftest import everywhere

pytestmark = pytest.mark.django_db

WORDS = {
    "started": "runs for", "queued": "queued", "spooled": "received", "retrying": "due", "failed": "failed",
    "canceled": "canceled", "trash": "discarded", "finished": "finished",
}  # fmt: skip


def test_each_state_has_the_time_that_matters_in_it(jobs: Jobs) -> None:
    ids = [job_id for of_state in everywhere(jobs).values() for job_id in of_state]
    found = list(rows(list(queries.several(ids).values()), {}))
    assert len(found) == len(ids)
    for row in found:
        assert row.word == WORDS[row.job["state"]]
        assert row.at is not None or row.job["id"].startswith("s-"), row.job


def test_credentials_in_titles_and_errors_are_masked(jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    job = queries.several([job_id])[job_id]
    job["error"] = {"type": "OSError", "message": "https://u:s3cret@x/?token=s3cret", "reason": "error", "at": None}
    (row,) = rows([job], {job_id: "Bearer s3cret-s3cret"})
    assert "s3cret" not in row.title + row.error
    assert row.error.startswith("OSError: https://")
    assert row.verbs == ("retry", "discard")
