"""claim: queue → started, under a lease; and renew."""

from collections.abc import Callable

from ingest.queue import keys
from ingest.queue.transitions import CHUNK, ClaimedJob, Failure, new_id
from tests.ingest.queue.conftest import Queue, make_job


def test_a_claimed_job_is_started_under_a_lease(queue: Queue) -> None:
    job = make_job()
    queue.transitions.enqueue([job])
    claim = queue.claim(worker="w7")
    assert claim.queue == "high"
    assert claim.jobs == (ClaimedJob(job.id, job.data, True, 0, 0, False, 3),)
    assert queue.places(job.id) == ["started"]
    found = queue.hash(job.id)
    assert (found["status"], found["worker_name"]) == ("started", "w7")
    score = queue.redis.zscore(keys.started("high"), f"{job.id}:{claim.id}")
    now = queue.redis.time()[0]
    assert 29 <= score - keys.SCORE_OFFSET - now <= 31
    assert queue.counters() == {"enqueued": 1, "claimed": 1}


def test_nothing_waits(queue: Queue) -> None:
    assert queue.transitions.claim("w1", ["critical", "high"], claim_id=new_id(), lease=30) is None


def test_the_first_queue_that_has_work_is_served_alone(queue: Queue) -> None:
    """A6: strict priority, and no wait for the empty queues before it."""
    low, critical = queue.add(queue="low"), queue.add(queue="critical")
    queues = ("critical", "high", "medium", "low")
    assert [job.id for job in queue.claim(*queues).jobs] == [critical]
    assert [job.id for job in queue.claim(*queues).jobs] == [low]


def test_it_rings_again_when_it_leaves_work(queue: Queue) -> None:
    queue.add(queue="critical")
    queue.add(queue="low")
    queue.rings()
    queue.claim("critical", "low")
    assert queue.rings()
    queue.claim("critical", "low")
    assert not queue.rings()


def test_order_and_limit(queue: Queue) -> None:
    ids = [queue.add() for _ in range(5)]
    assert [job.id for job in queue.claim(limit=3).jobs] == ids[:3]
    assert [job.id for job in queue.claim(limit=3).jobs] == ids[3:]


def test_one_claim_is_never_larger_than_a_chunk(queue: Queue) -> None:
    queue.transitions.enqueue([make_job() for _ in range(CHUNK + 20)])
    assert len(queue.claim(limit=500).jobs) == CHUNK


def test_large_jobs_make_small_claims(queue: Queue) -> None:
    large = b"x" * (3 * 1024 * 1024)
    ids = [queue.add(data=large) for _ in range(3)]
    queue.rings()
    assert [job.id for job in queue.claim().jobs] == ids[:2]
    assert queue.rings()
    assert [job.id for job in queue.claim().jobs] == ids[2:]


def test_sent_again_with_its_id_it_gets_the_same_jobs(
    queue: Queue, everything: Callable[[], dict[bytes, bytes]]
) -> None:
    """RQ2: the reply was lost, the jobs are not."""
    for _ in range(3):
        queue.add()
    claim_id = new_id()
    first = queue.transitions.claim("w1", ["high"], claim_id=claim_id, limit=2, lease=30)
    before = everything()
    again = queue.transitions.claim("w1", ["high"], claim_id=claim_id, limit=2, lease=30)
    assert again == first
    assert everything() == before


def test_sent_again_late_it_gets_what_it_still_holds(queue: Queue) -> None:
    ids = [queue.add(), queue.add()]
    claim_id = new_id()
    queue.transitions.claim("w1", ["high"], claim_id=claim_id, lease=30)
    queue.transitions.complete("high", claim_id, "w1", ids[:1])
    again = queue.transitions.claim("w1", ["high"], claim_id=claim_id, lease=30)
    assert again is not None
    assert [job.id for job in again.jobs] == ids[1:]
    queue.transitions.complete("high", claim_id, "w1", ids[1:])
    assert queue.transitions.claim("w1", ["high"], claim_id=claim_id, lease=30) is None


def test_a_recovered_job_is_claimed_alone(queue: Queue) -> None:
    """B9: what crashed one worker must not take its neighbours down with it."""
    crashed = queue.add()
    queue.lapsed()
    queue.transitions.recover("high")
    others = [queue.add(), queue.add()]
    first = queue.claim()
    assert [(job.id, job.alone, job.crashes, job.attempts) for job in first.jobs] == [(crashed, True, 1, 1)]
    assert [job.id for job in queue.claim().jobs] == others


def test_a_batch_ends_before_a_job_that_is_claimed_alone(queue: Queue) -> None:
    crashed, before, after = queue.add(), queue.add(), queue.add()
    queue.lapsed(limit=1)
    queue.transitions.recover("high")
    # It failed in its next run as well, and waits behind `before` and `after` for its retry.
    claim = queue.claim()
    queue.redis.hset(keys.job(crashed), "retry_intervals", "[0,0,0]")
    queue.transitions.fail("high", claim.id, "w1", [Failure(crashed, "boom")])
    last = queue.add()
    assert [[job.id for job in queue.claim().jobs] for _ in range(3)] == [[before, after], [crashed], [last]]


def test_ids_without_a_waiting_job_are_dropped_and_counted(queue: Queue) -> None:
    """RQ8, RQ18: deleted jobs, and an id that a stock client pushed twice."""
    job_id = queue.add()
    queue.redis.rpush(keys.queue("high"), job_id, "gone")
    assert [job.id for job in queue.claim().jobs] == [job_id]
    assert queue.places(job_id) == ["started"]
    assert queue.counters()["phantom"] == 2


def test_a_list_full_of_phantoms_is_cleared_in_steps(queue: Queue) -> None:
    queue.redis.rpush(keys.queue("high"), *(f"gone{number}" for number in range(1500)))
    job_id = queue.add()
    queue.rings()
    assert queue.transitions.claim("w1", ["high"], claim_id=new_id(), lease=30) is None
    assert queue.rings(), "the worker must come back at once for the rest"
    assert [job.id for job in queue.claim().jobs] == [job_id]
    assert queue.counters()["phantom"] == 1500


def test_a_paused_queue_is_passed_over_without_ringing(queue: Queue) -> None:
    paused, served = queue.add(queue="critical"), queue.add(queue="low")
    queue.transitions.pause("critical")
    queue.rings()
    assert [job.id for job in queue.claim("critical", "low").jobs] == [served]
    assert not queue.rings()
    assert queue.transitions.claim("w1", ["critical", "low"], claim_id=new_id(), lease=30) is None
    assert queue.places(paused) == ["queued"]
    queue.add(queue="low")
    queue.rings()
    queue.claim("low", "critical")
    assert not queue.rings(), "a bell for work that nobody may take would keep workers spinning"


def test_renew_prolongs_what_is_ours_and_names_what_is_not(queue: Queue) -> None:
    ids = [queue.add(), queue.add()]
    claim = queue.lapsed()
    queue.transitions.complete("high", claim.id, "w1", ids[:1])
    mine, gone = ("high", ids[1], claim.id), ("high", ids[0], claim.id)
    assert queue.transitions.renew(30, [gone, mine]) == [gone]
    assert queue.transitions.recover("high").requeued == 0
    assert queue.places(ids[1]) == ["started"]


def test_renew_does_not_bring_a_recovered_lease_back(queue: Queue) -> None:
    job_id = queue.add()
    claim = queue.lapsed()
    queue.transitions.recover("high")
    held = [("high", job_id, claim.id)]
    assert queue.transitions.renew(30, held) == held
    assert queue.places(job_id) == ["queued"]
