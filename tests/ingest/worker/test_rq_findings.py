"""One regression test for each finding of the reliability study that decided the design (RQ1 to RQ49, RQ 3.0.0).

In each a stock RQ worker, client or tool loses, doubles or blocks a job, or runs what it should not.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import rq
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from ingest.models import Alert, Event
from ingest.queue import keys
from ingest.queue.transitions import Claim, Failure, Transitions, new_id
from tests.ingest.queue.conftest import Queue, make_job
from tests.ingest.worker.conftest import Work

ALERT = {"title": "disk full"}


@pytest.fixture
def queue(work: Work) -> Queue:
    return Queue(work.redis)


def stock(work: Work, serializer: Any = JSONSerializer) -> rq.Queue:
    return rq.Queue("high", connection=work.redis, serializer=serializer)


def bury(work: Work, queue: Queue) -> str:
    """A dead letter that runs well when it is retried."""
    (job_id,) = work.put(ALERT)
    queue.transitions.fail("high", queue.claim().id, "w1", [Failure(job_id, "boom", retry=False)])
    return job_id


def test_rq1_a_worker_that_dies_right_after_it_took_a_job_loses_nothing(work: Work, queue: Queue) -> None:
    # Stock RQ: popped by BLPOP, held in memory alone; the job is nowhere for ever.
    (job_id,) = work.put(ALERT)
    queue.lapsed()
    assert queue.places(job_id) == ["started"]
    queue.transitions.recover("high")
    work.off()
    assert Event.objects.get().id == job_id


def test_rq3_stock_clean_up_leaves_a_job_that_is_just_being_taken(work: Work, queue: Queue) -> None:
    # Stock RQ 3.0: the execution of a job whose status is not `started` yet is deleted with its last trace.
    (job_id,) = work.put(ALERT)
    claim = queue.claim()
    work.redis.hset(keys.job(job_id), "status", "queued")
    StartedJobRegistry(queue=stock(work)).cleanup(timestamp=rq.registry.current_timestamp() + 400 * 86_400)
    assert work.redis.zscore(keys.started("high"), f"{job_id}:{claim.id}") is not None


def test_rq4_a_retry_is_scheduled_in_one_step(work: Work, queue: Queue) -> None:
    # Stock RQ: the status is written first and the set second; killed in between the job is nowhere.
    (job_id,) = work.put(ALERT, retry_delays=(60,))
    claim = queue.claim()
    assert (queue.places(job_id), queue.hash(job_id)["status"]) == (["started"], "started")
    queue.transitions.fail("high", claim.id, "w1", [Failure(job_id, "boom")])
    assert (queue.places(job_id), queue.hash(job_id)["status"]) == (["scheduled"], "scheduled")


def test_rq5_a_worker_that_was_given_up_completes_nothing(work: Work, queue: Queue) -> None:
    # Stock RQ: two executions of one job run and both count.
    (job_id,) = work.put(ALERT)
    late = queue.lapsed(worker="late")
    queue.transitions.recover("high")
    second = queue.claim(worker="second")
    assert queue.transitions.complete("high", late.id, "late", [job_id]) == [job_id]
    assert queue.transitions.fail("high", late.id, "late", [Failure(job_id, "boom")]) == {job_id: "refused"}
    assert queue.transitions.complete("high", second.id, "second", [job_id]) == []


def test_rq6_a_requeue_whose_reply_is_lost_is_done_once(work: Work, queue: Queue) -> None:
    # Stock RQ: removed from the registry, then pushed; killed in between the job is in neither.
    job_id = bury(work, queue)
    request = new_id()
    for _ in range(2):
        assert queue.transitions.requeue("high", [job_id], request_id=request) == [job_id]
    assert queue.places(job_id) == ["queued"]
    work.off()
    assert Alert.objects.get().occurrences == 1


def test_rq7_a_requeued_job_has_no_time_to_live(work: Work, queue: Queue) -> None:
    # Stock RQ: the failure's time to live runs on in the queue, and the job is dropped silently.
    job_id = bury(work, queue)
    work.redis.expire(keys.job(job_id), 4)
    queue.transitions.requeue("high", [job_id])
    assert work.redis.ttl(keys.job(job_id)) == -1


def test_rq8_an_id_without_a_job_is_counted(work: Work, queue: Queue) -> None:
    # Stock RQ: passed over without a log line, a metric or a registry.
    work.redis.rpush(keys.queue("high"), "gone")
    work.put(ALERT)
    work.off()
    assert Event.objects.count() == 1
    assert work.count("phantom") == 1


def test_rq9_a_malformed_hash_ends_no_worker_and_harms_no_neighbour(work: Work) -> None:
    # Stock RQ: the worker quits, and the first job is popped and gone.
    bad, *good = work.put(ALERT, ALERT, ALERT)
    work.redis.hset(keys.job(bad), mapping={"timeout": "soon", "retries_left": "many", "data": "nonsense"})
    work.off()
    assert set(Event.objects.values_list("id", flat=True)) == set(good)
    assert work.dead() == [bad]
    assert work.field(bad, "reason") == "unreadable"


@pytest.fixture
def full(work: Work) -> Iterator[None]:
    limit = work.redis.config_get("maxmemory")["maxmemory"]
    work.redis.config_set("maxmemory", 1)
    yield
    work.redis.config_set("maxmemory", limit)


def test_rq11_a_full_redis_loses_nothing_and_its_jobs_are_worked_off(
    work: Work, queue: Queue, request: pytest.FixtureRequest
) -> None:
    # Stock RQ: the pop is allowed and the heartbeat is not; the worker exits and the job is nowhere.
    good = work.put(ALERT, ALERT)
    (bad,) = work.put({"title": "x", "fault": "permanent"})
    request.getfixturevalue("full")
    with pytest.raises(redis.OutOfMemoryError):
        queue.transitions.enqueue([make_job()])
    claim = queue.claim()
    queue.transitions.renew(30, [("high", job.id, claim.id) for job in claim.jobs])
    queue.transitions.complete("high", claim.id, "w1", good[:1])
    queue.transitions.fail("high", claim.id, "w1", [Failure(bad, "boom", retry=False)])
    queue.transitions.release("high", claim.id, good[1:])
    assert [queue.places(job_id) for job_id in (*good, bad)] == [[], ["queued"], ["failed"]]
    assert queue.transitions.requeue("high", [bad]) == [bad]


def test_rq16_a_clock_one_year_ahead_deletes_no_dead_letter(
    work: Work, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stock RQ: entries expire by the reader's clock, and reading the count deletes them.
    job_id = bury(work, queue)
    now = rq.registry.current_timestamp()
    monkeypatch.setattr(rq.registry, "current_timestamp", lambda: now + 400 * 86_400)
    registry = FailedJobRegistry(queue=stock(work))
    assert (registry.count, registry.get_job_ids()) == (1, [job_id])
    assert queue.places(job_id) == ["failed"]


def test_rq17_an_enqueue_that_the_client_sends_again_is_one_job(work: Work, queue: Queue) -> None:
    # Stock RQ: the id is in the list twice, and runs twice.
    jobs, request = [make_job() for _ in range(250)], new_id()
    first = queue.transitions.enqueue(jobs, request_id=request)
    assert queue.transitions.enqueue(jobs, request_id=request) == first
    assert all(result.accepted for result in first)
    assert work.redis.llen(keys.queue("high")) == len(jobs)


def test_rq20_a_client_id_is_known_for_its_window_and_no_longer(work: Work, queue: Queue) -> None:
    # Stock RQ: the window ends with the result, or lasts a year when the job failed.
    job_id = queue.add(body_hash="one", marker_seconds=60)
    queue.transitions.complete("high", queue.claim().id, "w1", [job_id])
    again = make_job(id=job_id, body_hash="one", marker_seconds=60)
    (result,) = queue.transitions.enqueue([again])
    assert (result.outcome, result.state) == ("duplicate", "finished")
    assert 0 < work.redis.ttl(keys.marker(job_id)) <= 60
    work.redis.delete(keys.marker(job_id))
    assert queue.transitions.enqueue([again])[0].accepted


def test_rq21_a_second_job_under_an_id_changes_nothing(work: Work, queue: Queue) -> None:
    # Stock RQ: the hash is overwritten and the id pushed a second time.
    job_id = queue.add(event_id="first")
    (result,) = queue.transitions.enqueue([make_job(id=job_id, event_id="second")])
    assert result.outcome == "duplicate"
    assert queue.hash(job_id)["event_id"] == "first"
    assert work.redis.llen(keys.queue("high")) == 1


def test_rq22_work_that_was_done_but_not_told_is_not_done_twice(
    work: Work, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stock RQ: when success cannot be told, the job goes down the failure path although its effect is there.
    work.put(ALERT)

    def nobody_is_told(self: Transitions, *_: Any, **__: Any) -> list[str]:
        raise redis.ResponseError("READONLY You can't write against a read only replica.")

    with monkeypatch.context() as patched:
        patched.setattr(Transitions, "complete", nobody_is_told)
        work.off()
    assert Alert.objects.get().occurrences == 1
    for member in work.redis.zrange(keys.started("high"), 0, -1):
        work.redis.zadd(keys.started("high"), {member: keys.SCORE_OFFSET + 1})
    assert queue.transitions.recover("high").requeued == 1
    work.off()
    assert Alert.objects.get().occurrences == 1
    assert (work.count("completed"), work.count("dead"), work.count("retried")) == (1, 0, 0)


def test_rq23_two_that_promote_at_once_queue_a_job_once(work: Work, queue: Queue) -> None:
    # Stock RQ: due ids are read, pushed and removed in three steps, and the lock has no fence.
    ids = {queue.add(delay=0.001) for _ in range(300)}
    promoted: list[int] = []

    def promote() -> None:
        while len(ids) > sum(promoted):
            promoted.append(queue.transitions.promote("high", limit=20))

    threads = [threading.Thread(target=promote) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job_id.decode() for job_id in work.redis.lrange(keys.queue("high"), 0, -1)) == sorted(ids)


def test_rq24_of_two_that_requeue_one_wins_and_the_other_is_told(work: Work, queue: Queue) -> None:
    # django-rq: the job is pushed without a look at whether it was removed, so two presses run it twice.
    job_id = bury(work, queue)
    assert queue.transitions.requeue("high", [job_id], by="anna") == [job_id]
    assert queue.transitions.requeue("high", [job_id], by="ben") == []
    assert (queue.hash(job_id)["moved_by"], queue.places(job_id)) == ("anna", ["queued"])


def test_rq30_a_malformed_job_keeps_no_other_from_being_promoted(work: Work, queue: Queue) -> None:
    # Stock RQ: one bad hash makes the scheduler raise, and every due job of every queue waits.
    bad, good = queue.add(delay=60), queue.add(delay=60)
    work.redis.hset(keys.job(bad), mapping={"status": "nonsense", "timeout": "nonsense"})
    work.redis.zadd(keys.scheduled("high"), {bad: 1, good: 2})
    assert queue.transitions.promote("high") == 1
    assert queue.places(good) == ["queued"]


def test_rq32_a_requeued_job_has_all_its_retries_again(work: Work, queue: Queue) -> None:
    # Stock RQ: none are left, so it gets one attempt and is dead again.
    (job_id,) = work.put({"title": "x", "fault": "error:5"}, retry_delays=(0, 0, 0))
    work.off()
    assert work.dead() == [job_id]
    queue.transitions.requeue("high", [job_id])
    work.off()
    assert Event.objects.get().id == job_id


def test_rq38_a_job_that_ends_leaves_nothing_that_grows(work: Work, queue: Queue) -> None:
    # Stock RQ: the stream of results has no time to live and outlasts its job.
    work.put({"title": "x", "fault": "error:1"}, {"title": "y"})
    work.off()
    assert Event.objects.count() == 2
    left = [name.decode() for name in work.redis.scan_iter(f"{keys.PREFIX}:*")]
    assert [name for name in left if ":job:" in name or ":results:" in name or ":log:" in name] == []
    for name in left:
        if name.startswith(keys.request("")):
            assert 0 < work.redis.ttl(name) <= 300


def test_rq41_a_pickle_is_never_loaded(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stock RQ: pickle is the default for arguments, meta and results, and dashboards load it too.
    job = rq.Queue("high", connection=work.redis).enqueue("os.system", "true")

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a pickle was loaded")

    monkeypatch.setattr("pickle.loads", never)
    work.off()
    assert work.dead() == [job.id]
    assert work.field(job.id, "reason") == "unreadable"


def test_rq42_a_name_in_a_hash_runs_nothing_that_is_not_allowed(work: Work, tmp_path: Path) -> None:
    # Stock RQ: with the JSON serializer as well, whoever may write to Redis runs any function.
    canary = tmp_path / "canary"
    (job_id,) = work.put(ALERT)
    work.redis.hset(keys.job(job_id), "data", json.dumps(["os.system", None, [f"touch {canary}"], {}]))
    work.off()
    assert not canary.exists()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "not_allowed")
    job = Job.fetch(job_id, connection=work.redis, serializer=JSONSerializer)
    assert "os.system" in str(job.latest_result().exc_string)  # type: ignore[union-attr]


def test_each_claim_that_is_never_answered_ends_in_the_queue_or_as_poison(work: Work, queue: Queue) -> None:
    """RQ25 to RQ27: recovery needs no worker, and no second sweep."""
    (job_id,) = work.put(ALERT)
    claims: list[Claim] = []
    for _ in range(3):
        claims.append(queue.lapsed())
        queue.transitions.recover("high")
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "poison")
