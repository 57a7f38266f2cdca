"""Replays as the leader runs them, step by step (X1, issue 8 part 4)."""

from typing import Any

import pytest
import redis

from ingest.queue import keys
from ingest.queue.transitions import Transitions
from queueadmin.console import operations
from queueadmin.console.models import AuditEntry, Replay, ReplayChunk
from queueadmin.console.replays import outcome, reading, settling
from tests.console.conftest import Jobs  # fmt: skip
from tests.console.conftest import outcome as audited_outcome
from tests.console.replays.conftest import Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_x1_what_matched_is_replayed_once_and_its_outcome_told(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(30, source="zabbix")
    others = jobs.fail(2, source="other")
    replay = stage.step(stage.start("source:zabbix"))
    assert (replay.size, replay.in_flight, replay.state) == (30, 30, "running")
    assert stage.work(fails=ids[:3]) == ids  # the longest dead first
    stage.step(replay)
    assert (replay.state, replay.succeeded, replay.failed, replay.settled) == ("done", 27, 3, True)
    assert outcome(replay) == "Of 30: 27 succeeded, 3 failed again."
    assert sorted(stage.dead()) == sorted([*others, *ids[:3]])
    entry = audited_outcome()
    assert (entry.actor, entry.action, entry.count, entry.outcome) == (
        "ada", "end_retry", 27, "Of 30: 27 succeeded, 3 failed again.",
    )  # fmt: skip
    assert not ReplayChunk.objects.exists()
    stage.step(replay)
    assert AuditEntry.objects.filter(action="end_retry", step="outcome").count() == 1


def test_x1_what_fails_later_is_never_swept_in(stage: Stage, jobs: Jobs) -> None:
    """Neither what came after the press, nor what failed again after somebody else retried it."""
    ids = jobs.fail(4)
    replay = stage.start()
    late = jobs.fail(3)
    jobs.transitions.requeue("high", ids[:1])
    stage.work(fails=ids[:1])
    stage.step(replay)
    assert stage.work() == ids[1:]
    stage.step(replay)
    assert (replay.size, replay.succeeded, replay.state) == (3, 3, "done")
    assert sorted(stage.dead()) == sorted([*late, ids[0]])


def test_x1_one_that_moved_after_it_was_frozen_is_left(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    replay = stage.step(stage.start(ramp=(1,)))  # one goes, the others wait
    assert replay.released == 1
    jobs.transitions.discard("high", ids[1:2])
    jobs.transitions.requeue("high", ids[2:])
    stage.work(fails=ids[2:])
    Replay.objects.update(ramp=[0])
    stage.step(stage.step(replay))
    assert (replay.succeeded, replay.already, replay.state) == (1, 2, "done")
    assert outcome(replay) == "Of 3: 1 succeeded, 2 had moved already."
    assert stage.dead() == ids[2:]


def test_x1_a_replayed_job_has_one_attempt(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(1)
    jobs.transitions.requeue("high", ids)
    stage.redis.hset(keys.job(ids[0]), mapping={"retry_intervals": "[0,0]", "retries_left": 2})
    claim = jobs.start()
    jobs.transitions.fail("high", claim, "w", [jobs.failure(ids[0])])
    replay = stage.step(stage.start())
    assert stage.work(fails=ids) == ids
    assert (stage.step(replay).failed, stage.dead()) == (1, ids)


def test_pause_go_on_and_cancel(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(20)
    replay = stage.step(stage.start(ramp=(5,)))
    said = operations.pause_replay(replay.pk, actor="ben", reason="lunch")
    assert said.sentence == f"Replay {replay.pk} paused. 5 in flight end; 15 stay where they are."
    assert operations.pause_replay(replay.pk, actor="ben").changed is False
    stage.work()
    stage.step(replay)
    assert (replay.state, replay.released, replay.succeeded) == ("paused", 5, 5)
    operations.resume_replay(replay.pk, actor="ben")
    assert stage.step(replay).released > 5
    held = jobs.start(limit=2)
    running = jobs.claimed
    operations.cancel_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert (replay.settled, replay.in_flight) == (False, 2)  # what runs ends
    assert stage.work() == []  # and what was queued went back
    jobs.transitions.complete("high", held, "w", running)
    stage.step(replay)
    assert (replay.state, replay.settled) == ("canceled", True)
    assert sorted([*stage.dead(), *stage.ran, *running]) == sorted(ids)
    assert (replay.succeeded, replay.released) == (5, 7)
    assert outcome(replay).endswith("13 left as they were, 8 of them taken back before they began.")
    assert operations.resume_replay(replay.pk, actor="ben").changed is False


def test_what_a_canceled_replay_takes_back_is_as_it_was(stage: Stage, jobs: Jobs) -> None:
    """In its own queue, in its old place, found by its error, and not by the replay's number."""
    ids = jobs.fail(3)
    before = {job_id: stage.redis.zscore(keys.failed("high"), job_id) for job_id in ids}
    replay = stage.step(stage.start(to="low"))
    assert stage.redis.llen(keys.queue("low")) == 3
    operations.cancel_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert (replay.state, replay.settled, replay.released) == ("canceled", True, 0)
    assert outcome(replay) == "Of 3: 0 succeeded, 3 left as they were, 3 of them taken back before they began."
    assert {job_id: stage.redis.zscore(keys.failed("high"), job_id) for job_id in ids} == before
    found = stage.step(stage.start("error:ValueError", reason="once more"))
    assert (found.size, found.in_flight) == (3, 3)
    assert sorted(stage.work()) == sorted(ids)


def test_killed_between_taking_back_and_the_row_nothing_is_counted_as_moved_by_others(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.fail(4)
    replay = stage.step(stage.start())
    operations.cancel_replay(replay.pk, actor="ben")

    def dies(*_: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(settling, "settle", dies)
    with pytest.raises(RuntimeError):
        stage.step(replay)
    monkeypatch.undo()
    assert len(stage.dead()) == 4
    stage.restart()
    stage.step(replay)
    assert (replay.settled, replay.taken, replay.released) == (True, 0, 0)
    assert outcome(replay) == "Of 4: 0 succeeded, 4 left as they were, 4 of them taken back before they began."


def test_x7_what_a_replay_discarded_can_be_undone(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    replay = stage.step(stage.start(kind="discard"))
    assert (replay.state, stage.dead()) == ("done", [])
    undone = operations.undo(f"replay-{replay.pk}", actor="ben")
    assert undone.sentence == "3 jobs restored."
    assert sorted(stage.dead()) == sorted(ids)


def test_poison_is_left_out_unless_asked_and_claimed_alone(stage: Stage, jobs: Jobs) -> None:
    poison = jobs.fail(1, reason="poison")
    stage.redis.hset(keys.job(poison[0]), keys.ALONE, "1")
    others = jobs.fail(2)
    replay = stage.step(stage.start())
    assert (replay.size, replay.poison_left) == (2, 1)
    assert sorted(stage.work()) == sorted(others)
    replay = stage.step(stage.start(include_poison=True))
    assert replay.size == 1
    claim = jobs.transitions.claim("w", ["high"], claim_id="c", lease=30)
    assert claim
    assert [job.alone for job in claim.jobs] == [True]


def test_discard_restore_and_move_run_the_same_way(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(120)
    waiting = jobs.enqueue(1)
    jobs.transitions.discard("high", waiting)
    replay = stage.step(stage.start(kind="discard"))
    assert outcome(replay) == "Of 120: 120 moved to the trash, kept for 24 h."
    assert (replay.state, stage.dead()) == ("done", [])
    replay = stage.step(stage.start(kind="restore"))
    assert outcome(replay) == "Of 120: 120 restored."
    assert stage.dead() == ids
    assert stage.redis.zcard(keys.trash("high")) == 1  # it was no dead letter
    stage.step(stage.start(to="low"))
    assert stage.work(queue="low") == ids


@pytest.mark.parametrize("kind", ["retry", "discard", "restore"])
@pytest.mark.parametrize("answered", ["kept", "forgotten"])
def test_killed_between_the_script_and_the_row_nothing_is_doubled(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis, kind: str, answered: str
) -> None:
    """The next process does what is written down again: by the script's kept answer, later by the jobs themselves."""
    ids = jobs.fail(60)
    if kind == "restore":
        jobs.transitions.discard("high", ids)
    replay = stage.start(kind=kind)

    class Killed(Exception):
        pass

    real = Transitions._each

    def killed(self: Transitions, *arguments: Any, **more: Any) -> Any:
        real(self, *arguments, **more)
        raise Killed

    monkeypatch.setattr(Transitions, "_each", killed)
    with pytest.raises(Killed):
        stage.step(replay)
    monkeypatch.undo()
    replay.refresh_from_db()
    assert (replay.going, replay.released) == (60, 0)
    if kind == "retry":
        stage.work(fails=ids[:2])
    if answered == "forgotten":
        empty_redis.delete(*empty_redis.keys("rq:qa:req:*"))
    stage.restart()
    stage.step(stage.step(replay))
    assert (replay.state, replay.released, replay.already) == ("done", 60, 0)
    if kind == "retry":
        assert (replay.succeeded, replay.failed, len(stage.ran)) == (58, 2, 60)
    assert len(stage.dead()) == {"retry": 2, "discard": 0, "restore": 60}[kind]


def test_nothing_matches_and_a_reason_is_needed(stage: Stage, jobs: Jobs) -> None:
    with pytest.raises(operations.NothingMatches):
        stage.start("source:nobody")
    jobs.fail(101)
    with pytest.raises(operations.ReasonNeeded, match="At least 101 jobs would be retried; over 100 need a reason"):
        stage.start(reason="")
    assert not Replay.objects.exists()


def test_one_that_cannot_go_on_does_not_keep_the_others(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(3)
    broken, other = stage.start(), stage.start("queue:high")
    Replay.objects.filter(pk=broken.pk).update(filter="nokey:x")
    with pytest.raises(ValueError, match="nokey"):
        stage.step(other)
    other.refresh_from_db()
    assert other.in_flight == 3
    # Also pages and the API still tell of one that another version wrote.
    assert reading.shown(Replay.objects.get(pk=broken.pk))["filter"] == "nokey:x"
    operations.cancel_replay(broken.pk, actor="ada")
    stage.work()
    assert stage.step(other).state == "done"
    assert not Replay.objects.filter(settled=False).exists()


def test_the_chart_has_a_line_where_one_began(stage: Stage, jobs: Jobs) -> None:
    from queueadmin.console.figures import marks

    jobs.fail(1)
    stage.start()
    assert [mark["text"] for mark in marks.of_people(0)] == ["ada began a replay"]
