"""Discard, restore, purge, empty and sweep: into the trash, out of it, and away (B13, B16, B19, D4, X7)."""

from collections.abc import Callable

import pytest

from ingest.queue import calls, keys
from ingest.queue.transitions import Failure, new_id
from tests.ingest.queue.conftest import Queue


def waiting_job(queue: Queue) -> str:
    return queue.add()


def delayed_job(queue: Queue) -> str:
    return queue.add(delay=60)


def dead_letter(queue: Queue) -> str:
    job_id = queue.add()
    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom", retry=False)])
    return job_id


JOBS = {"queued": waiting_job, "scheduled": delayed_job, "failed": dead_letter}


@pytest.fixture(params=[0, 1000], ids=["long lists", "short lists"])
def near(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A queue longer than this keeps the id of a job that left it, as a tombstone."""
    monkeypatch.setattr(calls, "NEAR", request.param)
    return int(request.param)


@pytest.mark.parametrize("place", JOBS)
def test_it_goes_into_the_trash_and_back_where_it_was(queue: Queue, near: int, place: str) -> None:
    job_id = JOBS[place](queue)
    before = {key: queue.redis.zrange(key, 0, -1, withscores=True) for key in (keys.scheduled("high"),)}

    assert queue.transitions.discard("high", [job_id], by="anna") == [job_id]
    assert queue.places(job_id) == ["trash"]
    assert queue.hash(job_id)["moved_by"] == "anna"
    assert queue.waiting() == 0
    assert queue.transitions.discard("high", [job_id]) == [], "a second press finds nothing"
    assert queue.transitions.claim("w1", ["high"], claim_id=new_id(), lease=30) is None

    assert queue.transitions.restore("high", [job_id], by="ben") == [job_id]
    assert queue.places(job_id) == [place]
    assert queue.hash(job_id)["status"] == place
    assert "trashed_at" not in queue.hash(job_id)
    assert {key: queue.redis.zrange(key, 0, -1, withscores=True) for key in before} == before
    assert queue.transitions.restore("high", [job_id]) == []


def test_a_restored_job_takes_its_old_place_in_a_long_list(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "NEAR", 0)
    first, second, third = queue.add(), queue.add(), queue.add()
    queue.transitions.discard("high", [second])
    queue.transitions.restore("high", [second])
    assert [job.id for job in queue.claim().jobs] == [first, second, third]


def test_x1_one_that_was_discarded_again_is_not_restored_with_the_first_ones(queue: Queue) -> None:
    again, same = queue.add(), queue.add()
    queue.transitions.discard("high", [again, same])
    scores = {job_id: float(queue.redis.zscore(keys.trash("high"), job_id)) for job_id in (again, same)}
    queue.transitions.restore("high", [again])
    queue.transitions.discard("high", [again])
    assert queue.transitions.restore("high", [again, same], scores=scores) == [same]
    assert queue.places(again) == ["trash"]


@pytest.mark.parametrize("status", ["started", "finished"])
def test_what_runs_or_is_done_is_not_discarded(queue: Queue, status: str) -> None:
    job_id = queue.add(result_ttl=60)
    claim = queue.claim()
    if status == "finished":
        queue.transitions.complete("high", claim.id, "w1", [job_id])
    assert queue.transitions.discard("high", [job_id]) == []
    assert queue.places(job_id) == [status]


def test_a_job_of_another_queue_is_not_touched(queue: Queue, everything: Callable[[], dict[bytes, bytes]]) -> None:
    job_id = queue.add(queue="critical")
    before = everything()
    request = new_id()
    assert queue.transitions.discard("high", [job_id, "unknown"], request_id=request) == []
    queue.redis.delete(keys.request(request))
    assert everything() == before


@pytest.mark.parametrize("place", JOBS)
def test_purged_it_is_gone_with_all_that_stood_beside_it(queue: Queue, near: int, place: str) -> None:
    job_id = JOBS[place](queue)
    queue.transitions.discard("high", [job_id])
    assert queue.transitions.purge("high", [job_id]) == [job_id]
    assert queue.places(job_id) == []
    assert not queue.redis.exists(keys.job(job_id), keys.results(job_id), keys.log(job_id))
    assert queue.transitions.purge("high", [job_id]) == []
    assert queue.counters()["purged"] == 1


def test_a_client_id_may_come_again_after_it_was_discarded(queue: Queue, near: int) -> None:
    """Contract rule 4: if the first copy is in the trash, the event is enqueued anew."""
    job_id = queue.add(body_hash="one", marker_seconds=3600)
    queue.transitions.discard("high", [job_id])
    assert queue.add(id=job_id, body_hash="two", marker_seconds=3600) == job_id
    assert queue.places(job_id) == ["queued"]
    assert queue.hash(job_id)["body_hash"] == "two"
    assert queue.waiting() == 1
    assert (queue.counters()["enqueued"], queue.counters()["purged"]) == (2, 1)
    assert [job.id for job in queue.claim().jobs] == [job_id]


def test_empty_takes_what_was_there_and_leaves_what_came_later(queue: Queue) -> None:
    old = [queue.add() for _ in range(5)]
    seconds, micros = queue.redis.time()
    pressed = seconds + micros / 1_000_000
    new = queue.add()

    first = queue.transitions.empty("high", before=pressed, by="anna", most=3)
    assert (first.moved, first.more) == (3, True)
    second = queue.transitions.empty("high", before=pressed, by="anna", most=3)
    assert (second.moved, second.more) == (2, False)
    assert [queue.places(job_id) for job_id in old] == [["trash"]] * 5
    assert queue.places(new) == ["queued"]
    assert queue.transitions.restore("high", old) == old


def test_sweep_ends_the_trash_after_its_time(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    stays, goes = queue.add(), queue.add()
    queue.transitions.discard("high", [stays, goes])
    queue.redis.zincrby(keys.trash("high"), -calls.TRASH_SECONDS - 1, goes)
    assert queue.transitions.sweep("high") == 1
    assert (queue.places(stays), queue.places(goes)) == (["trash"], [])
    assert not queue.redis.exists(keys.job(goes))


def test_sweep_ends_results_and_canceled_jobs_after_their_time(queue: Queue) -> None:
    """B11: results are kept by age."""
    finished = queue.add(result_ttl=60)
    claim = queue.claim()
    queue.transitions.complete("high", claim.id, "w1", [finished], results={finished: {"answer": 42}})
    canceled = queue.add()
    queue.transitions.cancel("high", [canceled])
    assert queue.transitions.sweep("high") == 0
    queue.redis.zincrby(keys.finished("high"), -61, finished)
    queue.redis.zincrby(keys.canceled("high"), -calls.CANCELED_SECONDS - 1, canceled)
    assert queue.transitions.sweep("high") == 2
    assert not queue.redis.exists(keys.job(finished), keys.results(finished), keys.job(canceled))


def test_results_are_kept_by_number(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """B11: at most so many, the newest."""
    monkeypatch.setattr(calls, "RESULTS_KEPT", 2)
    ids = [queue.add(result_ttl=60) for _ in range(4)]
    claim = queue.claim()
    for job_id in ids:
        queue.transitions.complete("high", claim.id, "w1", [job_id])
    kept = [job_id for job_id in ids if queue.redis.exists(keys.job(job_id))]
    assert len(kept) == queue.redis.zcard(keys.finished("high")) == 2


def test_a_kind_without_dead_letters_fails_into_the_trash(queue: Queue) -> None:
    """E15: counted there, and it can be restored as a dead letter."""
    job_id = queue.add(dead_letters=False, retry_delays=())
    claim = queue.claim()
    assert queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")]) == {job_id: "trash"}
    assert queue.places(job_id) == ["trash"]
    assert queue.counters()["dropped"] == 1
    assert queue.transitions.restore("high", [job_id]) == [job_id]
    assert queue.places(job_id) == ["failed"]
    assert queue.transitions.requeue("high", [job_id]) == [job_id]


@pytest.mark.parametrize("what", ["requeue", "discard"])
def test_x1_a_dead_letter_that_failed_again_since_it_was_looked_at_is_left(queue: Queue, what: str) -> None:
    """The score that it had then is compared in the same step that moves it."""
    move = getattr(queue.transitions, what)
    same, again, waits = dead_letter(queue), dead_letter(queue), dead_letter(queue)
    scores = dict(queue.redis.zrange(keys.failed("high"), 0, -1, withscores=True))
    scores = {job_id.decode(): score for job_id, score in scores.items()}
    queue.transitions.requeue("high", [again])
    queue.transitions.fail("high", queue.claim().id, "w1", [Failure(again, "boom", retry=False)])
    queue.transitions.requeue("high", [waits])

    assert move("high", [again, waits, same], scores=scores) == [same]
    assert (queue.places(again), queue.places(waits)) == (["failed"], ["queued"])
    assert queue.places(same) == ["queued" if what == "requeue" else "trash"]
    # Those without a score move whatever they are.
    assert move("high", [again], scores={same: 1.0}) == [again]


def test_a_score_names_a_dead_letter_and_no_delayed_job(queue: Queue) -> None:
    job_id = delayed_job(queue)
    (score,) = (score for _, score in queue.redis.zrange(keys.scheduled("high"), 0, -1, withscores=True))
    assert queue.transitions.discard("high", [job_id], scores={job_id: score}) == []
    assert queue.places(job_id) == ["scheduled"]


def test_x7_what_an_operation_put_there_stands_in_its_list(queue: Queue) -> None:
    third, first, second = dead_letter(queue), queue.add(), queue.add()
    queue.transitions.discard("high", [first, third], operation="one")
    queue.transitions.empty("high", before=float(queue.redis.time()[0]) + 60, operation="two")
    for operation, ids in (("one", [first, third]), ("two", [second])):
        written = [line.decode() for line in queue.redis.lrange(keys.undo(operation), 0, -1)]
        assert [line.split(" ", 2)[::2] for line in written] == [["high", job_id] for job_id in ids]
        for line in written:
            _, score, job_id = line.split(" ", 2)
            assert float(score) == queue.redis.zscore(keys.trash("high"), job_id)
        assert queue.redis.ttl(keys.undo(operation)) > calls.TRASH_SECONDS
    queue.transitions.restore("high", [first])
    queue.transitions.discard("high", [first])
    assert not queue.redis.exists(keys.undo("")), "nobody undoes it"


def test_one_that_was_discarded_again_is_not_purged_with_the_first_ones(queue: Queue) -> None:
    again, same = queue.add(), queue.add()
    queue.transitions.discard("high", [again, same])
    scores = {job_id: float(queue.redis.zscore(keys.trash("high"), job_id)) for job_id in (again, same)}
    queue.transitions.restore("high", [again])
    queue.transitions.discard("high", [again])
    assert queue.transitions.purge("high", [again, same], scores=scores) == [same]
    assert queue.places(again) == ["trash"]
