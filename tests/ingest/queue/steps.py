"""What may happen to jobs, in any order: they live, workers die, operators press everything, replies get lost.

A crash between two steps is a claim that nobody answers, or answers when others hold the job; a lost reply
is a call that is sent twice.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import redis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from ingest.queue import calls, keys
from ingest.queue.limits import Limit, remove_limit, set_limit
from ingest.queue.shapes import Mode
from ingest.queue.transitions import Claim, Failure, Transitions, new_id
from tests.ingest.queue.conftest import Queue, make_job

QUEUES = ("critical", "low")
LAPSED, LIVE = -1.0, 30.0
MODES: tuple[Mode, ...] = ("", "", "", "async", "single")
LIMITED = ("kind", "alert")
#: Its tasks have workers of their own.
TYPE = "gpu"

queues = st.sampled_from(QUEUES)
twice = st.booleans()


class Steps(RuleBasedStateMachine):
    """The steps; what must hold after each is the business of who inherits them."""

    connection: redis.Redis

    @initialize(near=st.sampled_from([0, 1000]))
    def begin(self, near: int) -> None:
        """`near` 0: whatever leaves a list leaves a tombstone."""
        self.connection.flushall()
        self.queue = Queue(self.connection)
        self.transitions = Transitions(self.connection)
        self.jobs: dict[str, str] = {}  # id → queue
        self.ordered: dict[str, str] = {}  # id → ordering key
        self.enqueued: Counter[str] = Counter()
        self.completed: set[str] = set()
        self.purged: set[str] = set()
        self.claims: list[Claim] = []
        self.near = mock.patch.object(calls, "NEAR", near)
        self.near.start()

    def teardown(self) -> None:
        if hasattr(self, "near"):
            self.near.stop()

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

    def some(self, data: st.DataObject) -> list[str]:
        """Any jobs, wherever they are."""
        ids: list[str] = data.draw(st.lists(st.sampled_from(sorted(self.jobs)), min_size=1, max_size=5, unique=True))
        return ids

    def in_place(self, place: str, queue: str) -> set[str]:
        return {
            job_id
            for job_id, origin in self.jobs.items()
            if origin == queue and self.queue.places(job_id, queue) == [place]
        }

    # --- senders ------------------------------------------------------------------------------

    @rule(
        queue=queues,
        number=st.integers(1, 3),
        delay=st.sampled_from([0, 0, 0.0001, 60]),
        delays=st.sampled_from([(), (0,), (0.0001, 0)]),
        mode=st.sampled_from(MODES),
        dead_letters=st.sampled_from([True, True, False]),
        result_ttl=st.sampled_from([0, 0, 3600]),
        ordering_key=st.sampled_from(["", "", "chat", "other chat"]),
        own_workers=st.sampled_from([False, False, True]),
        twice=twice,
    )
    def enqueue(
        self, queue: str, number: int, twice: bool, delays: tuple[float, ...], own_workers: bool, **more: Any
    ) -> None:
        if own_workers:
            more |= {"kind": "task", "type": TYPE, "own_workers": True}
        jobs = [make_job(queue=queue, retry_delays=delays, **more) for _ in range(number)]
        request = new_id()
        results = self.call(twice, lambda: self.transitions.enqueue(jobs, request_id=request))
        assert all(result.accepted for result in results)
        self.jobs |= {job.id: queue for job in jobs}
        self.ordered |= {job.id: job.ordering_key for job in jobs if job.ordering_key}
        self.enqueued[queue] += number

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), delay=st.sampled_from([0, 60]))
    def enqueue_again(self, data: st.DataObject, delay: float) -> None:
        """Under an id that is taken; what was thrown away or canceled may come again."""
        job_id = data.draw(st.sampled_from(sorted(set(self.jobs) - self.completed - self.purged) or [""]))
        if not job_id:
            return
        queue = self.jobs[job_id]
        anew = self.queue.places(job_id, *QUEUES)[0] in ("trash", "canceled")
        ordering = self.ordered.get(job_id, "")
        (result,) = self.transitions.enqueue([make_job(id=job_id, queue=queue, delay=delay, ordering_key=ordering)])
        assert result.accepted == anew
        self.enqueued[queue] += anew

    # --- workers ------------------------------------------------------------------------------

    @rule(
        order=st.permutations(QUEUES),
        limit=st.integers(1, 4),
        async_limit=st.sampled_from([2, 2, 2, 0]),
        lease=st.sampled_from([LAPSED, LIVE]),
        worker=st.sampled_from(["w1", "w2"]),
        types=st.sampled_from([(), (), (TYPE,), ("other", TYPE)]),
        twice=twice,
    )
    def claim(
        self,
        order: list[str],
        limit: int,
        async_limit: int,
        lease: float,
        worker: str,
        types: tuple[str, ...],
        twice: bool,
    ) -> None:
        claim_id = new_id()

        def send() -> Claim | None:
            return self.transitions.claim(
                worker, order, claim_id=claim_id, limit=limit, async_limit=async_limit, lease=lease, types=types
            )

        waiting = [queue for queue in order if self.served(queue, types) and not self.is_paused(queue)]
        limited = self.connection.exists(keys.LIMITS)
        answer = send()
        if not limited and async_limit:
            assert (answer.queue if answer else None) == (waiting[0] if waiting else None)
        if answer is None:
            return
        if twice:
            before = self.everything()
            assert send() == answer
            assert self.everything() == before
        assert not self.is_paused(answer.queue)
        assert {self.queue.hash(job.id).get(keys.LANE) for job in answer.jobs} == {TYPE if types else None}
        (mode,) = {job.mode for job in answer.jobs}
        assert len(answer.jobs) <= {"": limit, "async": min(limit, async_limit)}.get(mode, 1)
        assert len(answer.jobs) == 1 or not any(job.alone for job in answer.jobs)
        self.claims.append(answer)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), twice=twice, how=st.sampled_from(["complete", "fail", "release", "renew", "progress"]))
    def answer(self, data: st.DataObject, twice: bool, how: str) -> None:
        """By any claim that ever was: the fence sorts out who may."""
        claim = data.draw(st.sampled_from(self.claims))
        ids = data.draw(st.lists(st.sampled_from([job.id for job in claim.jobs]), min_size=1, unique=True))
        worker, request, queue = "w1", new_id(), claim.queue
        may = {job_id for job_id in ids if self.holds(claim, job_id)}
        stopping = {job_id for job_id in may if keys.STOPPING in self.queue.hash(job_id)}
        if how == "complete":
            may |= {job_id for job_id in ids if self.was_recovered_unclaimed(claim, job_id)}
            results = {job_id: [job_id] for job_id in ids}
            refused = self.call(
                twice,
                lambda: self.transitions.complete(queue, claim.id, worker, ids, results=results, request_id=request),
            )
            assert set(ids) - set(refused) == may
            self.completed |= may
        elif how == "fail":
            retry = data.draw(st.booleans())
            failures = [Failure(job_id, "boom", retry=retry) for job_id in ids]
            outcomes = self.call(
                twice, lambda: self.transitions.fail(queue, claim.id, worker, failures, request_id=request)
            )
            assert {job_id for job_id, outcome in outcomes.items() if outcome != "refused"} == may
            assert {job_id for job_id, outcome in outcomes.items() if outcome == "canceled"} == stopping
        elif how == "release":
            number = self.call(twice, lambda: self.transitions.release(queue, claim.id, ids, request_id=request))
            assert number == len(may - stopping)
        elif how == "progress":
            for job_id in ids:
                assert self.transitions.progress(queue, claim.id, job_id, value=1, line="x") == (job_id in may)
        else:
            held = [(queue, job_id, claim.id) for job_id in ids]
            lost = self.transitions.renew(data.draw(st.sampled_from([LAPSED, LIVE])), held)
            assert {job_id for _, job_id, _ in lost} == set(ids) - may

    # --- maintenance --------------------------------------------------------------------------

    @rule(queue=queues, limit=st.integers(1, 3), older=st.sampled_from([None, None, 0]), twice=twice)
    def recover(self, queue: str, limit: int, older: float | None, twice: bool) -> None:
        request = new_id()
        done = self.transitions.recover(queue, limit=limit, older_than=older, request_id=request)
        if twice and (done.requeued or done.dead) and older is None:
            before = self.everything()
            assert self.transitions.recover(queue, limit=limit, request_id=request) == done
            assert self.everything() == before

    @rule(queue=queues, limit=st.integers(1, 3))
    def promote(self, queue: str, limit: int) -> None:
        assert self.transitions.promote(queue, limit=limit) <= limit

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), queue=queues)
    def heal(self, data: st.DataObject, queue: str) -> None:
        """Nothing here is ever lost, so there is nothing to heal."""
        assert self.transitions.heal(queue, self.some(data)) == []

    @rule(queue=queues, limit=st.integers(1, 3))
    def sweep_when_all_is_old(self, queue: str, limit: int) -> None:
        trash = self.in_place("trash", queue)
        with mock.patch.object(calls, "TRASH_SECONDS", -1):
            self.transitions.sweep(queue, limit=limit)
        self.purged |= {job_id for job_id in trash if not self.queue.places(job_id, *QUEUES)}

    # --- operators ----------------------------------------------------------------------------

    @precondition(lambda self: self.jobs)
    @rule(
        data=st.data(),
        queue=queues,
        twice=twice,
        what=st.sampled_from(["run_now", "discard", "restore", "cancel", "purge", "move", "requeue", "give_back"]),
        to=queues,
    )
    def operate(self, data: st.DataObject, queue: str, twice: bool, what: str, to: str) -> None:
        ids, request = self.some(data), new_id()
        places = {"run_now": ["scheduled"], "restore": ["trash"], "purge": ["trash"], "requeue": ["failed"]}
        places |= {"discard": ["queued", "scheduled", "failed"], "cancel": ["queued", "scheduled"], "move": ["queued"]}
        places |= {"give_back": ["queued"]}
        may = set.union(*(self.in_place(place, queue) for place in places[what])) & set(ids)
        if what == "move" and to == queue:
            may = set()
        more: dict[str, Any] = {"to": to} if what in ("move", "requeue") else {}
        if what == "requeue":
            more["replay"] = "17"
        elif what == "give_back":
            hashes = {job_id: self.queue.hash(job_id) for job_id in may}
            may = {job_id for job_id, job in hashes.items() if keys.REPLAY in job and keys.LAPSED not in job}
            more = {"home": to, "replay": "17"}
        do = getattr(self.transitions, what)
        moved = self.call(twice, lambda: do(queue, ids, request_id=request, **more))
        assert sorted(moved) == sorted(may)
        if more:
            self.jobs |= dict.fromkeys(moved, to)
        if what == "purge":
            self.purged |= set(moved)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), queue=queues, twice=twice)
    def stop(self, data: st.DataObject, queue: str, twice: bool) -> None:
        """What runs for an effect handler is asked to end, and goes on being held."""
        ids, request = self.some(data), new_id()
        started = self.in_place("started", queue) & set(ids)
        asked = self.call(twice, lambda: self.transitions.stop(queue, ids, request_id=request))
        assert set(asked) == {job_id for job_id in started if self.queue.hash(job_id).get(keys.MODE)}

    @rule(queue=queues, most=st.integers(1, 3), twice=twice, whole=st.booleans())
    def empty(self, queue: str, most: int, twice: bool, whole: bool) -> None:
        seconds, _ = self.connection.time()
        waiting, request = self.in_place("queued", queue), new_id()
        before = seconds + 60 if whole else seconds - 3600
        done = self.call(twice, lambda: self.transitions.empty(queue, before=before, most=most, request_id=request))
        assert done.moved <= len(waiting) if whole else done.moved == 0

    @rule(queue=st.sampled_from([*QUEUES, None]), resume=st.booleans())
    def pause(self, queue: str | None, resume: bool) -> None:
        if resume:
            self.transitions.resume(None)
            self.transitions.resume(queue)
        else:
            self.transitions.pause(queue)

    @rule(most=st.integers(0, 2))
    def limit(self, most: int) -> None:
        if most:
            set_limit(self.connection, Limit("kind", "alert", most, 3600))
        else:
            remove_limit(self.connection, "kind", "alert")

    @rule()
    def next_window(self) -> None:
        self.connection.delete(f"{keys.PREFIX}:qa:used:{':'.join(LIMITED)}")

    # --- where jobs are --------------------------------------------------------------------------

    def number(self, job_id: str) -> float:
        return self.connection.zscore(keys.behind(self.jobs[job_id]), job_id) or 0

    def in_lists(self, queue: str) -> int:
        return self.queue.waiting(queue) - self.connection.zcard(keys.behind(queue))

    def served(self, queue: str, types: tuple[str, ...]) -> int:
        """How many jobs of the queue a worker that serves these types may claim."""
        lane = self.connection.lrange(keys.parked_jobs(queue, keys.lane(TYPE)), 0, -1)
        laned = sum(not self.connection.sismember(keys.tombstones(queue), job_id) for job_id in lane)
        return laned if types else self.in_lists(queue) - laned

    def is_paused(self, queue: str) -> bool:
        return any(score is not None for score in self.connection.zmscore(keys.PAUSED, [queue, keys.ALL_QUEUES]))

    def holds(self, claim: Claim, job_id: str) -> bool:
        return self.connection.zscore(keys.started(claim.queue), f"{job_id}:{claim.id}") is not None

    def was_recovered_unclaimed(self, claim: Claim, job_id: str) -> bool:
        """Back in its queue's list, where the late worker may still take it out."""
        status, lapsed = self.connection.hmget(keys.job(job_id), "status", keys.LAPSED)
        lane = self.connection.hexists(keys.job(job_id), keys.LANE)
        line = keys.parked_jobs(claim.queue, keys.lane(TYPE)) if lane else keys.queue(claim.queue)
        listed = self.connection.lpos(line, job_id) is not None
        return bool(status == b"queued" and lapsed == claim.id.encode() and listed)
