"""Run now, cancel, move, requeue into another queue, pause and resume (B17 to B19)."""

import pytest

from ingest.queue import calls, keys
from ingest.queue.transitions import Failure, new_id
from tests.ingest.queue.conftest import Queue


@pytest.fixture(params=[0, 1000], ids=["long lists", "short lists"])
def near(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(calls, "NEAR", request.param)
    return int(request.param)


def test_run_now_brings_a_delayed_job_to_its_queue(queue: Queue) -> None:
    job_id = queue.add(delay=3600)
    queue.rings()
    assert queue.transitions.run_now("high", [job_id, "unknown"], by="anna") == [job_id]
    assert queue.rings()
    assert queue.places(job_id) == ["queued"]
    assert queue.hash(job_id)["moved_by"] == "anna"
    assert queue.transitions.run_now("high", [job_id]) == []


def test_run_now_brings_a_retry_forward(queue: Queue) -> None:
    job_id = queue.add(retry_delays=(60,))
    claim = queue.claim()
    queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")])
    assert queue.transitions.run_now("high", [job_id]) == [job_id]
    assert queue.claim().jobs[0].attempts == 1


@pytest.mark.parametrize("delay", [0, 60])
def test_a_canceled_job_never_runs(queue: Queue, near: int, delay: float) -> None:
    other, job_id = queue.add(), queue.add(delay=delay)
    assert queue.transitions.cancel("high", [job_id], by="anna") == [job_id]
    assert queue.places(job_id) == ["canceled"]
    assert queue.waiting() == 1
    assert queue.transitions.cancel("high", [job_id]) == []
    assert [job.id for job in queue.claim().jobs] == [other]
    assert queue.transitions.claim("w1", ["high"], claim_id=new_id(), lease=30) is None
    assert queue.counters()["canceled"] == 1
    assert "phantom" not in queue.counters()
    assert not queue.redis.exists(keys.tombstones("high"))


def test_a_canceled_job_can_come_again_under_its_id(queue: Queue, near: int) -> None:
    """Contract rule 4."""
    job_id = queue.add(body_hash="one", marker_seconds=3600)
    queue.transitions.cancel("high", [job_id])
    queue.add(id=job_id, body_hash="one", marker_seconds=3600)
    assert queue.places(job_id) == ["queued"]
    assert queue.waiting() == 1
    assert len(queue.claim().jobs) == 1


def test_a_moved_job_is_the_other_queues(queue: Queue, near: int) -> None:
    job_id = queue.add(queue="critical")
    assert queue.transitions.move("critical", [job_id], to="high", by="anna") == [job_id]
    assert queue.places(job_id) == ["queued"]
    assert (queue.waiting("critical"), queue.waiting("high")) == (0, 1)
    assert queue.claim("critical", "high").queue == "high"
    assert queue.counters("critical")["moved_out"] == queue.counters("high")["moved_in"] == 1


def test_moved_there_and_back_it_is_in_one_place(queue: Queue, near: int) -> None:
    job_id, other = queue.add(queue="critical"), queue.add(queue="critical")
    for queue_from, to in (("critical", "high"), ("high", "critical"), ("critical", "high"), ("high", "critical")):
        assert queue.transitions.move(queue_from, [job_id], to=to) == [job_id]
        assert queue.places(job_id) == ["queued"]
    assert {job.id for job in queue.claim("critical", "high").jobs} == {job_id, other}
    assert queue.transitions.claim("w1", ["critical", "high"], claim_id=new_id(), lease=30) is None
    assert queue.waiting("critical") == queue.waiting("high") == 0


def test_a_move_onto_its_own_queue_changes_nothing(queue: Queue) -> None:
    job_id = queue.add()
    assert queue.transitions.move("high", [job_id], to="high") == []
    assert queue.places(job_id) == ["queued"]


def test_a_dead_letter_is_requeued_into_another_queue(queue: Queue) -> None:
    job_id = queue.add()
    queue.transitions.fail("high", queue.claim().id, "w1", [Failure(job_id, "boom", retry=False)])
    assert queue.transitions.requeue("high", [job_id], to="critical", by="anna") == [job_id]
    assert queue.hash(job_id)["origin"] == "critical"
    assert queue.claim("critical").jobs[0].id == job_id
    assert queue.counters("critical")["moved_in"] == 1


def test_x1_a_replayed_job_has_one_attempt_and_says_whose_it_was(queue: Queue) -> None:
    """X1: its first failure counts; requeued by hand afterwards, it has its retries again and is nobody's."""
    job_id = queue.add(retry_delays=(0, 60))
    queue.transitions.fail("high", queue.claim().id, "w1", [Failure(job_id, "boom", retry=False)])
    assert queue.transitions.requeue("high", [job_id], replay="17") == [job_id]
    claim = queue.claim()
    assert claim.jobs[0].retries_left == 0
    assert queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")]) == {job_id: "dead"}
    assert (queue.places(job_id), queue.hash(job_id)["replay"]) == (["failed"], "17")
    queue.transitions.requeue("high", [job_id])
    assert "replay" not in queue.hash(job_id)
    claim = queue.claim()
    assert claim.jobs[0].retries_left == 2
    assert queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")]) == {job_id: "retry"}


@pytest.mark.parametrize("to", ["high", "low"])
def test_x1_what_a_replay_queued_and_nobody_began_goes_back_as_it_was(queue: Queue, near: int, to: str) -> None:
    job_id, begun, others = queue.add(), queue.add(), queue.add()
    queue.transitions.fail(
        "high", queue.claim().id, "w1", [Failure(i, "boom", retry=False) for i in (begun, job_id, others)]
    )
    score = queue.redis.zscore(keys.failed("high"), job_id)
    before = queue.hash(job_id)
    queue.transitions.requeue("high", [begun], to=to, replay="17")
    claim = queue.claim(to)
    queue.transitions.requeue("high", [job_id], to=to, replay="17")
    queue.transitions.requeue("high", [others], to=to, replay="18")

    def give_back(ids: list[str]) -> list[str]:
        return queue.transitions.give_back(to, ids, home="high", replay="17", by="anna")

    assert give_back([begun, job_id, others, "unknown"]) == [job_id]
    assert queue.places(job_id, "high", "low") == ["failed"]
    assert queue.redis.zscore(keys.failed("high"), job_id) == score
    after = queue.hash(job_id)
    kept = ("status", "origin", "exc_info", "error_type", "reason", "ended_at", "attempts")
    assert {name: after.get(name) for name in kept} == {name: before.get(name) for name in kept}
    assert (after["given_back"], "replay" in after) == ("17", False)
    assert (queue.counters("high")["returned"], queue.waiting(to)) == (1, 1)
    assert give_back([job_id]) == []
    assert queue.transitions.complete(to, claim.id, "w1", [begun]) == []
    # Requeued by hand it is as any other.
    assert queue.transitions.requeue("high", [job_id]) == [job_id]
    assert not {"given_back", "exc_info", "error_type"} & set(queue.hash(job_id))


def test_x1_what_a_worker_began_and_lost_is_not_given_back(queue: Queue) -> None:
    job_id = queue.add()
    queue.transitions.fail("high", queue.claim().id, "w1", [Failure(job_id, "boom", retry=False)])
    queue.transitions.requeue("high", [job_id], replay="17")
    queue.lapsed("high", limit=1)
    queue.transitions.recover("high")
    assert queue.places(job_id) == ["queued"]
    assert queue.transitions.give_back("high", [job_id], home="high", replay="17") == []


def test_hundreds_go_in_calls_that_are_sent_together_also_when_redis_was_started_anew(queue: Queue) -> None:
    ids = [queue.add() for _ in range(950)]
    while claim := queue.transitions.claim("w1", ["high"], claim_id=new_id(), lease=30):
        failures = [Failure(job.id, "boom", retry=False) for job in claim.jobs]
        queue.transitions.fail("high", claim.id, "w1", failures)
    queue.redis.script_flush()
    assert queue.transitions.requeue("high", [*ids, ids[0], "unknown"], request_id="one") == ids
    assert queue.transitions.requeue("high", [*ids, ids[0], "unknown"], request_id="one") == ids, "sent again"
    assert queue.waiting() == queue.counters("high")["requeued"] == 950


def test_everything_can_be_paused_and_resumed(queue: Queue) -> None:
    queue.add()
    queue.transitions.pause(None)
    assert queue.transitions.claim("w1", ["high"], claim_id=new_id(), lease=30) is None
    queue.rings()
    assert queue.transitions.resume(None)
    assert queue.rings()
    assert not queue.transitions.resume(None)
    assert len(queue.claim().jobs) == 1


def test_a_pause_ends_by_itself(queue: Queue) -> None:
    queue.add()
    seconds, _ = queue.redis.time()
    queue.transitions.pause("high", until=seconds + 60)
    assert queue.transitions.claim("w1", ["high"], claim_id=new_id(), lease=30) is None
    queue.transitions.pause("high", until=seconds - 1)
    assert len(queue.claim().jobs) == 1
