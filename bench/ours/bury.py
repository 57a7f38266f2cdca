"""Makes `COUNT` dead letters, then requeues them all while somebody looks at the console.

Prints the seconds of the latter, and how long each page took meanwhile: its median and slowest, in milliseconds.
"""

import json
import subprocess
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


def fill(count: int) -> list[str]:
    """So many dead letters."""
    bodies = corpus.lines(min(count, 5_000))
    for start in range(0, count, len(bodies)):
        put.fill("alert", bodies[: count - start])
    return bury(Transitions(connection()))


if __name__ == "__main__":
    count = int(sys.argv[1])
    buried = fill(count)
    transitions = Transitions(connection())
    with subprocess.Popen(
        [sys.executable, "-m", "bench.ours.meanwhile"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as looking:
        assert looking.stdin
        assert looking.stdout
        assert looking.stdout.readline() == "ready\n"
        begin = time.perf_counter()
        moved = transitions.requeue(QUEUE, buried, by="bench")
        seconds = time.perf_counter() - begin
        looking.stdin.close()
        pages = json.loads(looking.stdout.read())
    assert len(moved) == count, f"{len(moved)} of {count} moved"
    print(json.dumps({"seconds": seconds, "pages": pages}))
