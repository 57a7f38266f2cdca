"""Named jobs run now, canceled and moved, against a real Valkey and database."""

import pytest
import redis

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.operations import Elsewhere
from tests.console.conftest import WORKER, Jobs, outcome

pytestmark = pytest.mark.django_db


def test_a_retry_that_waits_runs_now(jobs: Jobs, empty_redis: redis.Redis) -> None:
    (job_id,) = jobs.enqueue(retries=(600,))
    claim = jobs.start()
    jobs.transitions.fail("high", claim, WORKER, [jobs.failure(job_id, retry=True)])
    result = operations.run_now([job_id], actor="ada", reason="fixed")
    assert (result.moved, result.sentence) == ((job_id,), "1 job put into the queue.")
    assert empty_redis.lrange(keys.queue("high"), 0, -1) == [job_id.encode()]
    assert (outcome().action, outcome().target, outcome().count, outcome().reason) == ("run_now", job_id, 1, "fixed")


def test_canceling_is_for_what_waits(jobs: Jobs, empty_redis: redis.Redis) -> None:
    waiting = jobs.enqueue(3)
    dead = jobs.fail(1, queue="low")
    result = operations.cancel([waiting[0], *dead], actor="ada")
    assert result.moved == (waiting[0],)
    assert dict(result.already) == {dead[0]: Elsewhere("failed")}
    assert result.sentence == "1 job canceled; 1 job had moved already (failed)."
    assert empty_redis.zcard(keys.canceled("high")) == 1


def test_moving_goes_to_the_back_of_the_other_queue(jobs: Jobs, empty_redis: redis.Redis) -> None:
    (before,) = jobs.enqueue(queue="low")
    ids = jobs.enqueue(2)
    result = operations.move(ids, to="low", actor="ada")
    assert result.sentence == "2 jobs moved to the back of low."
    assert [member.decode() for member in empty_redis.lrange(keys.queue("low"), 0, -1)] == [before, *ids]
    with pytest.raises(ValueError, match="critical, high, medium, low"):
        operations.move(ids, to="urgent", actor="ada")


def test_more_jobs_than_one_call_takes(jobs: Jobs) -> None:
    ids = jobs.enqueue(250) + jobs.enqueue(30, queue="low")
    assert len(operations.cancel(ids, actor="ada", reason="a test").moved) == 280
    assert outcome().count == 280
    assert outcome().target.endswith("and 270 more")


def test_nothing_named_is_nothing_changed(empty_redis: redis.Redis) -> None:
    assert operations.cancel([], actor="ada").sentence == "No job was named; nothing was changed."
