"""complete: started → gone, or finished where a result is kept; and the fence around it."""

from collections.abc import Callable

from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer

from ingest.queue import keys
from ingest.queue.transitions import Failure, new_id
from tests.ingest.queue.conftest import Queue


def test_a_completed_job_leaves_nothing(queue: Queue) -> None:
    """A7."""
    job_id = queue.add()
    claim = queue.claim()
    queue.redis.hset(keys.worker("w1"), "birth", "x")
    assert queue.transitions.complete("high", claim.id, "w1", [job_id]) == []
    assert queue.places(job_id) == []
    assert not list(queue.redis.scan_iter(f"*{job_id}*"))
    assert queue.counters() == {"enqueued": 1, "claimed": 1, "completed": 1}
    assert queue.redis.hget(keys.worker("w1"), "successful_job_count") == b"1"


def test_a_worker_that_is_gone_gets_no_hash(queue: Queue) -> None:
    job_id = queue.add()
    queue.transitions.complete("high", queue.claim().id, "w1", [job_id])
    assert not queue.redis.exists(keys.worker("w1"))


def test_a_job_with_a_result_time_is_finished(queue: Queue) -> None:
    job_id = queue.add(result_ttl=60)
    claim = queue.claim()
    assert queue.transitions.complete("high", claim.id, "w1", [job_id]) == []
    assert queue.places(job_id) == ["finished"]
    assert queue.hash(job_id)["status"] == "finished"
    assert 0 < queue.redis.ttl(keys.job(job_id)) <= 60
    job = Job.fetch(job_id, connection=queue.redis, serializer=JSONSerializer)
    latest = job.latest_result()
    assert latest is not None
    assert latest.type == Result.Type.SUCCESSFUL


def test_sent_again_it_gives_the_same_answer(queue: Queue, everything: Callable[[], dict[bytes, bytes]]) -> None:
    job_id = queue.add()
    claim, request = queue.claim(), new_id()
    first = queue.transitions.complete("high", claim.id, "w1", [job_id, "stranger"], request_id=request)
    before = everything()
    assert queue.transitions.complete("high", claim.id, "w1", [job_id, "stranger"], request_id=request) == first
    assert first == ["stranger"]
    assert everything() == before


def test_a_lapsed_lease_that_nobody_recovered_is_accepted(queue: Queue) -> None:
    job_id = queue.add()
    claim = queue.lapsed()
    assert queue.transitions.complete("high", claim.id, "w1", [job_id]) == []
    assert queue.places(job_id) == []


def test_a_recovered_job_that_nobody_claimed_is_accepted_and_taken_out_of_the_queue(queue: Queue) -> None:
    job_id, other = queue.add(), queue.add()
    claim = queue.lapsed(limit=1)
    queue.transitions.recover("high")
    assert queue.places(job_id) == ["queued"]
    assert queue.transitions.complete("high", claim.id, "w1", [job_id]) == []
    assert queue.places(job_id) == []
    assert [job.id for job in queue.claim().jobs] == [other]
    assert {"completed": 1, "late": 1, "recovered": 1}.items() <= queue.counters().items()


def test_a_job_that_another_claimed_is_refused(queue: Queue) -> None:
    job_id = queue.add()
    late = queue.lapsed()
    queue.transitions.recover("high")
    current = queue.claim(worker="w2")
    assert queue.transitions.complete("high", late.id, "w1", [job_id]) == [job_id]
    assert queue.places(job_id) == ["started"]
    assert queue.transitions.complete("high", current.id, "w2", [job_id]) == []


def test_a_job_that_another_claimed_and_gave_back_is_refused_too(queue: Queue) -> None:
    job_id = queue.add()
    late = queue.lapsed()
    queue.transitions.recover("high")
    queue.transitions.release("high", queue.claim(worker="w2").id, [job_id])
    assert queue.transitions.complete("high", late.id, "w1", [job_id]) == [job_id]
    assert queue.places(job_id) == ["queued"]


def test_a_dead_letter_is_not_completed_by_a_late_worker(queue: Queue) -> None:
    job_id = queue.add()
    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom", retry=False)])
    assert queue.transitions.complete("high", claim.id, "w1", [job_id]) == [job_id]
    assert queue.places(job_id) == ["failed"]


def test_what_a_stock_client_canceled_meanwhile_stays_canceled(queue: Queue) -> None:
    job_id, deleted = queue.add(), queue.add()
    claim = queue.claim()
    queue.redis.hset(keys.job(job_id), "status", "canceled")
    queue.redis.delete(keys.job(deleted))
    assert queue.transitions.complete("high", claim.id, "w1", [job_id, deleted]) == [job_id, deleted]
    assert queue.places(job_id) == []
    assert queue.hash(job_id)["status"] == "canceled"
    assert queue.counters()["phantom"] == 2
