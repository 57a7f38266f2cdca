"""What a stop takes back waits again, and goes on once: against workers, an operator and kills at any point (X1)."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from ingest.queue import keys
from ingest.queue.transitions import Transitions
from queueadmin.console import operations
from queueadmin.console.models import Replay, ReplayChunk
from queueadmin.console.replays import freezing, moving, outcome, settling, shown, versions
from tests.console.conftest import Jobs
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

SET = {"canary": 0, "ramp": (0,), "stop_new_errors": 1}


class Killed(Exception):
    """kill -9 of the leader."""


def stopped(stage: Stage, jobs: Jobs, count: int = 20, **more: Any) -> tuple[Replay, list[str]]:
    """A replay whose first job failed with a new error while the others were queued."""
    ids = jobs.fail(count)
    replay = stage.step(stage.start(**SET, **more))
    queue = more.get("to", "high")
    claim = jobs.start(queue=queue, limit=1)
    fail_anew(jobs, claim, jobs.claimed, "KeyError", queue)
    return replay, ids


def fail_anew(jobs: Jobs, claim: str, ids: list[str], error: str, queue: str = "high") -> None:
    jobs.transitions.fail(queue, claim, "w", [replace(jobs.failure(job_id), error_type=error) for job_id in ids])


@pytest.mark.parametrize("to", [None, "low"])
def test_x1_a_stop_takes_back_what_has_not_begun_and_go_on_goes_on_with_it(
    stage: Stage, jobs: Jobs, to: str | None
) -> None:
    replay, ids = stopped(stage, jobs, **({"to": to} if to else {}))
    before = {job_id: stage.redis.hget(keys.job(job_id), "ended_at") for job_id in ids[2:]}
    held = jobs.start(queue=to or "high", limit=1)
    running = jobs.claimed
    stage.step(replay)
    assert replay.state == "stopped"
    assert not stage.redis.llen(keys.queue(to or "high")), "at once, before a worker comes to more of them"
    stage.step(replay)
    assert (replay.in_flight, replay.given_back, replay.settled) == (1, 18, False)
    assert outcome(replay) == (
        "Of 20: 0 succeeded, 1 failed again, 1 new error, 1 in flight, 18 left as they were, "
        "18 of them taken back before they began; A new error appeared: KeyError."
    )
    assert (shown(replay)["waiting"], shown(replay)["given_back"]) == (18, 18)
    assert {job_id: stage.redis.hget(keys.job(job_id), "ended_at") for job_id in ids[2:]} == before
    fail_anew(jobs, held, running, "KeyError", to or "high")
    stage.step(replay)
    assert (replay.failed, replay.settled) == (2, True)
    operations.resume_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert (replay.released, replay.given_back) == (20, 0)
    assert stage.work(queue=to or "high") == ids[2:]
    stage.step(replay)
    assert outcome(replay) == "Of 20: 18 succeeded, 2 failed again, 1 new error."
    assert (replay.state, sorted(stage.dead(to or "high"))) == ("done", ids[:2])


def test_what_a_stock_worker_failed_goes_on_too(stage: Stage, jobs: Jobs) -> None:
    """Its dead letters have the score -1, and have it again."""
    ids = jobs.fail(3)
    stage.redis.zadd(keys.failed("high"), dict.fromkeys(ids, -1))
    replay = stage.step(stage.start(**SET))
    claim = jobs.start(limit=1)
    fail_anew(jobs, claim, jobs.claimed, "KeyError")
    stage.step(stage.step(replay))
    assert replay.given_back == 2
    operations.resume_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert len(stage.work()) == 2
    assert (stage.step(replay).state, replay.already, replay.succeeded) == ("done", 0, 2)


def test_one_that_somebody_moved_after_it_was_taken_back_is_left(stage: Stage, jobs: Jobs) -> None:
    replay, ids = stopped(stage, jobs, 6)
    stage.step(stage.step(replay))
    jobs.transitions.requeue("high", ids[2:3])
    jobs.transitions.discard("high", ids[4:5])
    stage.work(fails=ids[2:3])
    operations.resume_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert stage.work() == [ids[1], ids[3], ids[5]]
    stage.step(replay)
    assert (replay.state, replay.succeeded, replay.already, replay.given_back) == ("done", 3, 2, 0)


def test_only_chunks_with_somebody_who_waits_are_gone_through_again(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "CHUNK", 4)
    ids = jobs.fail(40)
    replay = stage.step(stage.start(**SET))
    first = jobs.start(limit=1)
    between = jobs.start(limit=38)
    fail_anew(jobs, between, ids[1:2], "KeyError")
    stage.processed(ids[2:39])
    jobs.transitions.complete("high", between, "w", ids[2:39])
    jobs.transitions.release("high", first, ids[:1])
    stage.step(stage.step(replay))
    assert (replay.state, replay.given_back) == ("stopped", 2)
    seen: list[int] = []
    real = moving.finish

    def noted(*arguments: Any) -> int:
        seen.append(arguments[2].chunk)
        return real(*arguments)

    monkeypatch.setattr(moving, "finish", noted)
    operations.resume_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert seen == [9, 0]
    assert stage.work() == [ids[0], ids[39]]
    assert stage.step(replay).state == "done"


def test_with_none_left_to_go_on_with_it_is_done(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    replay = stage.step(stage.start(**SET))
    claim = jobs.start(limit=3)
    fail_anew(jobs, claim, ids[:1], "KeyError")
    stage.step(replay)
    assert (replay.state, replay.in_flight) == ("stopped", 2)
    fail_anew(jobs, claim, ids[1:], "KeyError")
    stage.step(replay)
    assert (replay.state, replay.why, replay.settled) == ("done", "", True)
    assert not ReplayChunk.objects.exists()


class World:
    """Workers that claim and end, and an operator who presses Go on, between any two things that the leader does."""

    def __init__(self, stage: Stage, jobs: Jobs, replay: Replay, seed: int) -> None:
        self.stage, self.jobs, self.replay = stage, jobs, replay
        self.random = random.Random(seed)
        self.held: list[tuple[str, list[str]]] = []
        #: Id → how often it ran.
        self.ran: Counter[str] = Counter()
        self.failed: set[str] = set()
        self.kills = True

    def turn(self) -> None:
        """Something of it, or nothing."""
        what = self.random.random()
        if what < 0.35:
            self.claim()
        elif what < 0.7:
            self.end()
        elif what < 0.75:
            operations.resume_replay(self.replay.pk, actor="ben")

    def claim(self) -> None:
        limit = self.random.randint(1, 6)
        if self.stage.redis.llen(keys.queue("high")):
            claim = self.jobs.start(limit=limit)
            self.held.append((claim, self.jobs.claimed))

    def end(self) -> None:
        if not self.held:
            return
        claim, ids = self.held.pop(self.random.randrange(len(self.held)))
        self.ran.update(ids)
        bad = [job_id for job_id in ids if self.random.random() < 0.15]
        good = [job_id for job_id in ids if job_id not in bad]
        self.stage.processed(good)
        assert self.jobs.transitions.complete("high", claim, "w", good) == []
        # Each time another error: the one before is accepted by whoever let it go on.
        fail_anew(self.jobs, claim, bad, f"Error{self.random.randrange(10**9)}Error")
        self.failed |= set(bad)

    def kill(self) -> None:
        """Now and then; sometimes for so long that Redis has forgotten its answers."""
        if self.kills and self.random.random() < 0.03:
            if self.random.random() < 0.5 and (kept := self.stage.redis.keys("rq:qa:req:*")):
                self.stage.redis.delete(*kept)
            raise Killed

    def wrapped(self, do: Callable[..., Any], *, alone: bool) -> Callable[..., Any]:
        """With the world before and after it; `alone`: in a transaction, where nobody else's rows may be undone."""

        def call(*arguments: Any, **more: Any) -> Any:
            for _ in range(0 if alone else 3):
                self.turn()
            self.kill()
            done = do(*arguments, **more)
            self.kill()
            for _ in range(0 if alone else 3):
                self.turn()
            return done

        return call


