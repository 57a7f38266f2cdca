"""enqueue with `strict`: all jobs of a call, or none."""

from collections.abc import Callable

import pytest
import redis

from ingest.queue import keys
from ingest.queue.batching import CHUNK
from ingest.queue.transitions import AsyncTransitions, EnqueueResult, NewJob, new_id
from tests.ingest.queue.conftest import Queue, make_job


def enqueue(queue: Queue, *jobs: NewJob, request_id: str | None = None) -> list[EnqueueResult]:
    return queue.transitions.enqueue(jobs, request_id=request_id, strict=True)


def outcomes(results: list[EnqueueResult]) -> list[str]:
    return [result.outcome for result in results]


def known(queue: Queue, **changes: object) -> NewJob:
    """A job that is there already."""
    job = make_job(body_hash="h1", marker_seconds=60, **changes)
    queue.transitions.enqueue([job])
    return job


def test_all_good_is_as_without_it(queue: Queue) -> None:
    first, later = make_job(), make_job(delay=60)
    results = enqueue(queue, first, later)
    assert outcomes(results) == ["queued", "scheduled"]
    assert (queue.places(first.id), queue.places(later.id)) == (["queued"], ["scheduled"])
    assert queue.counters() == {"enqueued": 2}


def test_one_id_with_another_body_stores_nothing(queue: Queue, everything: Callable[[], dict[bytes, bytes]]) -> None:
    taken = known(queue)
    before = everything()
    good, bad, last = make_job(), make_job(id=taken.id, body_hash="h2"), make_job(delay=5)
    results = enqueue(queue, good, taken, bad, last)
    assert outcomes(results) == ["withheld", "duplicate", "id_reused", "withheld"]
    assert not any(result.accepted for result in results)
    assert [result.state for result in results] == ["", "queued", "queued", ""]
    after = everything()
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    counters = keys.counters("high").encode()
    assert changed - {counters} == {name for name in changed if name.startswith(b"rq:qa:req:")}
    assert queue.counters() == {"enqueued": 1, "id_reused": 1}


def test_a_queue_without_room_for_all_stores_nothing(queue: Queue) -> None:
    queue.add()
    jobs = [make_job(queue_limit=3) for _ in range(3)]
    other = make_job(queue="critical", queue_limit=3)
    assert outcomes(enqueue(queue, *jobs, other)) == ["withheld", "withheld", "full", "withheld"]
    assert queue.waiting() == 1
    assert queue.waiting("critical") == 0
    assert queue.counters() == {"enqueued": 1, "full": 1}
    assert outcomes(enqueue(queue, *jobs[:2], other)) == ["queued"] * 3


def test_a_copy_of_an_earlier_job_refuses_nothing(queue: Queue) -> None:
    taken = known(queue)
    assert outcomes(enqueue(queue, taken, make_job())) == ["duplicate", "queued"]
    assert queue.waiting() == 2


def test_copies_within_the_call(queue: Queue) -> None:
    first = make_job(body_hash="h1", marker_seconds=60)
    other = make_job(id=first.id, body_hash="h2")
    assert outcomes(enqueue(queue, first, first, other)) == ["withheld", "withheld", "id_reused"]
    assert queue.places(first.id) == []
    assert outcomes(enqueue(queue, first, first)) == ["queued", "duplicate"]
    without = make_job()
    assert outcomes(enqueue(queue, without, without)) == ["queued", "duplicate"]


def test_a_canceled_copy_is_taken_anew_or_stays_where_it_is(queue: Queue) -> None:
    canceled, taken = known(queue), known(queue)
    queue.transitions.cancel("high", [canceled.id])
    bad = make_job(id=taken.id, body_hash="h2")
    assert outcomes(enqueue(queue, canceled, bad)) == ["withheld", "id_reused"]
    assert queue.places(canceled.id) == ["canceled"]
    assert outcomes(enqueue(queue, canceled)) == ["queued"]
    assert queue.places(canceled.id) == ["queued"]


def test_another_clients_key_under_a_jobs_name_refuses_all(queue: Queue) -> None:
    job = make_job()
    queue.redis.set(keys.job(job.id), "theirs")
    assert outcomes(enqueue(queue, make_job(), job)) == ["withheld", "id_reused"]
    assert queue.waiting() == 0


def test_sent_again_with_its_request_id_it_gives_the_first_answer(queue: Queue) -> None:
    """RQ17: the id that refused it is free by now, and the refusal stands."""
    taken = known(queue)
    bad, request = make_job(id=taken.id, body_hash="h2"), new_id()
    first = enqueue(queue, make_job(), bad, request_id=request)
    queue.transitions.purge("high", [taken.id])
    queue.redis.delete(keys.job(taken.id), keys.marker(taken.id))
    assert queue.transitions.enqueue([make_job(), bad], request_id=request, strict=True)[1] == first[1]
    assert queue.places(bad.id) == ["queued"]  # the first one's, in the list


def test_more_than_one_call_is_refused(queue: Queue) -> None:
    with pytest.raises(ValueError, match="one call"):
        enqueue(queue, *(make_job() for _ in range(CHUNK + 1)))
    assert queue.waiting() == 0
    assert len(enqueue(queue, *(make_job() for _ in range(CHUNK)))) == CHUNK


@pytest.mark.asyncio
async def test_the_async_face_does_the_same(queue: Queue) -> None:
    taken = known(queue)
    bad = make_job(id=taken.id, body_hash="h2")
    async with redis.asyncio.Redis.from_url(
        f"unix://{queue.redis.connection_pool.connection_kwargs['path']}"
    ) as client:
        transitions = AsyncTransitions(client)
        refused = await transitions.enqueue([make_job(), bad], strict=True)
        taken_in = await transitions.enqueue([make_job(), taken], strict=True)
        await client.connection_pool.disconnect()
    assert outcomes(refused) == ["withheld", "id_reused"]
    assert outcomes(taken_in) == ["queued", "duplicate"]
