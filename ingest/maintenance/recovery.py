"""Takes back what dead workers held."""

import logging
import time
from typing import Final

import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.connections import server_time
from ingest.queue.transitions import Transitions
from ingest.signals import tell_dead

logger = logging.getLogger(__name__)

#: Jobs in one script call, and calls for one queue in one round: a long list must not keep the
#: other queues waiting; 5,000 jobs a second is far above what workers drain.
LIMIT: Final = 100
CALLS: Final = 50
#: Seconds that a lapsed lease is left for its worker to renew, and for people to see it as stalled. After
#: an outage of Redis live workers renew within a second or two; a lapse that nobody died of would count as
#: a crash. With a lease of 30 s a dead worker's jobs are back after 37 s at most.
PATIENCE: Final = 5.0


class Recovery:
    """The leader's step: takes back what has been stalled for PATIENCE seconds without a break."""

    def __init__(self, connection: redis.Redis, transitions: Transitions) -> None:
        self._connection = connection
        self._transitions = transitions
        self._stalled_since: dict[str, float] = {}  # queue → time.monotonic()

    def step(self, queue: str) -> None:
        now = time.monotonic()
        if not stalled(self._connection, queue):
            self._stalled_since.pop(queue, None)
        elif now - self._stalled_since.setdefault(queue, now) >= PATIENCE:
            recover(self._transitions, queue)
            self._stalled_since.pop(queue, None)

    def forget(self) -> None:
        """Begin to watch anew: what was seen before an outage, or before another led, tells nothing of now."""
        self._stalled_since.clear()


def queues() -> tuple[str, ...]:
    """The queues that are maintained: those that the settings name."""
    return tuple(settings.RQ_QUEUES)


def stalled(connection: redis.Redis, queue: str) -> int:
    """How many jobs are held under a lease that lapsed: their workers are gone, or cut off."""
    now = server_time(connection).timestamp()
    wip = keys.started(queue)
    # A stock worker's leases carry no offset.
    ours = connection.zcount(wip, keys.SCORE_OFFSET, now + keys.SCORE_OFFSET)
    return int(ours) + int(connection.zcount(wip, 0, now))


def recover(transitions: Transitions, queue: str) -> int:
    """Take back the jobs whose lease lapsed.

    Return how many went back to their queue or became dead letters at their third crash.
    """
    number = 0
    for _ in range(CALLS):
        recovered = transitions.recover(queue, limit=LIMIT)
        number += recovered.requeued + recovered.dead
        for failure in recovered.buried:
            tell_dead(queue, failure)
        if recovered.requeued + recovered.dead + recovered.phantom < LIMIT:
            break
    if number:
        logger.warning("queue %s: took back %d jobs of workers that are gone", queue, number)
    return number
