"""recover: a lapsed lease → the front of the queue, or a dead letter at the third crash."""

from collections.abc import Callable

from rq.job import Job
from rq.serializers import JSONSerializer

from ingest.queue import keys
from ingest.queue.transitions import Recovered, new_id
from tests.ingest.queue.conftest import Queue


def test_only_lapsed_leases_are_taken_back(queue: Queue) -> None:
    """A10: the seed took back live work."""
    lapsed, live, waiting = queue.add(), queue.add(), queue.add()
    queue.lapsed(limit=1)
    queue.claim(limit=1)
    queue.rings()
    assert queue.transitions.recover("high") == Recovered(requeued=1)
    assert queue.rings()
    assert queue.places(live) == ["started"]
    assert [i.decode() for i in queue.redis.lrange(keys.queue("high"), 0, -1)] == [lapsed, waiting]
    found = queue.hash(lapsed)
    assert (found["status"], found["crashes"], found["attempts"], found["alone"]) == ("queued", "1", "1", "1")
    assert "worker_name" not in found
    assert queue.counters()["recovered"] == 1


def test_recovered_jobs_keep_their_order(queue: Queue) -> None:
    ids = [queue.add() for _ in range(4)]
    queue.lapsed(limit=2)
    queue.lapsed(limit=2)
    queue.transitions.recover("high")
    assert [i.decode() for i in queue.redis.lrange(keys.queue("high"), 0, -1)] == ids


def test_the_third_crash_makes_a_dead_letter(queue: Queue) -> None:
    """B9, poison: and after a requeue the first further crash does."""
    job_id = queue.add()
    results = []
    for _ in range(3):
        queue.lapsed()
        results.append(queue.transitions.recover("high"))
    assert [(each.requeued, each.dead) for each in results] == [(1, 0), (1, 0), (0, 1)]
    assert [[failure.job_id for failure in each.buried] for each in results] == [[], [], [job_id]]
    assert queue.places(job_id) == ["failed"]
    found = queue.hash(job_id)
    assert (found["reason"], found["error_type"], found["crashes"]) == ("poison", "WorkerCrashed", "3")
    latest = Job.fetch(job_id, connection=queue.redis, serializer=JSONSerializer).latest_result()
    assert latest is not None
    assert "three times" in (latest.exc_string or "")
    assert {"dead": 1, "poison": 1, "recovered": 2}.items() <= queue.counters().items()

    assert queue.transitions.requeue("high", [job_id]) == [job_id]
    queue.claim()
    assert queue.transitions.recover("high", older_than=0) == Recovered(1, 0), "live work taken back is no crash"
    assert [(job.id, job.alone) for job in queue.lapsed().jobs] == [(job_id, True)]
    assert queue.transitions.recover("high").dead == 1


def test_a_missing_or_canceled_job_is_a_phantom(queue: Queue) -> None:
    deleted, canceled = queue.add(), queue.add()
    queue.lapsed()
    queue.redis.delete(keys.job(deleted))
    queue.redis.hset(keys.job(canceled), "status", "canceled")
    assert queue.transitions.recover("high") == Recovered(phantom=2)
    assert not queue.redis.exists(keys.job(deleted), keys.started("high"))
    assert queue.places(canceled) == []


def test_an_operator_may_take_back_live_work_that_is_too_old(queue: Queue) -> None:
    """A13: max_processing_time. It is no crash, and the worker is fenced off."""
    old, young = queue.add(), queue.add()
    claim = queue.claim()
    queue.redis.hset(keys.job(old), "started_at", "2001-01-01T00:00:00.000000Z")
    assert queue.transitions.recover("high", older_than=3600 * 24 * 365 * 200) == Recovered()
    assert queue.transitions.recover("high", older_than=3600) == Recovered(1)
    assert (queue.places(old), queue.places(young)) == (["queued"], ["started"])
    assert (queue.hash(old)["crashes"], queue.hash(old)["alone"]) == ("0", "1")
    assert queue.transitions.renew(30, [("high", old, claim.id)]) == [("high", old, claim.id)]


def test_all_old_live_work_is_found_in_steps(queue: Queue) -> None:
    ids = [queue.add() for _ in range(25)]
    queue.claim()
    for job_id in ids[::2]:
        queue.redis.hset(keys.job(job_id), "started_at", "2001-01-01T00:00:00.000000Z")
    assert queue.transitions.recover("high", limit=4, older_than=3600) == Recovered(13)
    assert [queue.places(job_id) for job_id in ids] == [["queued"], ["started"]] * 12 + [["queued"]]


def test_a_stock_workers_lapsed_execution_is_recovered_too(queue: Queue) -> None:
    """RQ25, R2a: killed after the execution was registered; stock clean-up loses such a job."""
    started, registered = queue.add(), queue.add()
    queue.redis.delete(keys.queue("high"))
    queue.redis.hset(keys.job(started), "status", "started")
    for job_id in (started, registered):
        queue.redis.zadd(keys.started("high"), {f"{job_id}:abc": queue.redis.time()[0] - 1})
        queue.redis.hset(f"{keys.PREFIX}:execution:{job_id}:abc", "id", "abc")
    assert queue.transitions.recover("high") == Recovered(2)
    assert queue.places(started) == queue.places(registered) == ["queued"]
    assert not list(queue.redis.scan_iter(f"{keys.PREFIX}:execution:*"))


def test_sent_again_it_says_what_it_did(queue: Queue, everything: Callable[[], dict[bytes, bytes]]) -> None:
    queue.add()
    queue.lapsed()
    request = new_id()
    assert queue.transitions.recover("high", request_id=request) == Recovered(1)
    before = everything()
    assert queue.transitions.recover("high", request_id=request) == Recovered(1)
    assert everything() == before


def test_stock_clean_up_takes_no_live_lease(queue: Queue) -> None:
    """Any stock `.count` runs it."""
    job_id = queue.add()
    queue.claim()
    job = Job.fetch(job_id, connection=queue.redis, serializer=JSONSerializer)
    assert job.started_job_registry.count == 1
    assert queue.places(job_id) == ["started"]
