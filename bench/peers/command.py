"""The command line that the peers written in Python have in common: `fill COUNT JOB`, `trickle COUNT JOB PAUSE`."""

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import redis

from bench import corpus

#: The server's socket.
SOCKET = os.environ["BENCH_REDIS"]

Alert = dict[str, Any]
client = redis.Redis(unix_socket_path=SOCKET)


def stamp() -> None:
    """Write down that a job began now."""
    client.rpush("bench:started", repr(time.time()))


def run(fill: Callable[[str, list[Alert]], None], one: Callable[[str, Alert], None]) -> None:
    """Carry out what the command line asks for; `fill` and `one` enqueue alerts for the job of that name."""
    what, count, job = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    alerts = list(islice(cycle(corpus.alerts(min(count, 5_000))), count))
    started, used = time.perf_counter(), time.process_time()
    if what == "fill":
        fill(job, alerts)
    else:
        for alert in alerts:
            time.sleep(float(sys.argv[4]))
            client.rpush("bench:enqueued", repr(time.time()))
            one(job, alert)
    print(json.dumps({"seconds": time.perf_counter() - started, "processor": time.process_time() - used}))
