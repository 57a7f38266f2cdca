"""Two invariants, after every step of any sequence: a job is in exactly one place, and the counters add up."""

from collections.abc import Callable
from typing import Any

import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ingest.queue import keys
from ingest.queue.transitions import Claim, Failure, Transitions, new_id
from tests.ingest.queue.conftest import make_job

QUEUES = ("critical", "low")
LAPSED, LIVE = -1.0, 30.0


class Life(RuleBasedStateMachine):
    """Jobs live, workers die, replies get lost: each call is sent twice now and then."""

    connection: redis.Redis

    @initialize()
    def begin(self) -> None:
        self.connection.flushall()
        self.transitions = Transitions(self.connection)
        self.jobs: dict[str, str] = {}  # id → queue
        self.completed: set[str] = set()
        self.claims: list[Claim] = []

    def call(self, twice: bool, send: Callable[[], Any]) -> Any:
        """The second sending, under the same request id, answers the same and changes nothing."""
        answer = send()
        if twice:
            before = self.everything()
            assert send() == answer
            assert self.everything() == before
        return answer

    def everything(self) -> dict[bytes, bytes]:
        return {key: self.connection.dump(key) for key in self.connection.scan_iter()}

    @rule(
        queue=st.sampled_from(QUEUES),
        number=st.integers(1, 3),
        delay=st.sampled_from([0, 0, 0.0001, 60]),
        delays=st.sampled_from([(), (0,), (0.0001, 0)]),
        twice=st.booleans(),
    )
    def enqueue(self, queue: str, number: int, delay: float, delays: tuple[float, ...], twice: bool) -> None:
        jobs = [make_job(queue=queue, delay=delay, retry_delays=delays) for _ in range(number)]
        request = new_id()
        results = self.call(twice, lambda: self.transitions.enqueue(jobs, request_id=request))
        assert all(result.accepted for result in results)
        self.jobs |= {job.id: queue for job in jobs}

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def enqueue_again(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(set(self.jobs) - self.completed) or [""]))
        if job_id:
            (result,) = self.transitions.enqueue([make_job(id=job_id, queue=self.jobs[job_id])])
            assert result.outcome == "duplicate"

    @rule(
        queues=st.permutations(QUEUES),
        limit=st.integers(1, 4),
        lease=st.sampled_from([LAPSED, LIVE]),
        worker=st.sampled_from(["w1", "w2"]),
        twice=st.booleans(),
    )
    def claim(self, queues: list[str], limit: int, lease: float, worker: str, twice: bool) -> None:
        claim_id = new_id()
        send = lambda: self.transitions.claim(worker, queues, claim_id=claim_id, limit=limit, lease=lease)  # noqa: E731
        waiting = [queue for queue in queues if self.connection.llen(keys.queue(queue))]
        answer = self.call(twice and bool(waiting), send)
        assert (answer.queue if answer else None) == (waiting[0] if waiting else None)
        if answer:
            assert len(answer.jobs) == 1 or not any(job.alone for job in answer.jobs)
            self.claims.append(answer)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), twice=st.booleans(), how=st.sampled_from(["complete", "fail", "release", "renew"]))
    def answer(self, data: st.DataObject, twice: bool, how: str) -> None:
        """By any claim that ever was: the fence sorts out who may."""
        claim = data.draw(st.sampled_from(self.claims))
        ids = data.draw(st.lists(st.sampled_from([job.id for job in claim.jobs]), min_size=1, unique=True))
        worker, request = "w1", new_id()
        if how == "complete":
            may = {i for i in ids if self.holds(claim, i) or self.was_recovered_unclaimed(claim, i)}
            refused = self.call(
                twice, lambda: self.transitions.complete(claim.queue, claim.id, worker, ids, request_id=request)
            )
            assert set(ids) - set(refused) == may
            self.completed |= may
        elif how == "fail":
            may = {i for i in ids if self.holds(claim, i)}
            retry = data.draw(st.booleans())
            failures = [Failure(job_id, "boom", retry=retry) for job_id in ids]
            outcomes = self.call(
                twice, lambda: self.transitions.fail(claim.queue, claim.id, worker, failures, request_id=request)
            )
            assert {i for i, outcome in outcomes.items() if outcome != "refused"} == may
        elif how == "release":
            may = {i for i in ids if self.holds(claim, i)}
            number = self.call(twice, lambda: self.transitions.release(claim.queue, claim.id, ids, request_id=request))
            assert number == len(may)
        else:
            held = [(claim.queue, job_id, claim.id) for job_id in ids]
            lost = self.transitions.renew(data.draw(st.sampled_from([LAPSED, LIVE])), held)
            assert {job_id for _, job_id, _ in lost} == {i for i in ids if not self.holds(claim, i)}

    @rule(
        queue=st.sampled_from(QUEUES),
        limit=st.integers(1, 3),
        older=st.sampled_from([None, None, 0]),
        twice=st.booleans(),
    )
    def recover(self, queue: str, limit: int, older: float | None, twice: bool) -> None:
        request = new_id()
        done = self.transitions.recover(queue, limit=limit, older_than=older, request_id=request)
        if twice and (done.requeued or done.dead):
            before = self.everything()
            if older is None:
                assert self.transitions.recover(queue, limit=limit, request_id=request) == done
                assert self.everything() == before

    @rule(queue=st.sampled_from(QUEUES), limit=st.integers(1, 3))
    def promote(self, queue: str, limit: int) -> None:
        assert self.transitions.promote(queue, limit=limit) <= limit

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), queue=st.sampled_from(QUEUES), twice=st.booleans())
    def requeue(self, data: st.DataObject, queue: str, twice: bool) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.jobs)), min_size=1, max_size=5, unique=True))
        request = new_id()
        dead = {i for i in ids if self.connection.zscore(keys.failed(queue), i) is not None}
        moved = self.call(twice, lambda: self.transitions.requeue(queue, ids, request_id=request))
        assert set(moved) == dead

    @invariant()
    def a_job_is_in_exactly_one_place(self) -> None:
        places: dict[str, list[str]] = {job_id: [] for job_id in self.jobs}
        for queue in QUEUES:
            for job_id in self.connection.lrange(keys.queue(queue), 0, -1):
                places[job_id.decode()].append("queued")
            for member in self.connection.zrange(keys.started(queue), 0, -1):
                places[member.decode().partition(":")[0]].append("started")
            for job_id in self.connection.zrange(keys.scheduled(queue), 0, -1):
                places[job_id.decode()].append("scheduled")
            for job_id in self.connection.zrange(keys.failed(queue), 0, -1):
                places[job_id.decode()].append("failed")
        for job_id, found in places.items():
            status = self.connection.hget(keys.job(job_id), "status")
            assert found == ([] if job_id in self.completed else [(status or b"").decode()])

    @invariant()
    def the_counters_add_up(self) -> None:
        for queue in QUEUES:
            found = self.connection.hgetall(keys.counters(queue))
            number = {name.decode(): int(value) for name, value in found.items()}
            n = lambda name: number.get(name, 0)  # noqa: B023, E731
            queued, started = self.connection.llen(keys.queue(queue)), self.connection.zcard(keys.started(queue))
            scheduled, failed = self.connection.zcard(keys.scheduled(queue)), self.connection.zcard(keys.failed(queue))
            assert n("enqueued") == queued + started + scheduled + failed + n("completed")
            assert n("enqueued") == sum(1 for each in self.jobs.values() if each == queue)
            assert n("completed") == sum(1 for job_id in self.completed if self.jobs[job_id] == queue)
            assert failed == n("dead") - n("requeued")
            left = n("completed") - n("late") + n("retried") + n("dead") + n("released") + n("recovered")
            assert started == n("claimed") - left
            assert n("phantom") == n("foreign_claimed") == 0

    def holds(self, claim: Claim, job_id: str) -> bool:
        return self.connection.zscore(keys.started(claim.queue), f"{job_id}:{claim.id}") is not None

    def was_recovered_unclaimed(self, claim: Claim, job_id: str) -> bool:
        status, lapsed = self.connection.hmget(keys.job(job_id), "status", keys.LAPSED)
        return bool(status == b"queued" and lapsed == claim.id.encode())


def test_any_life_keeps_the_invariants(empty_redis: redis.Redis) -> None:
    Life.connection = empty_redis
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Life,
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
