"""enqueue: nowhere → queue, or scheduled."""

import re
from collections.abc import Callable

import pytest
import redis

from ingest.queue import keys, payload
from ingest.queue.transitions import AsyncTransitions, new_id
from tests.conftest import Valkey
from tests.ingest.queue.conftest import Queue, make_job


def test_a_job_waits_in_its_queue_with_rqs_fields_and_ours(queue: Queue) -> None:
    job = make_job()
    (result,) = queue.transitions.enqueue([job])
    assert (result.id, result.outcome, result.state) == (job.id, "queued", "queued")
    assert queue.places(job.id) == ["queued"]
    found = queue.hash(job.id)
    assert payload.decode(queue.redis.hget(keys.job(job.id), "data"), job.id).kind == job.kind
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found.pop("enqueued_at"))
    del found["data"]
    assert found == {
        "status": "queued",
        "origin": "high",
        "created_at": "2026-11-22T10:00:00.123456Z",
        "timeout": "300",
        "result_ttl": "0",
        "failure_ttl": "-1",
        "retries_left": "3",
        "retry_intervals": "[1,5,25]",
        "kind": "alert",
        "source": "prometheus",
        "tenant": "acme",
        "event_id": "client-1",
    }
    assert queue.redis.ttl(keys.job(job.id)) == -1, "A5: data never expires while queued"
    assert queue.counters() == {"enqueued": 1}
    assert queue.rings()


def test_fields_that_are_empty_take_no_room(queue: Queue) -> None:
    job_id = queue.add(source="", tenant="", event_id=None)
    assert {"source", "tenant", "event_id", "body_hash"}.isdisjoint(queue.hash(job_id))


def test_order_is_kept_across_the_chunks_of_one_call(queue: Queue) -> None:
    jobs = [make_job() for _ in range(250)]
    assert all(result.accepted for result in queue.transitions.enqueue(jobs))
    waiting = [each.decode() for each in queue.redis.lrange(keys.queue("high"), 0, -1)]
    assert waiting == [job.id for job in jobs]


def test_one_call_feeds_several_queues(queue: Queue) -> None:
    queue.transitions.enqueue([make_job(queue="critical"), make_job(queue="high"), make_job(queue="critical")])
    assert queue.counters("critical") == {"enqueued": 2}
    assert queue.counters("high") == {"enqueued": 1}
    assert queue.redis.smembers(keys.QUEUES) == {b"rq:queue:critical", b"rq:queue:high"}


def test_a_delayed_job_is_scheduled(queue: Queue) -> None:
    job = make_job(delay=60)
    (result,) = queue.transitions.enqueue([job])
    assert result.outcome == "scheduled"
    assert queue.places(job.id) == ["scheduled"]
    assert queue.hash(job.id)["status"] == "scheduled"
    assert not queue.rings()


@pytest.mark.parametrize(
    ("move", "state"),
    [
        (lambda queue: None, "queued"),
        (lambda queue: queue.claim(), "started"),
        (lambda queue: fail(queue, retry=True), "retrying"),
        (lambda queue: fail(queue, retry=False), "failed"),
        (lambda queue: complete(queue), "finished"),
    ],
)
def test_a_second_delivery_is_a_duplicate_in_the_state_of_the_first(
    queue: Queue, move: Callable[[Queue], object], state: str
) -> None:
    job = make_job(body_hash="h1", marker_seconds=60)
    queue.transitions.enqueue([job])
    move(queue)
    before = queue.places(job.id)
    (again,) = queue.transitions.enqueue([job])
    assert (again.outcome, again.state) == ("duplicate", state)
    assert queue.places(job.id) == before
    assert queue.counters()["enqueued"] == 1
    assert queue.counters()["duplicate"] == 1


@pytest.mark.parametrize("done", [False, True])
def test_the_same_id_with_another_body_is_refused(queue: Queue, done: bool) -> None:
    job = make_job(body_hash="h1", marker_seconds=60)
    queue.transitions.enqueue([job])
    if done:
        complete(queue)
    (other,) = queue.transitions.enqueue([make_job(id=job.id, body_hash="h2", marker_seconds=60)])
    assert (other.outcome, other.accepted) == ("id_reused", False)
    assert queue.counters()["id_reused"] == 1