@pytest.mark.parametrize("seed", range(6))
def test_x1_stopping_races_with_claims_kills_and_go_on_and_each_job_runs_once(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The ledger of what ran, and where each job stands after every step."""
    monkeypatch.setattr(freezing, "CHUNK", 9)
    monkeypatch.setattr("queueadmin.console.replays.engine.TURN", 0.01)
    monkeypatch.setattr("queueadmin.console.replays.engine._LOOK", 0.0)
    ids = jobs.fail(60)
    replay = stage.step(stage.start(canary=4, ramp=(5 * (seed % 2),), stop_new_errors=1))
    world = World(stage, jobs, replay, seed)
    for name in ("requeue", "give_back"):
        monkeypatch.setattr(Transitions, name, world.wrapped(getattr(Transitions, name), alone=False))
    monkeypatch.setattr(settling, "look", world.wrapped(settling.look, alone=False))
    monkeypatch.setattr(versions, "save", world.wrapped(versions.save, alone=True))
    stops = 0
    for _ in range(600):
        try:
            stage.step(replay)
        except Killed:
            stage.restart()
        world.turn()
        replay.refresh_from_db()
        assert places_of(stage.redis, ids) == Counter(set(ids) - (set(world.ran) - world.failed))
        if replay.state == "stopped":
            stops += 1
            operations.resume_replay(replay.pk, actor="ben")
        if replay.settled and replay.state == "done":
            break
    assert replay.state == "done", outcome(replay)
    assert world.ran == Counter(ids)
    assert (replay.succeeded, replay.failed) == (60 - len(world.failed), len(world.failed))
    assert (replay.already, replay.taken, replay.lost, replay.given_back) == (0, 0, 0, 0)
    assert set(stage.dead()) == world.failed
    assert stops


def places_of(client: redis.Redis, ids: list[str]) -> Counter[str]:
    """How many places each of these is in."""
    queued = [job_id.decode() for job_id in client.lrange(keys.queue("high"), 0, -1)]
    dead = [job_id.decode() for job_id in client.zrange(keys.failed("high"), 0, -1)]
    started = [member.decode().partition(":")[0] for member in client.zrange(keys.started("high"), 0, -1)]
    return Counter(job_id for job_id in [*queued, *dead, *started] if job_id in set(ids))


@pytest.mark.parametrize("kind", ["discard", "restore"])
def test_two_replays_of_one_person_count_each_job_once(stage: Stage, jobs: Jobs, kind: str) -> None:
    """Both said that they had moved what one of them had: 88,420 of 56,960 were restored."""
    ids = jobs.fail(40)
    if kind == "restore":
        jobs.transitions.discard("high", ids, by="ada")
    first, second = stage.start(kind=kind), stage.start(kind=kind)
    for each in (first, second):
        stage.engine._freeze(each, each.created_at)
    stage.step(first)
    stage.step(second)
    first.refresh_from_db()
    assert (first.succeeded + second.succeeded, first.already + second.already) == (40, 40)


def test_what_moved_already_goes_by_hundreds_also_at_one_a_second(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = jobs.fail(900)
    replay = stage.step(stage.start(ramp=(1,)))  # one goes
    jobs.transitions.requeue("high", ids[1:881])
    moves: list[int] = []
    move = moving.move
    monkeypatch.setattr(moving, "move", lambda *args: moves.append(move(*args)) or moves[-1])
    stage.step(replay)
    assert (replay.already, replay.released, sum(moves)) == (880, 2, 1)
    assert len(moves) <= 5
