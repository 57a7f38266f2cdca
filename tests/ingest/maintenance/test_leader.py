"""One leader at a time."""

import pytest

from ingest.maintenance import Maintenance, leader
from ingest.queue import keys
from tests.conftest import wait_until
from tests.ingest.maintenance.conftest import abandoned
from tests.ingest.worker.conftest import Work


def test_one_leads_and_the_other_takes_over_when_it_resigns(work: Work) -> None:
    one, two = Maintenance(work.redis, name="one"), Maintenance(work.redis, name="two")
    assert one.lead()
    assert not two.lead()
    assert work.redis.get(keys.LEADER) == b"one"
    assert 0 < work.redis.ttl(keys.LEADER) <= leader.LEASE
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


@pytest.mark.usefixtures("no_patience")
def test_a_leader_whose_time_is_over_goes_no_further_until_it_leads_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped in the middle of a round: another one leads, and knows better what is stalled."""
    now = [100.0]
    monkeypatch.setattr(leader.time, "monotonic", lambda: now[0])
    one = Maintenance(work.redis)
    assert one.lead()
    (job_id,) = abandoned(work)
    now[0] += leader.LEASE
    one.round()
    assert (work.started(), work.waiting()) == (1, [])
    assert one.lead()
    one.round()
    assert (work.started(), work.waiting()) == (0, [job_id])


def test_a_new_leader_does_not_go_by_what_it_saw_when_it_led_before(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(leader.time, "monotonic", lambda: now[0])
    one, two = Maintenance(work.redis, name="one"), Maintenance(work.redis, name="two")
    assert one.lead()
    abandoned(work)
    one.round()
    work.redis.delete(keys.LEADER)
    assert two.lead()
    now[0] += 60
    assert not one.lead()
    two.resign()
    assert one.lead()
    one.round()
    assert work.started() == 1, "seen as stalled for the first time since it leads"
