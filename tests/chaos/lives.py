"""The lives of events whose every message is a crash point. A new one is one entry in LIVES.

A program is started when its work is there, so that its messages come in the same order in every run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.chaos.lane import Ends, Lane, Program
from tests.chaos.roles import QUEUE


@dataclass(frozen=True, slots=True)
class Life:
    name: str
    #: What happens to the event, for people.
    way: str
    #: The program whose messages are the points.
    struck: Program
    #: Live it. Returns how each event must end: `processed`, or the place where it must be.
    live: Callable[[Lane], Ends]
    #: Of messages of one name, how many are points: a program that goes on has no end of them.
    most: int = 3
    #: Every message from the program's start on is a point; else those alone that can change a job or a row.
    every: bool = False


def _processed(ids: list[str]) -> Ends:
    return dict.fromkeys(ids, "processed")


def accepted(lane: Lane) -> Ends:
    lane.start("web")
    return _processed([lane.post({"id": "e", "title": "a", "severity": QUEUE})])


def processed(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"})
    lane.start("worker")
    return _processed(ids)


def halved(lane: Lane) -> Ends:
    """One of four events fails for good: the others are processed without it."""
    good = lane.put({"title": "a"}, {"title": "b"}, {"title": "c"})
    bad = lane.put({"title": "d", "fault": "permanent"})
    lane.start("worker")
    return _processed(good) | dict.fromkeys(bad, "failed")


def renewed(lane: Lane) -> Ends:
    ids = lane.put({"title": "a", "fault": "slow:0.6"})
    lane.start("worker")
    return _processed(ids)


def retried(lane: Lane) -> Ends:
    ids = lane.put({"title": "a", "fault": "error:1"})
    lane.start("worker", "maintain")
    return _processed(ids)


def released(lane: Lane) -> Ends:
    """SIGTERM in mid-batch: what is not finished goes back."""
    ids = lane.put({"title": "a", "fault": "slow:1"})
    lane.start("worker")
    lane.until(lambda: lane.state(ids[0]) == "started" or lane.struck.is_set(), "the claim")
    if lane.is_alive("worker"):
        lane.terminate("worker")
        lane.until(lambda: not lane.is_alive("worker"), "the worker's end")
    return _processed(ids)


def buried(lane: Lane) -> Ends:
    ids = lane.put({"title": "a", "fault": "error"}, retry_delays=())
    lane.start("worker")
    return dict.fromkeys(ids, "failed")


def promoted(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, delay=0.001)
    lane.start("maintain")
    lane.until(lambda: lane.state(ids[0]) == "queue", "the promotion")
    return _processed(ids)


def recovered(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.crash(ids)
    lane.start("maintain")
    lane.until(lambda: all(lane.state(job_id) == "queue" for job_id in ids), "the recovery")
    return _processed(ids)


def poisoned(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"})
    lane.crash(ids, times=3)
    lane.start("maintain")
    lane.until(lambda: lane.state(ids[0]) == "failed", "the dead letter")
    return dict.fromkeys(ids, "failed")


def requeued(lane: Lane) -> Ends:
    """Dead after its one execution, then an operator presses retry."""
    ids = lane.put({"title": "a", "fault": "error:1"}, retry_delays=())
    claim = lane.work.transitions.claim("gone", [QUEUE], claim_id="gone", lease=30)
    assert claim is not None
    lane.fail(claim)
    lane.operate("requeue", QUEUE, ids)
    return _processed(ids)


LIVES: Final = (
    Life("accepted", "a client posts it → queued", "web", accepted, every=True),
    Life("processed", "queued → started → gone", "worker", processed, every=True),
    Life("halved", "four started, one of them → failed, the others → gone", "worker", halved),
    Life("renewed", "started for longer than its lease → gone", "worker", renewed),
    Life("retried", "started → scheduled → queued → gone", "worker", retried, most=4),
    Life("released", "started → queued at SIGTERM → gone", "worker", released),
    Life("buried", "started → failed", "worker", buried),
    Life("promoted", "scheduled → queued → gone", "maintain", promoted, most=2, every=True),
    Life("recovered", "started by the dead → queued → gone", "maintain", recovered, most=2),
    Life("poisoned", "started by the dead, a third time → failed", "maintain", poisoned, most=2),
    Life("requeued", "failed → queued → gone", "operator", requeued, every=True),
)
