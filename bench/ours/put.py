"""Alerts into the queue medium as acceptance does it: `fill COUNT KIND`, `trickle COUNT KIND PAUSE`.

`many COUNT KIND` is for code in the same project: `ingest.client.enqueue_many`, into the queues of their severities.
"""

import json
import sys
import time
from itertools import cycle, islice
from typing import Any

from bench import corpus
from bench.ours import kinds
from ingest import client
from ingest.accept import Incoming, accept
from ingest.kinds import KINDS
from ingest.priorities import Priority, Severity
from ingest.queue.connections import connection

#: Events in one call of accept.
CHUNK = 1_000


def fill(kind: str, bodies: list[bytes]) -> None:
    for start in range(0, len(bodies), CHUNK):
        receipts = accept([incoming(kind, body) for body in bodies[start : start + CHUNK]])
        assert all(receipt.outcome == "accepted" for receipt in receipts), "not all were accepted"


def many(alerts: list[dict[str, Any]]) -> None:
    for start in range(0, len(alerts), CHUNK):
        client.enqueue_many(alerts[start : start + CHUNK])


def trickle(kind: str, bodies: list[bytes], pause: float) -> None:
    redis = connection()
    for body in bodies:
        time.sleep(pause)
        redis.rpush("bench:enqueued", repr(time.time()))
        fill(kind, [body])


def incoming(kind: str, body: bytes) -> Incoming:
    severity = Severity(raw="medium", mapped=Priority.MEDIUM, by="severity")
    return Incoming(
        kind=kinds.OURS.get(kind) or KINDS[kind], body=body, source="bench", tenant="", event_id=None, severity=severity
    )


def main(what: str, count: int, kind: str, pause: float) -> None:
    different = min(count, 5_000)
    alerts = list(
        islice(cycle({**alert, "kind": kind} for alert in corpus.alerts(different)), count * (what == "many"))
    )
    bodies = list(islice(cycle(corpus.lines(different)), count * (what != "many")))
    connection().ping()
    started, used = time.perf_counter(), time.process_time()
    match what:
        case "many":
            many(alerts)
        case "fill":
            fill(kind, bodies)
        case _:
            trickle(kind, bodies, pause)
    print(json.dumps({"seconds": time.perf_counter() - started, "processor": time.process_time() - used}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]) if sys.argv[4:] else 0)
