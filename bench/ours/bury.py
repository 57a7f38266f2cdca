"""Makes `COUNT` dead letters, then requeues them all; prints the seconds of the latter."""

import json
import sys
import time

from bench import corpus
from bench.ours import put
from bench.ours.operate import QUEUE, TRACEBACK
from ingest.queue.connections import connection
from ingest.queue.transitions import Failure, Transitions, new_id


def bury(transitions: Transitions) -> list[str]:
    """Everything queued becomes a dead letter."""
    buried: list[str] = []
    while claim := transitions.claim("bench", [QUEUE], claim_id=new_id(), lease=60):
        ids = [job.id for job in claim.jobs]
        failures = [Failure(job_id, TRACEBACK, retry=False, error_type="TimeoutError") for job_id in ids]
        transitions.fail(QUEUE, claim.id, "bench", failures)
        buried += ids
    return buried


if __name__ == "__main__":
    count = int(sys.argv[1])
    bodies = corpus.lines(min(count, 5_000))
    for start in range(0, count, len(bodies)):
        put.fill("alert", bodies[: count - start])
    transitions = Transitions(connection())
    buried = bury(transitions)
    begin = time.perf_counter()
    moved = transitions.requeue(QUEUE, buried, by="bench")
    seconds = time.perf_counter() - begin
    assert len(moved) == count, f"{len(moved)} of {count} moved"
    print(json.dumps({"seconds": seconds}))
