"""The leader's steps in Redis."""

import logging

import pytest
import redis
from rq import Queue
from rq.scheduler import RQScheduler

from ingest.maintenance import Maintenance
from ingest.maintenance.round import LOCK_OWNER
from ingest.queue import keys
from ingest.queue.transitions import Transitions
from tests.ingest.maintenance.conftest import abandoned
from tests.ingest.worker.conftest import QUEUES, Work


@pytest.mark.usefixtures("no_patience")
def test_a_round_recovers_and_promotes_every_queue(work: Work) -> None:
    for queue in QUEUES:
        abandoned(work, 3, queue)
        (due,) = work.put({"title": "due"}, queue=queue, delay=60)
        work.redis.zadd(keys.scheduled(queue), {due: 1})
    Maintenance(work.redis).round()
    for queue in QUEUES:
        assert len(work.waiting(queue)) == 4
        assert work.started(queue) == 0
        assert work.redis.zcard(keys.scheduled(queue)) == 0


def test_a_round_sweeps_what_has_been_in_the_trash_for_a_day(work: Work) -> None:
    ids = work.put(*[{"title": "x"}] * 130)
    assert work.transitions.discard("high", ids) == ids
    leader = Maintenance(work.redis)
    leader.round()
    assert work.redis.zcard(keys.trash("high")) == 130
    for job_id in ids[:-1]:
        work.redis.zincrby(keys.trash("high"), -86_401, job_id)
    leader.round()
    assert work.redis.zrange(keys.trash("high"), 0, -1) == [ids[-1].encode()]
    assert work.count("purged") == 129


def test_a_round_makes_jobs_of_what_is_to_be_told(work: Work) -> None:
    """B7."""
    work.put({"title": "x"}, callback="https://example.org/done")
    assert work.redis.llen(keys.OUTBOX) == 1
    Maintenance(work.redis).round()
    assert work.redis.llen(keys.OUTBOX) == 0
    assert len(work.waiting("low")) == 1


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("error", [redis.ResponseError("WRONGTYPE"), ZeroDivisionError()])
def test_a_step_that_fails_keeps_no_other_from_running(
    work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    real = Transitions.promote

    def promote(self: Transitions, queue: str, *, limit: int) -> int:
        if queue == "critical":
            raise error
        return real(self, queue, limit=limit)

    monkeypatch.setattr(Transitions, "promote", promote)
    for queue in ("critical", "low"):
        abandoned(work, queue=queue)
    (due,) = work.put({"title": "due"}, queue="low", delay=60)
    work.redis.zadd(keys.scheduled("low"), {due: 1})
    leader = Maintenance(work.redis)
    for _ in range(3):
        leader.round()
    assert (len(work.waiting("critical")), len(work.waiting("low"))) == (1, 2)
    assert caplog.text.count("promoting in queue critical does not work") == 1, "not each second"
    monkeypatch.undo()
    with caplog.at_level(logging.WARNING):
        leader.round()
    assert "promoting in queue critical works again" in caplog.text


def test_stock_schedulers_and_cleanups_find_their_locks_taken(work: Work) -> None:
    """Design 13.13: a stock scheduler beside promote would push jobs twice."""
    Maintenance(work.redis).round()
    assert RQScheduler(["high"], connection=work.redis).acquire_locks() == set()
    assert not Queue("high", connection=work.redis).acquire_maintenance_lock()
    assert work.redis.get(RQScheduler.get_locking_key("high")) == LOCK_OWNER.encode()
    Maintenance(work.redis, name="the next leader").round()
    assert work.redis.ttl(RQScheduler.get_locking_key("high")) > 50
