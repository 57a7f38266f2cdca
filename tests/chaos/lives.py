"""The lives of events whose every message is a crash point. A new one is one entry in LIVES.

A program is started when its work is there, so that its messages come in the same order in every run.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ingest.kinds import Mode
from ingest.queue import keys
from tests.chaos.lane import Ends, Lane
from tests.chaos.points import Point, Program
from tests.chaos.roles import OTHER, QUEUE
from tests.chaos.wires import sources


def moves(point: Point) -> bool:
    """Messages that can change a job, or an event's row; maintenance's own rows are about no event."""
    return point.name.removeprefix("script ") in sources() if point.store == "redis" else point.program == "worker"


def moves_and_rows(point: Point) -> bool:
    return moves(point) or point.store != "redis"


def rows(point: Point) -> bool:
    return point.store != "redis"


def all_messages(point: Point) -> bool:
    return True


def _is_settled(lane: Lane) -> bool:
    return True


def _nothing_wrong(lane: Lane) -> list[str]:
    return []


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
    #: Which messages are points.
    takes: Callable[[Point], bool] = moves
    #: What else must have come about before it is over.
    settled: Callable[[Lane], bool] = _is_settled
    #: What else is wrong then, in sentences.
    check: Callable[[Lane], list[str]] = _nothing_wrong


def _processed(ids: list[str]) -> Ends:
    return dict.fromkeys(ids, "processed")


def accepted(lane: Lane) -> Ends:
    lane.programs.start("web")
    return _processed([lane.post({"id": "e", "title": "a", "severity": QUEUE})])


def spooled(lane: Lane) -> Ends:
    """Redis is away, and back when the event is accepted."""
    lane.take_redis_away()
    lane.programs.start("web")
    ids = [lane.post({"id": "e", "title": "a", "severity": QUEUE})]
    lane.return_redis()
    return _processed(ids)


def keyed(lane: Lane) -> Ends:
    """No id of the client's: the request's key alone says that the next one is a copy."""
    lane.programs.start("web")
    return _processed([lane.post({"title": "a", "severity": QUEUE}, key="k")])


def keyed_across_stores(lane: Lane) -> Ends:
    """Accepted while Redis is away, and sent once more when it is back: the answer may have been lost on its way."""
    event = {"title": "a", "severity": QUEUE}
    lane.take_redis_away()
    lane.programs.start("web")
    first = lane.post(event, key="k")
    lane.return_redis()
    again = lane.post(event, key="k")
    return _processed([first]) | _processed([again])


def drained(lane: Lane) -> Ends:
    ids = lane.spool(2)
    lane.programs.start("maintain")
    return _processed(ids)


def processed(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"})
    lane.programs.start("worker")
    return _processed(ids)


def halved(lane: Lane) -> Ends:
    """One of four events fails for good: the others are processed without it."""
    good = lane.put({"title": "a"}, {"title": "b"}, {"title": "c"})
    bad = lane.put({"title": "d", "fault": "permanent"})
    lane.programs.start("worker")
    return _processed(good) | dict.fromkeys(bad, "failed")


def renewed(lane: Lane) -> Ends:
    ids = lane.put({"title": "a", "fault": "slow:0.6"})
    lane.programs.start("worker")
    return _processed(ids)


def retried(lane: Lane) -> Ends:
    ids = lane.put({"title": "a", "fault": "error:1"})
    lane.programs.start("worker", "maintain")
    return _processed(ids)


def released(lane: Lane) -> Ends:
    """SIGTERM in mid-batch: what is not finished goes back."""
    ids = lane.put({"title": "a", "fault": "slow:1"})
    lane.programs.start("worker")
    lane.programs.until(lambda: lane.state(ids[0]) == "started" or lane.watch.struck.is_set(), "the claim")
    if lane.programs.is_alive("worker"):
        lane.programs.terminate("worker")
        lane.programs.until(lambda: not lane.programs.is_alive("worker"), "the worker's end")
    return _processed(ids)


def buried(lane: Lane) -> Ends:
    ids = lane.put({"title": "a", "fault": "error"}, retry_delays=())
    lane.programs.start("worker")
    return dict.fromkeys(ids, "failed")


def promoted(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, delay=0.001)
    lane.programs.start("maintain")
    lane.programs.until(lambda: lane.state(ids[0]) == "queued", "the promotion")
    return _processed(ids)


def recovered(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.crash(ids)
    lane.programs.start("maintain")
    lane.programs.until(lambda: all(lane.state(job_id) == "queued" for job_id in ids), "the recovery")
    return _processed(ids)


def poisoned(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"})
    lane.crash(ids, times=3)
    lane.programs.start("maintain")
    lane.programs.until(lambda: lane.state(ids[0]) == "failed", "the dead letter")
    return dict.fromkeys(ids, "failed")


def requeued(lane: Lane) -> Ends:
    """Dead after its one execution, then an operator presses retry."""
    ids = _dead(lane)
    lane.programs.operate("requeue", QUEUE, ids)
    return _processed(ids)


def given_back(lane: Lane) -> Ends:
    """A replay queued it into another queue, which nobody serves, and is canceled."""
    ids = _dead(lane)
    lane.work.transitions.requeue(QUEUE, ids, to=OTHER, replay="1")
    lane.programs.operate("give_back", OTHER, ids, home=QUEUE, replay="1")
    return dict.fromkeys(ids, "failed")


def in_the_worker(lane: Lane) -> Ends:
    return _effect(lane, "plain", "single")


def on_its_loop(lane: Lane) -> Ends:
    return _effect(lane, "chat", "async")


def in_a_process(lane: Lane) -> Ends:
    return _effect(lane, "crunch", "process")


def _effect(lane: Lane, kind: str, mode: Mode) -> Ends:
    """Two events of an effect handler."""
    ids = lane.put({"n": 1}, {"n": 2}, kind=kind, mode=mode, result_ttl=600)
    lane.programs.start("worker")
    return _processed(ids)


def _at_least_once(lane: Lane) -> list[str]:
    """One crash is one effect more at most, under the same idempotency key."""
    return [f"effect {n} happened {times} times" for n, times in lane.carried_out().items() if times > 2]


def ran_now(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, delay=600)
    lane.programs.operate("run_now", QUEUE, ids)
    return _processed(ids)


def discarded(lane: Lane) -> Ends:
    dead, queued, scheduled = _dead(lane), lane.put({"title": "a"}), lane.put({"title": "b"}, delay=600)
    lane.programs.operate("discard", QUEUE, [*queued, *scheduled, *dead])
    return dict.fromkeys([*queued, *scheduled, *dead], "trash")


def restored(lane: Lane) -> Ends:
    dead, queued = _dead(lane), lane.put({"title": "a"})
    lane.work.transitions.discard(QUEUE, [*queued, *dead])
    lane.programs.operate("restore", QUEUE, [*queued, *dead])
    return _processed(queued) | dict.fromkeys(dead, "failed")


def purged(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.work.transitions.discard(QUEUE, ids)
    lane.programs.operate("purge", QUEUE, ids)
    return dict.fromkeys(ids, "gone")


def emptied(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.programs.operate("empty", QUEUE, before=time.time() + 60)
    return dict.fromkeys(ids, "trash")


def canceled(lane: Lane) -> Ends:
    queued, scheduled = lane.put({"title": "a"}), lane.put({"title": "b"}, delay=600)
    lane.programs.operate("cancel", QUEUE, [*queued, *scheduled])
    return dict.fromkeys([*queued, *scheduled], "canceled")


def moved(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.programs.operate("move", QUEUE, ids, to=OTHER)
    return dict.fromkeys(ids, "queued")


def healed(lane: Lane) -> Ends:
    """A stock worker popped it and died before it had it registered."""
    ids = lane.put({"title": "a"})
    lane.redis.lrem(keys.queue(QUEUE), 1, ids[0])
    lane.programs.operate("heal", QUEUE, ids)
    return _processed(ids)


def swept(lane: Lane) -> Ends:
    ids = lane.put({"title": "a"}, {"title": "b"})
    lane.work.transitions.discard(QUEUE, ids[:1])
    lane.work.transitions.cancel(QUEUE, ids[1:])
    lane.redis.zadd(keys.trash(QUEUE), {ids[0]: 1})
    lane.redis.zadd(keys.canceled(QUEUE), {ids[1]: 1})
    lane.programs.start("maintain")
    # What was canceled has left the books already; what is in the trash does so now.
    return dict.fromkeys(ids, "gone")


def fired(lane: Lane) -> Ends:
    """A schedule is due once, and its event comes once; also when it was sent and the row not moved on."""
    job_id = lane.schedule(due=datetime.now(UTC).replace(microsecond=0))
    lane.programs.start("maintain")
    return _processed([job_id])


def _moved_on(lane: Lane) -> bool:
    return bool(lane.database.read("SELECT 1 FROM ingest_schedule WHERE last_due IS NOT NULL"))


def told(lane: Lane) -> Ends:
    """The outbox's lines become jobs of their own, each once."""
    ids = lane.put({"title": "a"}, {"title": "b"}, callback="https://example.com/told")
    lane.programs.start("maintain")
    lane.programs.until(lambda: lane.callbacks() or lane.watch.struck.is_set(), "the first callbacks")
    return _processed(ids)


