"""Replays as the leader runs them, step by step (X1, issue 8 part 4)."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from ingest.queue import keys
from ingest.queue.connections import connection, server_time
from ingest.queue.transitions import Transitions
from queueadmin.console import operations
from queueadmin.console.failures import matching
from queueadmin.console.filters import parse
from queueadmin.console.models import AuditEntry, Replay, ReplayChunk
from queueadmin.console.replays import outcome, reading, rules, settling
from queueadmin.console.replays.engine import Engine
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


def test_x1_a_canary_goes_first_and_the_rest_waits_for_it(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(20)
    replay = stage.step(stage.start(canary=5, stop_percent=5))
    assert (replay.released, replay.step) == (5, rules.CANARY)
    assert stage.step(replay).released == 5
    assert stage.work() == ids[:5]
    stage.step(replay)
    assert (replay.step, replay.released) == (0, 20)


def test_x1_a_canary_that_fails_stops_it(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(20)
    replay = stage.step(stage.start(canary=5, stop_percent=5))
    stage.work(fails=ids[:1])
    stage.step(replay)
    assert (replay.state, replay.released) == ("stopped", 5)
    assert replay.why == "1 of the canary of 5 failed again; more than 5 % stop it."
    assert outcome(replay) == (
        "Of 20: 4 succeeded, 1 failed again, 15 left as they were; "
        "1 of the canary of 5 failed again; more than 5 % stop it."
    )
    assert sorted(stage.dead()) == sorted([*ids[5:], ids[0]])


def test_x1_it_stops_when_more_than_a_share_of_the_last_200_fail(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(300)
    replay = stage.step(stage.start(ramp=(50,), stop_percent=5))
    assert replay.released == 50
    stage.work(fails=ids[:11])
    stage.step(replay)
    assert (replay.state, replay.failed, replay.why) == (
        "stopped", 11, "11 of the last 50 failed again; more than 5 % stop it.",
    )  # fmt: skip
    stage.step(replay)
    assert replay.released == 50
    # Who lets it go on has seen that: it counts anew.
    operations.resume_replay(replay.pk, actor="ben")
    stage.step(replay)
    assert (replay.state, replay.why) == ("running", "")
    assert replay.released > 50


def test_x1_a_new_error_stops_it_and_is_told(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(30)
    replay = stage.step(stage.start(ramp=(5,), stop_new_errors=2))
    stage.work(fails=ids[:1])
    assert stage.step(replay).state == "running"  # the error that they all had
    Replay.objects.update(ramp=[10])
    stage.step(replay)
    ran = stage.work(fails=ids, error="HTTPStatusError")
    stage.step(replay)
    assert replay.state == "stopped"
    assert replay.why == f"A new error appeared {len(ran)} times: HTTPStatusError."
    assert "1 new error" in outcome(replay)
    assert [(each["type"], each["new"]) for each in replay.errors.values()] == [
        ("ValueError", False), ("HTTPStatusError", True),
    ]  # fmt: skip
    operations.resume_replay(replay.pk, actor="ben")
    assert stage.step(replay).state == "running"


def test_x1_it_stops_when_a_queue_breaches_its_wait_target(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(20)
    replay = stage.step(stage.start(ramp=(5,), stop_wait=True))
    assert replay.state == "running"
    waiting = stage.redis.lindex(keys.queue("high"), 0)
    assert waiting
    stage.redis.hset(keys.job(waiting.decode()), "enqueued_at", "2026-01-01T00:00:00.000000Z")
    stage.step(replay)
    assert replay.state == "stopped"
    assert replay.why.startswith("high waits ")
    assert replay.why.endswith("longer than its target of 15 s.")


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


def test_what_is_marked_permanent_is_left_out_and_asked_for_apart_from_poison(stage: Stage, jobs: Jobs) -> None:
    poison, marked, both, (plain,) = (
        jobs.fail(2, reason="poison"),
        jobs.fail(2),
        jobs.fail(reason="poison"),
        jobs.fail(),
    )
    jobs.transitions.mark("high", [*marked, *both], permanent=True)
    frozen = {
        (): {plain},
        ("poison",): {plain, *poison},
        ("permanent",): {plain, *marked},
        ("poison", "permanent"): {plain, *poison, *marked, *both},
    }
    for asked, chosen in frozen.items():
        # The canary does not go, so that each finds the same.
        replay = stage.start(ramp=(1,), **{f"include_{each}": True for each in asked})
        operations.pause_replay(replay.pk, actor="ada")
        stage.step(replay)
        (chunk,) = ReplayChunk.objects.filter(replay=replay)
        assert {job_id for job_id, _ in json.loads(chunk.places)} == chosen, asked
        assert replay.size + replay.poison_left + replay.permanent_left == 6
        left = [part.link for part in reading.left(replay)]
        assert [len(listed(link)) for link in left] == [n for n in (replay.poison_left, replay.permanent_left) if n]
    assert not reading.left(replay)


def listed(link: str) -> list[str]:
    """Where a part of the outcome leads to."""
    chosen = parse(parse_qs(urlsplit(link).query)["filter"][0])
    return [record.id for record in matching(connection(), chosen, now=server_time(connection()))]


def test_the_outcome_tells_poison_and_marked_apart(stage: Stage, jobs: Jobs) -> None:
    jobs.fail(9, reason="poison")
    jobs.transitions.mark("high", jobs.fail(3), permanent=True)
    jobs.fail()
    replay = stage.step(stage.start())
    stage.work()
    stage.step(replay)
    said = "Of 1: 1 succeeded; 12 jobs left out: 9 poison, 3 marked permanent."
    assert (outcome(replay), audited_outcome().outcome) == (said, said)


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


def test_what_others_do_with_a_released_job_is_told_apart(stage: Stage, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    replay = stage.step(stage.start())
    jobs.transitions.cancel("high", ids[:1])
    jobs.transitions.discard("high", ids[1:2])
    stage.redis.delete(keys.job(ids[2]))
    stage.step(replay)
    assert outcome(replay) == "Of 3: 0 succeeded, 2 moved by others meanwhile, 1 without a trace."


def test_the_dead_letters_of_a_replay_are_found_by_its_number(stage: Stage, jobs: Jobs) -> None:
    from tests.console.dead_letters.conftest import dlq

    ids = jobs.fail(3)
    replay = stage.step(stage.start())
    stage.work(fails=ids[:1])
    stage.step(replay)
    assert ids[0] in dlq("list", f"replay:{replay.pk}")
    assert dlq("export", f"replay:{replay.pk}").count("\n") == 2


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


def test_killed_while_it_is_written_down_it_is_written_anew(
    stage: Stage, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis
) -> None:
    jobs.fail(700)
    replay = stage.start(ramp=(1,))
    monkeypatch.setattr("queueadmin.console.replays.engine.TURN", 0)
    monkeypatch.setattr("queueadmin.console.replays.freezing._LOOK", 550)
    stage.engine._freeze(replay, replay.created_at)
    monkeypatch.setattr("queueadmin.console.replays.engine.TURN", 60)
    stage.restart()
    stage.step(replay)
    assert replay.frozen_at
    assert replay.size == 700
    assert sum(len(chunk.marks) for chunk in ReplayChunk.objects.all()) == 700


def test_two_leaders_at_once_count_nothing_twice(stage: Stage, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """A leader that was stopped in mid-step goes on with a row that another one has changed."""
    ids = jobs.fail(40)
    replay = stage.start(ramp=(10,))
    stage.step(replay)
    stage.work(fails=ids[:2])
    stale = Replay.objects.get(pk=replay.pk)
    stage.step(replay)
    before = (replay.succeeded, replay.failed, replay.in_flight)
    from queueadmin.console.replays.versions import Overtaken

    with pytest.raises(Overtaken):
        Engine(empty_redis)._one(stale, {}, stale.created_at)
    replay.refresh_from_db()
    assert (replay.succeeded, replay.failed, replay.in_flight) == before


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
