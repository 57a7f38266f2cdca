"""Strict order has a price: a queue may wait for as long as higher ones keep the workers. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from queueadmin.console.figures.snapshot import QueueState

#: Shorter than this is what strict order is for.
STARVED_SECONDS: Final = 60


def seconds(
    q: QueueState,
    queues: Sequence[QueueState],
    served: Mapping[str, float],
    orders: Sequence[Sequence[str]],
    now: float,
) -> float:
    """How long nothing of `q` was claimed because each of its workers had work in a queue that it serves first.

    0 below STARVED_SECONDS, and while it has nothing to claim, is paused, or has no worker. `served` holds when each
    queue was last claimed from, `orders` the queues of each live worker in its own order.
    """
    if q.paused or q.depth <= q.parked:
        return 0.0
    since = max(now - q.oldest_wait, served.get(q.name, 0.0))
    waited = round(now - since, 1)
    mine = [order[: order.index(q.name)] for order in orders if q.name in order]
    if waited < STARVED_SECONDS or not mine:
        return 0.0
    # Claimed from while this one waited, or still running what was claimed before.
    taking = {other.name for other in queues if served.get(other.name, 0.0) > since or other.started > other.stalled}
    return waited if all(taking.intersection(first) for first in mine) else 0.0
