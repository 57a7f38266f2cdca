"""One-event alert jobs that one worker drains in a second."""

import time
from collections.abc import Iterator
from functools import partial

from bench.contestants import PEERS, Contestant, Ours, OursOnStock, beside
from bench.ground import DATABASES, Ground, Unmeasured, wait_until
from bench.report import Goal, Row

#: Seconds for which a worker runs before it is measured, once its first job is done.
WARM = 0.5
COSTS = "a job costs, in µs of a core (worker + Valkey):"


def rows(ground: Ground) -> Iterator[Row]:
    cost: dict[str, str] = {}

    def measure(contestant: Contestant) -> float:
        rate, cost[contestant.name] = drain(ground, contestant)
        return rate

    ours = Ours(ground)
    yield Row(
        "drain",
        "drained by one worker, not stored",
        "jobs/s",
        "more",
        measure(ours),
        beside(ground, measure, *PEERS),
        (Goal(5_000), Goal(20, "RQ SimpleWorker")),
        f"{COSTS} {_listed(cost)}",
    )
    for database in DATABASES:
        cost.clear()
        name = f"drained by one worker, {Ours.stored_in[database]}"
        try:
            ours = Ours(ground, database)
            figure = measure(ours)
        except Unmeasured as error:
            yield Row("drain", name, "jobs/s", "more", None, note=str(error))
        else:
            peers = beside(ground, measure, partial(OursOnStock, database=database))
            yield Row("drain", name, "jobs/s", "more", figure, peers, note=f"{COSTS} {_listed(cost)}")


def _listed(cost: dict[str, str]) -> str:
    return "; ".join(f"{name} {text}" for name, text in cost.items())


def drain(ground: Ground, contestant: Contestant) -> tuple[float, str]:
    """Jobs a second, from WARM after the first on, for as long as asked or until none is left; and what one costs."""
    ground.forget_events()
    ground.empty()
    count = ground.size(contestant.most * (ground.seconds + 2 * WARM))
    contestant.fill(count, "nothing")
    worker = contestant.work()
    try:
        wait_until(lambda: contestant.remaining() < count or worker.ended(), seconds=60, what="the first job")
        if worker.ended():
            raise worker.why()
        time.sleep(0 if ground.small else WARM)
        begin, first = time.perf_counter(), contestant.remaining()
        used = worker.processor_seconds(), ground.valkey.processor_seconds()
        left, now = first, begin
        while left > 0 and now - begin < ground.seconds:
            time.sleep(0.02)
            left, now = contestant.remaining(), time.perf_counter()
        used_by_worker = worker.processor_seconds() - used[0]
        used_by_valkey = ground.valkey.processor_seconds() - used[1]
        done = first - left
        if not done:
            if ground.small:
                return float(count), "nothing that could be told"
            raise Unmeasured("no job was done")
        cost = f"{used_by_worker / done * 1e6:,.0f} + {used_by_valkey / done * 1e6:,.0f}"
        return done / (now - begin), cost
    finally:
        worker.stop()
