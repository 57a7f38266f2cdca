"""Taking back what dead workers held."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingest.maintenance import Maintenance, recover, recover_all, recovery, stalled
from ingest.queue import keys
from tests.ingest.maintenance.conftest import abandoned
from tests.ingest.worker.conftest import Work


def test_a_round_takes_back_more_than_one_call_holds(work: Work) -> None:
    abandoned(work, 250)
    assert recover(work.transitions, "high") == 250


@pytest.mark.usefixtures("no_patience")
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
    monkeypatch.setattr(recovery.time, "monotonic", lambda: now[0])
    ids = abandoned(work, 3)
    leader = Maintenance(work.redis)
    for after in (0.0, 4.9):
        now[0] = 100 + after
        leader.round()
        assert (work.started(), stalled(work.redis, "high")) == (3, 3)
    work.transitions.renew(30, [("high", job_id, "c0") for job_id in ids])
    now[0] = 105
    leader.round()
    assert (work.started(), stalled(work.redis, "high")) == (3, 0)
    work.transitions.renew(-1, [("high", job_id, "c0") for job_id in ids])
    for after in (10.0, 15.1):
        now[0] = 100 + after
        leader.round()
    assert work.waiting() == ids


def test_the_third_crash_is_a_dead_letter(work: Work) -> None:
    (job_id,) = abandoned(work)
    for crash in (2, 3):
        recover(work.transitions, "high")
        work.transitions.claim("dead", ["high"], claim_id=f"again-{crash}", lease=-1)
    assert recover(work.transitions, "high") == 1
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "poison")


def test_recover_stalled_prints_the_number(work: Work) -> None:
    abandoned(work, 2, "critical")
    abandoned(work, 3, "low")
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
    (job_id,) = abandoned(work)
    work.redis.hset(keys.job(job_id), "crashes", 2)
    assert recover_all(work.transitions) == 1
    assert work.dead() == [job_id]


def said(*arguments: Any) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()
