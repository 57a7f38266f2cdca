"""Alerts enqueued in a second by one client that has many; ours are checked as well, as the API would."""

from collections.abc import Iterator

from bench.contestants import BullMQ, Celery, Contestant, Dramatiq, Enqueuing, Ours, beside
from bench.ground import Ground
from bench.report import Goal, Row

#: As many as each enqueues in about the seconds asked for.
RATES = {"this project": 10_000, "RQ": 6_000, "Celery": 1_000, "Dramatiq": 1_500}


def rows(ground: Ground) -> Iterator[Row]:
    cost: dict[str, str] = {}

    def measure(contestant: Contestant) -> float:
        ground.empty()
        count = ground.size(RATES.get(contestant.name, 6_000) * ground.seconds)
        used = ground.valkey.processor_seconds()
        took = contestant.enqueue_many(count) if isinstance(contestant, Ours) else contestant.fill(count, "nothing")
        used = ground.valkey.processor_seconds() - used
        cost[contestant.name] = f"{took.processor / count * 1e6:,.0f} + {used / count * 1e6:,.0f}"
        return count / took.seconds

    ours = measure(Ours(ground))
    peers = beside(ground, measure, Enqueuing, Celery, Dramatiq, BullMQ)
    note = "a job costs, in µs of a core (client + Valkey): " + "; ".join(
        f"{name} {text}" for name, text in cost.items()
    )
    yield Row("enqueue", "enqueued in bulk by one client", "jobs/s", "more", ours, peers, (Goal(10_000),), note)
