"""Taking back what dead workers held."""

import pytest

from ingest.maintenance import Maintenance, recover, recovery, stalled
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