def test_the_job_itself_remembers_its_body_longer_than_the_marker(queue: Queue) -> None:
    job = make_job(body_hash="h1", marker_seconds=60)
    queue.transitions.enqueue([job])
    queue.redis.delete(keys.marker(job.id))
    (same,) = queue.transitions.enqueue([job])
    (other,) = queue.transitions.enqueue([make_job(id=job.id, body_hash="h2")])
    assert (same.outcome, other.outcome) == ("duplicate", "id_reused")


def test_the_marker_lasts_for_the_dedupe_window(queue: Queue) -> None:
    job = make_job(body_hash="h1", marker_seconds=60)
    queue.transitions.enqueue([job])
    assert 0 < queue.redis.ttl(keys.marker(job.id)) <= 60
    complete(queue)
    queue.redis.delete(keys.marker(job.id))
    (anew,) = queue.transitions.enqueue([job])
    assert anew.outcome == "queued"


def test_one_bad_neighbour_does_not_harm_the_others(queue: Queue) -> None:
    taken = make_job()
    queue.transitions.enqueue([taken])
    first, last = make_job(), make_job()
    results = queue.transitions.enqueue([first, taken, last, first])
    assert [result.outcome for result in results] == ["queued", "duplicate", "queued", "duplicate"]


def test_sent_again_with_its_request_id_it_changes_nothing(
    queue: Queue, everything: Callable[[], dict[bytes, bytes]]
) -> None:
    """RQ17, RQ19: the reply was lost, the job was not."""
    jobs = [make_job() for _ in range(150)]
    request = new_id()
    first = queue.transitions.enqueue(jobs, request_id=request)
    before = everything()
    assert queue.transitions.enqueue(jobs, request_id=request) == first
    assert everything() == before
    assert 0 < queue.redis.ttl(keys.request(request)) <= 300


def test_a_full_redis_refuses_before_anything_is_stored(own_valkey: Valkey) -> None:
    with redis.Redis.from_url(own_valkey.url) as connection:
        full = Queue(connection)
        held = [full.add(), full.add(), full.add()]
        claim = full.claim(limit=2)
        connection.config_set("maxmemory", 1)
        job = make_job()
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            full.transitions.enqueue([job])
        assert full.places(job.id) == []
        assert not connection.exists(keys.job(job.id))
        # Workers go on, which is what empties it.
        triple = [("high", held[0], claim.id), ("high", held[1], claim.id)]
        assert full.transitions.renew(30, triple) == []
        assert full.transitions.complete("high", claim.id, "w1", held[:1]) == []
        assert full.transitions.release("high", claim.id, held[1:2]) == 1
        assert [each.id for each in full.claim().jobs] == held[1:]


@pytest.mark.asyncio
async def test_the_async_face_does_the_same(queue: Queue) -> None:
    job = make_job()
    async with redis.asyncio.Redis.from_url(
        f"unix://{queue.redis.connection_pool.connection_kwargs['path']}"
    ) as client:
        transitions = AsyncTransitions(client)
        (first,) = await transitions.enqueue([job])
        (second,) = await transitions.enqueue([job])
        await client.connection_pool.disconnect()
    assert (first.outcome, second.outcome) == ("queued", "duplicate")
    assert queue.places(job.id) == ["queued"]


def fail(queue: Queue, *, retry: bool) -> None:
    from ingest.queue.transitions import Failure

    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(claim.jobs[0].id, "boom", retry=retry)])


def complete(queue: Queue) -> None:
    claim = queue.claim()
    assert queue.transitions.complete("high", claim.id, "w1", [job.id for job in claim.jobs]) == []


def test_a_queue_at_its_limit_refuses_more(queue: Queue) -> None:
    """Waiting jobs count, and those that wait for their time; the neighbours of another queue pass."""
    queue.add(delay=60)
    jobs = [make_job(queue_limit=3) for _ in range(3)]
    other = make_job(queue="critical", queue_limit=3)
    results = queue.transitions.enqueue([*jobs, other])
    assert [result.outcome for result in results] == ["queued", "queued", "full", "queued"]
    assert not results[2].accepted
    assert queue.places(jobs[2].id) == []
    assert queue.counters()["full"] == 1
    queue.claim()
    assert queue.transitions.enqueue([make_job(queue_limit=3)])[0].accepted
