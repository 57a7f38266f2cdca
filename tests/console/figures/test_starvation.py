"""When a queue is starved: it has jobs, workers, no pause, and higher queues keep those workers."""

from dataclasses import replace

import pytest

from queueadmin.console.figures import starvation
from queueadmin.console.figures.snapshot import QueueState

NOW = 10_000.0
ALL = ("critical", "high", "medium", "low")
CRITICAL = QueueState("critical")
LOW = QueueState("low", depth=5, oldest_wait=720.0)


def _seconds(
    low: QueueState = LOW,
    *,
    served: dict[str, float] | None = None,
    orders: tuple[tuple[str, ...], ...] = (ALL,),
    critical: QueueState = CRITICAL,
) -> float:
    queues = [critical, QueueState("high"), QueueState("medium"), low]
    return starvation.seconds(low, queues, {"critical": NOW - 1} if served is None else served, orders, NOW)


def test_d12_it_is_starved_since_its_head_waits_while_higher_queues_are_served() -> None:
    assert _seconds() == 720


def test_it_is_starved_since_it_was_served_last() -> None:
    assert _seconds(served={"critical": NOW - 1, "low": NOW - 90}) == 90
    assert _seconds(served={"critical": NOW - 1, "low": NOW - 59}) == 0


@pytest.mark.parametrize(
    "low",
    [
        replace(LOW, depth=0),
        replace(LOW, depth=5, parked=5),
        replace(LOW, paused=True),
        replace(LOW, oldest_wait=59.0),
    ],
    ids=["empty", "all held back", "paused", "short"],
)
def test_it_is_not_starved(low: QueueState) -> None:
    assert _seconds(low) == 0


def test_without_a_worker_it_is_alone_and_not_starved() -> None:
    assert _seconds(orders=()) == 0
    assert _seconds(orders=(("critical", "high"),)) == 0


def test_a_worker_that_serves_it_first_is_not_kept_by_others() -> None:
    assert _seconds(orders=(ALL, ("low",))) == 0
    assert _seconds(orders=(ALL, ("low", "critical"))) == 0


def test_a_higher_queue_keeps_a_worker_by_one_long_job_as_well() -> None:
    long_ago = {"critical": NOW - 800}
    assert _seconds(served=long_ago) == 0
    assert _seconds(served=long_ago, critical=QueueState("critical", started=1)) == 720
    # What stalled keeps nobody busy.
    assert _seconds(served=long_ago, critical=QueueState("critical", started=1, stalled=1)) == 0
