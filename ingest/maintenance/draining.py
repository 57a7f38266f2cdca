"""Puts into Redis what was accepted while it could not take it."""

import logging
import time
from collections.abc import Callable
from typing import Final

import redis

from ingest import spool
from ingest.queue.transitions import Transitions

logger = logging.getLogger(__name__)

#: Seconds of one step; the next one begins at once, or a second after this one began.
LONGEST: Final = 5.0


class Draining:
    """The leader's step. `leads()` is asked between two chunks: a second one who drains does no harm, and no good."""

    def __init__(self, connection: redis.Redis, leads: Callable[[], bool]) -> None:
        self._transitions = Transitions(connection)
        self._leads = leads

    def step(self) -> None:
        """As much as there is, for LONGEST seconds. Raises RedisError, DatabaseAway and DatabaseError."""
        end = time.monotonic() + LONGEST
        drained = spool.drain(self._transitions.enqueue, lambda: self._leads() and time.monotonic() < end)
        if drained.total:
            logger.info(
                "the spool: %d events went into Redis, %d were there already%s",
                *(drained.enqueued, drained.duplicates, "" if drained.empty else "; more is left"),
            )
