"""Forget: stored results that ended long enough ago (B16, E7)."""

import time

from ingest.queue import keys
from ingest.queue.transitions import new_id
from tests.ingest.queue.conftest import Queue


def finished(queue: Queue) -> str:
    job_id = queue.add(result_ttl=600)
    claim = queue.claim()
    queue.transitions.progress("high", claim.id, job_id, value=50, line="half way")
    queue.transitions.complete("high", claim.id, "w1", [job_id], results={job_id: {"rows": 1}})
    return job_id


def test_what_ended_before_goes_and_what_ended_later_stays(queue: Queue) -> None:
    old, new = finished(queue), finished(queue)
    queue.redis.hset(keys.job(old), "ended_at", "2026-01-02T03:04:05.000000Z")

    assert queue.transitions.forget("high", [old, new, "nobody"], before=time.time() - 60) == [old]

    assert queue.places(old) == []
    assert queue.places(new) == ["finished"]
    assert not queue.redis.exists(keys.job(old), keys.results(old), keys.log(old))
    assert queue.redis.exists(keys.job(new), keys.results(new), keys.log(new)) == 3


def test_only_finished_jobs_go(queue: Queue) -> None:
    waiting = queue.add()
    assert queue.transitions.forget("high", [waiting], before=time.time() + 60) == []
    assert queue.places(waiting) == ["queued"]


def test_the_counters_do_not_change_and_a_copy_is_still_known(queue: Queue) -> None:
    job_id = queue.add(result_ttl=600, body_hash="one", marker_seconds=60)
    queue.transitions.complete("high", queue.claim().id, "w1", [job_id])
    before, request = queue.counters(), new_id()

    assert queue.transitions.forget("high", [job_id], before=time.time() + 60, request_id=request) == [job_id]
    assert queue.transitions.forget("high", [job_id], before=time.time() + 60, request_id=request) == [job_id]

    assert queue.counters() == before
    assert queue.redis.exists(keys.marker(job_id))
