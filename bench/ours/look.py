"""How long the counts take, ours and those of django-rq's own page, in milliseconds; medians."""

import json
import statistics
import sys
import time
from collections.abc import Callable

from django_rq.utils import get_statistics

from queueadmin.console.figures import metrics


def median_ms(look: Callable[[], object], times: int) -> float:
    look()
    took = []
    for _ in range(times):
        started = time.perf_counter()
        look()
        took.append(time.perf_counter() - started)
    return 1000 * statistics.median(took)


if __name__ == "__main__":
    assert metrics.snapshot().known, "Redis does not answer"
    times = int(sys.argv[1])
    print(json.dumps({"snapshot": median_ms(metrics.snapshot, times), "django_rq": median_ms(get_statistics, times)}))
