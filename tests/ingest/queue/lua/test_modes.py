"""Claims by mode: batches, some async jobs, one of any other; and strict order among them (B8)."""

import pytest

from ingest.queue.transitions import new_id
from tests.ingest.queue.conftest import Queue


@pytest.mark.parametrize(("mode", "number"), [("", 5), ("async", 2), ("single", 1), ("process", 1)])
def test_as_many_as_the_mode_allows(queue: Queue, mode: str, number: int) -> None:
    ids = [queue.add(mode=mode) for _ in range(5)]
    claim = queue.transitions.claim("w1", ["high"], claim_id=new_id(), async_limit=2, lease=30)
    assert claim is not None
    assert [(job.id, job.mode) for job in claim.jobs] == [(job_id, mode) for job_id in ids[:number]]
    assert queue.waiting() == 5 - number


def test_a_claim_holds_one_mode_and_keeps_the_order(queue: Queue) -> None:
    modes = ["", "", "async", "async", "", "process", "single"]
    ids = [queue.add(mode=mode) for mode in modes]
    claimed = []
    while claim := queue.transitions.claim("w1", ["high"], claim_id=new_id(), lease=30):
        assert len({job.mode for job in claim.jobs}) == 1
        claimed.append([job.id for job in claim.jobs])
    assert claimed == [ids[:2], ids[2:4], ids[4:5], ids[5:6], ids[6:7]]


def test_without_room_for_async_jobs_everything_else_is_taken_in_strict_order(queue: Queue) -> None:
    """A worker whose slots are all in use goes on with what it can run."""
    first, _, behind = (queue.add(queue="high", mode=mode) for mode in ("", "async", ""))
    queue.add(queue="low", mode="")

    def claim() -> list[str]:
        claim = queue.transitions.claim("w1", ["high", "low"], claim_id=new_id(), async_limit=0, lease=30)
        return [job.id for job in claim.jobs] if claim else []

    assert claim() == [first]
    assert claim() == [], "what is behind it waits, and low for high"
    queue.claim("high", limit=1)
    assert claim() == [behind]
