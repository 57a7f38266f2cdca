"""The leader's round: one leader, recovery, promotion, and going on through an outage of Redis."""

import threading
from io import StringIO
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from rq import Queue
from rq.scheduler import RQScheduler

from ingest import maintenance
from ingest.maintenance import LOCK_OWNER, Maintenance, recover, recover_all
from ingest.queue import keys
from ingest.queue.transitions import Transitions
from tests.conftest import Valkey, wait_until
from tests.ingest.worker.conftest import QUEUES, Work


@pytest.fixture
def work(empty_redis: redis.Redis) -> Work:
    return Work(empty_redis)


@pytest.fixture
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "PATIENCE", 0)


def abandon(work: Work, number: int = 1, queue: str = "high") -> list[str]:
    """Jobs whose worker claimed them and died."""
    ids = work.put(*[{"title": "x"}] * number, queue=queue)
    claimed = 0
    while claimed < number:
        claim = work.transitions.claim("dead", [queue], claim_id=f"c{claimed}", lease=-1)
        assert claim is not None
        claimed += len(claim.jobs)
    return ids


def test_one_leads_and_the_other_takes_over_when_it_resigns(work: Work) -> None:
    one, two = Maintenance(work.redis, name="one"), Maintenance(work.redis, name="two")
    assert one.lead()
    assert not two.lead()
    assert work.redis.get(keys.LEADER) == b"one"
    assert 0 < work.redis.ttl(keys.LEADER) <= maintenance.LEASE
    two.resign()
    assert one.lead(), "only the leader can give the lead up"
    one.resign()
    assert two.lead()


def test_a_leader_that_says_nothing_is_replaced(work: Work) -> None:
    one, two = Maintenance(work.redis, name="one"), Maintenance(work.redis, name="two")
    assert one.lead()
    work.redis.pexpire(keys.LEADER, 1)
    wait_until(two.lead)
    assert not one.lead()


@pytest.mark.usefixtures("_no_patience")
def test_a_round_recovers_and_promotes_every_queue(work: Work) -> None:
    for queue in QUEUES:
        abandon(work, 3, queue)
        (due,) = work.put({"title": "due"}, queue=queue, delay=60)
        work.redis.zadd(keys.scheduled(queue), {due: 1})
    Maintenance(work.redis).round()
    for queue in QUEUES:
        assert len(work.waiting(queue)) == 4
        assert work.started(queue) == 0
        assert work.redis.zcard(keys.scheduled(queue)) == 0


def test_a_round_takes_back_more_than_one_call_holds(work: Work) -> None:
    abandon(work, 250)
    assert recover(work.transitions, "high") == 250


@pytest.mark.usefixtures("_no_patience")
def test_a_live_lease_is_left_alone(work: Work) -> None:
    """A10: the seed takes back work that still runs."""
    work.put({"title": "x"})
    work.transitions.claim("alive", ["high"], claim_id="c", lease=30)
    Maintenance(work.redis).round()
    assert (work.started(), work.waiting()) == (1, [])


def test_a_lapsed_lease_is_left_for_its_worker_to_renew_for_a_while(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage of Redis every lease has lapsed, and nobody died."""
    now = [100.0]
    monkeypatch.setattr(maintenance.time, "monotonic", lambda: now[0])
    ids = abandon(work, 3)
    leader = Maintenance(work.redis)
    for after in (0.0, 4.9):
        now[0] = 100 + after
        leader.round()
        assert (work.started(), maintenance.stalled(work.redis, "high")) == (3, 3)
    work.transitions.renew(30, [("high", job_id, "c0") for job_id in ids])
    now[0] = 105
    leader.round()
    assert (work.started(), maintenance.stalled(work.redis, "high")) == (3, 0)
    work.transitions.renew(-1, [("high", job_id, "c0") for job_id in ids])
    for after in (10.0, 15.1):
        now[0] = 100 + after
        leader.round()
    assert work.waiting() == ids


def test_the_third_crash_is_a_dead_letter(work: Work) -> None:
    (job_id,) = abandon(work)
    for crash in (2, 3):
        recover(work.transitions, "high")
        work.transitions.claim("dead", ["high"], claim_id=f"again-{crash}", lease=-1)
    assert recover(work.transitions, "high") == 1
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "poison")


@pytest.mark.usefixtures("_no_patience")
def test_one_bad_queue_does_not_keep_the_others_from_their_round(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Transitions.promote

    def promote(self: Transitions, queue: str, *, limit: int) -> int:
        if queue == "critical":
            raise redis.ResponseError("WRONGTYPE")
        return real(self, queue, limit=limit)

    monkeypatch.setattr(Transitions, "promote", promote)
    abandon(work, queue="low")
    Maintenance(work.redis).round()
    assert len(work.waiting("low")) == 1


def test_stock_schedulers_and_cleanups_find_their_locks_taken(work: Work) -> None:
    """Design 13.13: a stock scheduler beside promote would push jobs twice."""
    Maintenance(work.redis).round()
    assert RQScheduler(["high"], connection=work.redis).acquire_locks() == set()
    assert not Queue("high", connection=work.redis).acquire_maintenance_lock()
    assert work.redis.get(RQScheduler.get_locking_key("high")) == LOCK_OWNER.encode()
    Maintenance(work.redis, name="the next leader").round()
    assert work.redis.ttl(RQScheduler.get_locking_key("high")) > 50


def test_it_goes_on_after_an_outage(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(maintenance, "ROUND", 0.05)
    monkeypatch.setattr(maintenance, "PATIENCE", 0.5)
    client = redis.Redis.from_url(own_valkey.url)
    work = Work(client)
    ended = threading.Event()
    leader = Maintenance(client)
    thread = threading.Thread(target=leader.run, args=(ended.is_set,))
    thread.start()
    try:
        wait_until(lambda: client.exists(keys.LEADER))
        own_valkey.kill()
        wait_until(lambda: "does not answer" in caplog.text)
        own_valkey.start()
        abandon(work, 2)
        wait_until(lambda: len(work.waiting()) == 2)
    finally:
        ended.set()
        thread.join()
    assert not client.exists(keys.LEADER), "the lead is given up at once"
    client.close()


def test_a_bug_in_a_round_does_not_end_it(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "ROUND", 0.01)
    rounds: list[int] = []

    def broken(self: Maintenance) -> None:
        rounds.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(Maintenance, "round", broken)
    Maintenance(work.redis).run(lambda: len(rounds) >= 3)
    assert len(rounds) == 3


def test_recover_stalled_prints_the_number(work: Work) -> None:
    abandon(work, 2, "critical")
    abandon(work, 3, "low")
    assert said("recover_stalled") == "5\n"
    assert said("recover_stalled") == "0\n"


def test_recover_stalled_can_take_work_that_runs_for_too_long(work: Work) -> None:
    (job_id,) = work.put({"title": "x"})
    work.transitions.claim("alive", ["high"], claim_id="c", lease=30)
    work.redis.hset(keys.job(job_id), "started_at", "2026-01-01T00:00:00.000000Z")
    assert said("recover_stalled", "--older-than", "600") == "1\n"
    with pytest.raises(CommandError, match="above 0"):
        said("recover_stalled", "--older-than", "-1")


def test_recover_all_counts_dead_letters_as_taken_back(work: Work) -> None:
    (job_id,) = abandon(work)
    work.redis.hset(keys.job(job_id), "crashes", 2)
    assert recover_all(work.transitions) == 1
    assert work.dead() == [job_id]


def said(*arguments: Any) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()
