"""Whether what the queue counted adds up with what is there."""

import redis

from ingest.queue import keys
from tests.ingest.queue.conftest import Queue


def unbalanced(client: redis.Redis, name: str) -> list[str]:
    """The rules of `keys.counters` that do not hold in a queue, each as a sentence; none when all is well."""
    queue = Queue(client)
    counted = queue.counters(name)

    def c(*names: str) -> int:
        return sum(counted.get(name, 0) for name in names)

    started, scheduled, failed, trash = (
        int(client.zcard(key(name))) for key in (keys.started, keys.scheduled, keys.failed, keys.trash)
    )
    rules = {
        "enqueued + moved in = all that is there + completed + purged + canceled + moved out": (
            c("enqueued", "moved_in"),
            queue.waiting(name)
            + (scheduled + started + failed + trash)
            + c("completed", "purged", "canceled", "moved_out"),
        ),
        "trash = trashed + dropped - restored - purged": (
            trash,
            c("trashed", "dropped") - c("restored", "purged"),
        ),
        "failed = dead - requeued - trashed dead letters + restored ones": (
            failed,
            c("dead", "restored_failed", "returned") - c("requeued", "trashed_failed"),
        ),
        "started = claimed - (completed - late) - retried - dead - dropped - released - recovered - stopped": (
            started,
            c("claimed", "late") - c("completed", "retried", "dead", "dropped", "released", "recovered", "stopped"),
        ),
    }
    return [f"queue {name}: {rule}: {left} ≠ {right}" for rule, (left, right) in rules.items() if left != right]
