"""Passes turns on that stock workers and clients ended without a word.

Our scripts give the turn of an ordering key to its next job in the step that ends the one before. A job that a stock
worker ran to its end, or that a stock client canceled or deleted, keeps the turn until this step sees it.
"""

import logging
from typing import Any, Final

import redis

from ingest.queue import keys
from ingest.queue.transitions import Transitions

logger = logging.getLogger(__name__)

#: Turns that one round looks at: 1 ms. 10,000 conversations are seen in half a minute.
LOOK: Final = 300


class Turns:
    """The leader's step."""

    def __init__(self, connection: redis.Redis, transitions: Transitions) -> None:
        self._connection = connection
        self._transitions = transitions
        self._cursor = 0

    def step(self) -> None:
        """One look. Raises RedisError."""
        found: tuple[int, dict[bytes, Any]] = self._connection.hscan(keys.TURNS, self._cursor, count=LOOK)  # type: ignore[assignment]
        self._cursor, turns = found
        if turns and (number := self._transitions.end_turns(ordering.decode() for ordering in turns)):
            logger.warning("%d jobs with an ordering key ended without a word; the next ones follow", number)
