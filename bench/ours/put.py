"""Alerts into the queue medium as acceptance does it: `fill COUNT KIND`, `trickle COUNT KIND PAUSE`."""

import json
import sys
import time
from itertools import cycle, islice

from bench import corpus
from bench.ours import kinds
from ingest.accept import Incoming, accept
from ingest.kinds import KINDS
from ingest.priorities import Priority, Severity
from ingest.queue.connections import connection

#: Events in one call of accept.
CHUNK = 1_000


def fill(kind: str, bodies: list[bytes]) -> None:
    for start in range(0, len(bodies), CHUNK):
        receipts = accept([_incoming(kind, body) for body in bodies[start : start + CHUNK]])
        assert all(receipt.outcome == "accepted" for receipt in receipts), "not all were accepted"


def trickle(kind: str, bodies: list[bytes], pause: float) -> None:
    redis = connection()
    for body in bodies:
        time.sleep(pause)
        redis.rpush("bench:enqueued", repr(time.time()))
        fill(kind, [body])


def _incoming(kind: str, body: bytes) -> Incoming:
    severity = Severity(raw="medium", mapped=Priority.MEDIUM, by="severity")
    return Incoming(
        kind=kinds.OURS.get(kind) or KINDS[kind], body=body, source="bench", tenant="", event_id=None, severity=severity
    )


if __name__ == "__main__":
    count, kind = int(sys.argv[2]), sys.argv[3]
    bodies = list(islice(cycle(corpus.lines(min(count, 5_000))), count))
    connection().ping()
    started, used = time.perf_counter(), time.process_time()
    if sys.argv[1] == "fill":
        fill(kind, bodies)
    else:
        trickle(kind, bodies, float(sys.argv[4]))
    print(json.dumps({"seconds": time.perf_counter() - started, "processor": time.process_time() - used}))
