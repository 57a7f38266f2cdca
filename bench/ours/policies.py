"""`COUNT TIMES`: makes so many dead letters, looks so often with policies by which none goes, then removes all of them.

Prints the medians of such looks in milliseconds, by policy, and the seconds of the removal with its µs of a core for
each dead letter.
"""

import json
import sys
import time
from datetime import timedelta

from bench.ours.dead_letters import bury, index
from bench.ours.look import median_ms
from ingest.queue import keys
from ingest.queue.connections import connection, server_time
from queueadmin.console.failures import Indexer
from queueadmin.console.models import Failure, FailureGroup, FailureText, RetentionPolicy
from queueadmin.console.policies.applying import EVERY, Policies

#: Of a cause that has more: with all of them younger than the notice none goes.
NEWEST = 10


class Clock:
    """Each look comes when it is due."""

    seconds = 0.0

    def __call__(self) -> float:
        self.seconds += EVERY
        return self.seconds


def keep(days: int | None, count: int | None) -> None:
    """For all dead letters, in force."""
    at = server_time(connection()) - timedelta(days=2)
    said = {"keep_days": days, "keep_count": count, "set_by": "bench", "set_at": at, "reason": "bench", "starts_at": at}
    RetentionPolicy.objects.update_or_create(fingerprint="", defaults=said)


def removed(policies: Policies) -> tuple[float, float]:
    """Seconds, and seconds of a core, of all rounds; the index follows between them, as a publisher does meanwhile."""
    indexer, seconds, worked = Indexer(connection(), lambda: True), 0.0, 0.0
    while Failure.objects.exists():
        began, before = time.perf_counter(), time.process_time()
        policies.step()
        seconds, worked = seconds + time.perf_counter() - began, worked + time.process_time() - before
        indexer.step()
        connection().persist(keys.FAILURES)
    return seconds, worked


if __name__ == "__main__":
    count, times = map(int, sys.argv[1:])
    for model in (FailureText, Failure, FailureGroup, RetentionPolicy):
        model.objects.all().delete()
    bury(count)
    index(count)
    policies, nothing = Policies(connection(), Clock()), {}
    for what, days, newest in (("by days", 30, None), (f"by count, {NEWEST} of each cause", None, NEWEST)):
        keep(days, newest)
        nothing[what] = median_ms(policies.step, times)
    assert Failure.objects.count() == count
    Failure.objects.update(failed_at=server_time(connection()) - timedelta(days=40))
    keep(30, None)
    seconds, worked = removed(policies)
    left = connection().zcard(keys.failed("medium"))
    assert not left, f"{left} of {count} stayed"
    print(json.dumps({"nothing": nothing, "seconds": seconds, "us": 1e6 * worked / count}))
