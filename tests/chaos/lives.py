"""The lives of events whose every message is a crash point. A new one is one entry in LIVES.

A program is started when its work is there, so that its messages come in the same order in every run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ingest.queue import keys
from tests.chaos.lane import Ends, Lane, Program
from tests.chaos.roles import OTHER, QUEUE


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
    lane.until(lambda: lane.state(ids[0]) == "queued", "the promotion")
    return _processed(ids)


def recovered(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.crash(ids)
    lane.start("maintain")
    lane.until(lambda: all(lane.state(job_id) == "queued" for job_id in ids), "the recovery")
    return _processed(ids)


def poisoned(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"})
    lane.crash(ids, times=3)
    lane.start("maintain")
    lane.until(lambda: lane.state(ids[0]) == "failed", "the dead letter")
    return dict.fromkeys(ids, "failed")


def requeued(lane: Lane) -> Ends:
    """Dead after its one execution, then an operator presses retry."""
    ids = _dead(lane)
    lane.operate("requeue", QUEUE, ids)
    return _processed(ids)


def ran_now(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, delay=600)
    lane.operate("run_now", QUEUE, ids)
    return _processed(ids)


def discarded(lane: Lane) -> Ends:
    dead, queued, scheduled = _dead(lane), lane.put({"title": "a"}), lane.put({"title": "b"}, delay=600)
    lane.operate("discard", QUEUE, [*queued, *scheduled, *dead])
    return dict.fromkeys([*queued, *scheduled, *dead], "trash")


def restored(lane: Lane) -> Ends:
    dead, queued = _dead(lane), lane.put({"title": "a"})
    lane.work.transitions.discard(QUEUE, [*queued, *dead])
    lane.operate("restore", QUEUE, [*queued, *dead])
    return _processed(queued) | dict.fromkeys(dead, "failed")


def purged(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.work.transitions.discard(QUEUE, ids)
    lane.operate("purge", QUEUE, ids)
    return dict.fromkeys(ids, "gone")


def emptied(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.operate("empty", QUEUE, before=time.time() + 60)
    return dict.fromkeys(ids, "trash")


def canceled(lane: Lane) -> Ends:
    queued, scheduled = lane.put({"title": "a"}), lane.put({"title": "b"}, delay=600)
    lane.operate("cancel", QUEUE, [*queued, *scheduled])
    return dict.fromkeys([*queued, *scheduled], "canceled")


def moved(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.operate("move", QUEUE, ids, to=OTHER)
    return dict.fromkeys(ids, "queued")


def healed(lane: Lane) -> Ends:
    """A stock worker popped it and died before it had it registered."""
    ids = lane.put({"title": "a"})
    lane.redis.lrem(keys.queue(QUEUE), 1, ids[0])
    lane.operate("heal", QUEUE, ids)
    return _processed(ids)


def swept(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.work.transitions.discard(QUEUE, ids[:1])
    lane.work.transitions.cancel(QUEUE, ids[1:])
    lane.redis.zadd(keys.trash(QUEUE), {ids[0]: 1})
    lane.redis.zadd(keys.canceled(QUEUE), {ids[1]: 1})
    lane.start("maintain")
    # What was canceled has left the books already; what is in the trash does so now.
    return dict.fromkeys(ids, "gone")


def _dead(lane: Lane) -> list[str]:
    ids = lane.put({"title": "dead", "fault": "error:1"}, retry_delays=())
    claim = lane.work.transitions.claim("gone", [QUEUE], limit=1, claim_id="gone", lease=30)
    assert claim is not None
    lane.fail(claim)
    return ids


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
    Life("swept", "trash, canceled → gone", "maintain", swept, most=1),
    Life("requeued", "failed → queued → gone", "operator", requeued, every=True),
    Life("ran-now", "scheduled → queued → gone", "operator", ran_now),
    Life("discarded", "queued, scheduled, failed → trash", "operator", discarded),
    Life("restored", "trash → queued → gone, trash → failed", "operator", restored),
    Life("purged", "trash → gone", "operator", purged),
    Life("emptied", "queued → trash", "operator", emptied),
    Life("canceled", "queued, scheduled → canceled", "operator", canceled),
    Life("moved", "queued → another queue", "operator", moved),
    Life("healed", "nowhere → queued → gone", "operator", healed),
)
