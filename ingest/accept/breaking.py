"""Whether Redis is asked at all."""

import logging
import time
from typing import Final

import redis

from ingest.accept.events import Unavailable

logger = logging.getLogger(__name__)

#: After Redis failed to answer, nothing is sent for so long; then one call tries again.
BREAK_SECONDS: Final = 1.0


class Breaker:
    """Open after Redis failed: requests go on without it at once, and one call a second tries again."""

    def __init__(self) -> None:
        self._open_until = 0.0

    def lets_through(self) -> bool:
        now = time.monotonic()
        if now < self._open_until:
            return False
        if self._open_until:
            # This one tries; the others go on without until it knows.
            self._open_until = now + BREAK_SECONDS
        return True

    def trip(self, error: Exception) -> Unavailable:
        """Open. Returns what the failed call means for its events."""
        if not self._open_until:
            logger.error("Redis does not take events in: %s", error)
        self._open_until = time.monotonic() + BREAK_SECONDS
        return _failure(error)

    def reset(self) -> None:
        if self._open_until:
            logger.warning("Redis takes events in again.")
        self._open_until = 0.0


#: One for the process: both ways in ask the same Redis.
breaker: Final = Breaker()

#: Answers of Redis, or of our own pool, that mean that nothing was written: out of memory, read only,
#: still loading, wrong password, no connection free.
_REFUSALS: Final = (
    redis.ResponseError,
    redis.exceptions.BusyLoadingError,
    redis.AuthenticationError,
    redis.exceptions.MaxConnectionsError,
)


def not_sent() -> Unavailable:
    return Unavailable("Redis does not answer; nothing was stored.")


def _failure(error: Exception) -> Unavailable:
    """What a failed call means for its events."""
    if isinstance(error, _REFUSALS):
        return Unavailable("Redis does not take writes now; nothing was stored.")
    if isinstance(error.__context__, ConnectionRefusedError | FileNotFoundError):
        return Unavailable("Redis cannot be reached; nothing was stored.")
    return Unavailable(
        "Redis did not answer in time, so the event may have been stored. Sent again with an id, a copy is recognised.",
        unknown=True,
    )