def _outbox_is_empty(lane: Lane) -> bool:
    return not lane.redis.llen(keys.OUTBOX)


def _each_told_once(lane: Lane) -> list[str]:
    told = Counter(lane.callbacks())
    finished = [job_id for job_id, event, _ in told if event == "finished"]
    twice = [f"{event} of {job_id} is told {number} times" for (job_id, event, _), number in told.items() if number > 1]
    return twice if len(finished) == 2 else [*twice, f"the end of {len(finished)} of 2 events is told"]


def _dead(lane: Lane) -> list[str]:
    ids = lane.put({"title": "dead", "fault": "error:1"}, retry_delays=())
    claim = lane.work.transitions.claim("gone", [QUEUE], limit=1, claim_id="gone", lease=30)
    assert claim is not None
    lane.fail(claim)
    return ids


LIVES: Final = (
    Life("accepted", "a client posts it → queued", "web", accepted, takes=all_messages),
    Life("spooled", "a client posts it while Redis is away → spool", "web", spooled, takes=rows),
    Life("keyed", "a client posts it under an Idempotency-Key → queued", "web", keyed, takes=all_messages),
    Life(
        "keyed-across",
        "the same → spool, and sent again when Redis is back",
        "web",
        keyed_across_stores,
        takes=all_messages,
    ),
    Life("drained", "spool → queued → gone", "maintain", drained, most=2, takes=moves_and_rows),
    Life("processed", "queued → started → gone", "worker", processed, takes=all_messages),
    Life("halved", "four started, one of them → failed, the others → gone", "worker", halved),
    Life("renewed", "started for longer than its lease → gone", "worker", renewed),
    Life("retried", "started → scheduled → queued → gone", "worker", retried, most=4),
    Life("released", "started → queued at SIGTERM → gone", "worker", released),
    Life("buried", "started → failed", "worker", buried),
    Life(
        "effect", "an effect handler in the worker: started → finished", "worker", in_the_worker, check=_at_least_once
    ),
    Life("effect-async", "an async effect handler: started → finished", "worker", on_its_loop, check=_at_least_once),
    Life(
        "effect-process", "an isolated effect handler: started → finished", "worker", in_a_process, check=_at_least_once
    ),
    Life("promoted", "scheduled → queued → gone", "maintain", promoted, most=2, takes=all_messages),
    Life("recovered", "started by the dead → queued → gone", "maintain", recovered, most=2),
    Life("poisoned", "started by the dead, a third time → failed", "maintain", poisoned, most=2),
    Life("swept", "trash, canceled → gone", "maintain", swept, most=1),
    Life(
        "fired", "a schedule is due → queued → gone", "maintain", fired, most=2, takes=moves_and_rows, settled=_moved_on
    ),
    Life(
        "told",
        "the outbox → the callbacks' jobs",
        "maintain",
        told,
        most=2,
        takes=all_messages,
        settled=_outbox_is_empty,
        check=_each_told_once,
    ),
    Life("requeued", "failed → queued → gone", "operator", requeued, takes=all_messages),
    Life("given-back", "failed → queued by a replay → failed", "operator", given_back),
    Life("ran-now", "scheduled → queued → gone", "operator", ran_now),
    Life("discarded", "queued, scheduled, failed → trash", "operator", discarded),
    Life("restored", "trash → queued → gone, trash → failed", "operator", restored),
    Life("purged", "trash → gone", "operator", purged),
    Life("emptied", "queued → trash", "operator", emptied),
    Life("canceled", "queued, scheduled → canceled", "operator", canceled),
    Life("moved", "queued → another queue", "operator", moved),
    Life("healed", "nowhere → queued → gone", "operator", healed),
)
