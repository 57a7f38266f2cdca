"""Where a job is, and whether what was counted adds up with what is there."""

from typing import Final

import redis

from ingest.queue import keys

#: Where a job can be. `started` and the rest are sorted sets; the queue is a list.
PLACES: Final = ("queue", "started", "scheduled", "failed", "trash", "canceled", "finished")
_KEYS: Final = {
    "queue": keys.queue,
    "started": keys.started,
    "scheduled": keys.scheduled,
    "failed": keys.failed,
    "finished": keys.finished,
    "canceled": lambda name: f"{keys.PREFIX}:canceled:{name}",
    "trash": lambda name: f"{keys.PREFIX}:qa:trash:{name}",
}


def places(client: redis.Redis, job_id: str, queues: tuple[str, ...]) -> list[str]:
    """Every place that holds the job, as `<place> <queue>`; twice in one is there twice."""
    found = []
    for queue in queues:
        for place in PLACES:
            for member in _members(client, _KEYS[place](queue), place):
                if member.partition(":")[0] == job_id:
                    found.append(f"{place} {queue}")
    return found


def _members(client: redis.Redis, key: str, place: str) -> list[str]:
    held = client.lrange(key, 0, -1) if place == "queue" else client.zrange(key, 0, -1)
    return [member.decode() for member in held]


def unbalanced(client: redis.Redis, queue: str) -> list[str]:
    """The rules of `keys.counters` that do not hold, each as a sentence; none when all is well."""
    counted = {name.decode(): int(number) for name, number in client.hgetall(keys.counters(queue)).items()}

    def c(*names: str) -> int:
        return sum(counted.get(name, 0) for name in names)

    held = {place: len(_members(client, _KEYS[place](queue), place)) for place in PLACES}
    rules = {
        "enqueued = queued + scheduled + started + failed + completed": (
            c("enqueued"),
            held["queue"] + held["scheduled"] + held["started"] + held["failed"] + c("completed"),
        ),
        "failed = dead - requeued": (held["failed"], c("dead") - c("requeued")),
        "started = claimed - (completed - late) - retried - dead - released - recovered": (
            held["started"],
            c("claimed", "late") - c("completed", "retried", "dead", "released", "recovered"),
        ),
    }
    return [f"queue {queue}: {rule}: {left} ≠ {right}" for rule, (left, right) in rules.items() if left != right]
