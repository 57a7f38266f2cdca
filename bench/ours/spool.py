"""Lays `COUNT` alerts into the spool as acceptance does while Redis is away, and drains them as maintenance does.

Prints the seconds of the latter, and how many of them on a core.
"""

import json
import sys
import time
from itertools import cycle, islice

from bench import corpus
from bench.ours import put
from ingest import spool
from ingest.accept.jobs import new_jobs
from ingest.maintenance.draining import Draining
from ingest.models import SpooledEvent
from ingest.queue.connections import connection

#: Events of one transaction.
TOGETHER = 200


def fill(count: int) -> None:
    bodies = list(islice(cycle(corpus.lines(min(count, 5_000))), count))
    for start in range(0, count, TOGETHER):
        spool.store(new_jobs([put.incoming("alert", body) for body in bodies[start : start + TOGETHER]]))


if __name__ == "__main__":
    count = int(sys.argv[1])
    fill(count)
    draining = Draining(connection(), lambda: True)
    started, used = time.perf_counter(), time.process_time()
    while SpooledEvent.objects.exists():
        draining.step()
    print(json.dumps({"seconds": time.perf_counter() - started, "processor": time.process_time() - used}))
