"""The counters of each kind add up as those of each queue do (E5), whatever happens to its jobs."""

from ingest.queue import keys
from ingest.queue.transitions import Failure, NewJob, new_id
from tests.ingest.queue.conftest import Queue, make_job


def of_kind(queue: Queue, kind: str) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in queue.redis.hgetall(keys.kind_counters(kind)).items()}


def add(queue: Queue, number: int, /, **fields: object) -> list[str]:
    jobs: list[NewJob] = [make_job(**fields) for _ in range(number)]
    assert all(result.accepted for result in queue.transitions.enqueue(jobs))
    return [job.id for job in jobs]


def test_each_kind_is_counted_alone(queue: Queue) -> None:
    add(queue, 3, kind="alert")
    add(queue, 2, kind="task", queue="critical")
    add(queue, 1, kind="task", delay=60)

    assert of_kind(queue, "alert") == {"enqueued": 3}
    assert of_kind(queue, "task") == {"enqueued": 3}

    claim = queue.claim("critical", "high")
    queue.transitions.complete("critical", claim.id, "w1", [job.id for job in claim.jobs])
    assert of_kind(queue, "task") == {"enqueued": 3, "claimed": 2, "completed": 2}
    assert of_kind(queue, "alert") == {"enqueued": 3}


def test_stock_jobs_have_no_kind(queue: Queue) -> None:
    queue.redis.hset(keys.job("stock"), mapping={"status": "queued", "data": "x", "origin": "high"})
    queue.redis.rpush(keys.queue("high"), "stock")
    claim = queue.claim()
    queue.transitions.complete("high", claim.id, "w1", ["stock"])
    assert not list(queue.redis.scan_iter(keys.kind_counters("*")))


def test_every_way_through_the_queue_adds_up(queue: Queue) -> None:
    kind = "task"
    run = queue.transitions
    ids = add(queue, 14, kind=kind, retry_delays=(60,))
    later = add(queue, 3, kind=kind, delay=60)
    run.discard("high", [ids[11]])
    run.discard("high", [ids[12]])
    run.restore("high", [ids[12]])
    run.purge("high", [ids[11]])
    run.cancel("high", [ids[13], later[2]])
    run.move("high", [ids[10]], to="critical")
    run.run_now("high", [later[0]])

    claim = queue.claim("high", limit=8)
    took = [job.id for job in claim.jobs]
    run.complete("high", claim.id, "w1", took[:2])
    run.fail("high", claim.id, "w1", [Failure(took[2], "boom")])
    run.fail("high", claim.id, "w1", [Failure(job_id, "boom", retry=False) for job_id in took[3:6]])
    run.requeue("high", [took[3]], to="critical")
    run.discard("high", [took[4]])
    run.release("high", claim.id, [took[6]])
    lapsed = queue.lapsed("high", limit=1)
    run.recover("high")
    run.complete("high", lapsed.id, "w1", [job.id for job in lapsed.jobs])

    count = of_kind(queue, kind).get

    def number(*names: str) -> int:
        return sum(count(name, 0) for name in names)

    failed = number("dead", "restored_failed") - number("requeued", "trashed_failed")
    started = number("claimed") + number("late") - number("completed", "retried", "dead", "released", "recovered")
    trash = number("trashed") - number("restored", "purged")
    waiting = number("enqueued", "moved_in") - number("moved_out", "completed", "purged", "canceled")
    waiting -= started + failed + trash
    assert failed == sum(queue.redis.zcard(keys.failed(name)) for name in ("critical", "high")) == 1
    assert started == sum(queue.redis.zcard(keys.started(name)) for name in ("critical", "high")) == 1
    assert trash == queue.redis.zcard(keys.trash("high")) == 1
    scheduled = sum(queue.redis.zcard(keys.scheduled(name)) for name in ("critical", "high"))
    assert waiting == queue.waiting("critical") + queue.waiting("high") + scheduled


def test_a_call_sent_twice_counts_once(queue: Queue) -> None:
    job, request = make_job(kind="task"), new_id()
    queue.transitions.enqueue([job], request_id=request)
    queue.transitions.enqueue([job], request_id=request)
    assert of_kind(queue, "task") == {"enqueued": 1}


def test_a_users_latest_job_is_found(queue: Queue) -> None:
    """D8. The digest is acceptance's matter; a duplicate is not the latest."""
    first, second = add(queue, 2, user="d1")
    add(queue, 1, user="d2")
    assert queue.redis.get(keys.latest("d1")) == second.encode()
    queue.transitions.enqueue([make_job(id=first, user="d1")])
    assert queue.redis.get(keys.latest("d1")) == second.encode()
    assert queue.redis.ttl(keys.latest("d1")) > 29 * 86400
