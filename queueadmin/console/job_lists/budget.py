"""How much is looked at for one page."""

import time
from typing import Final

#: Jobs looked at for one page; few may match, and whoever asks goes on with `next`.
LOOKED_AT: Final = 20_000
#: Seconds of looking for one page: an event has 100 bytes or a MiB, so a number of jobs alone bounds nothing.
SECONDS: Final = 0.07
#: From so many jobs or bytes of events on the clock counts: each page gets on, whatever else the machine does.
LEAST: Final = 250
LEAST_BYTES: Final = 512 * 1024


class Budget:
    """For one page, or all pages that make up one answer; `is_timed` unless it is to end at a place told before."""

    def __init__(self, *, looked_at: int | None = None, is_timed: bool = True) -> None:
        self.looked_at = self.bytes = 0
        self._most = LOOKED_AT if looked_at is None else looked_at
        self._until = time.monotonic() + SECONDS if is_timed else None

    @property
    def is_used_up(self) -> bool:
        return self.looked_at >= self._most

    @property
    def is_late(self) -> bool:
        if self._until is None or not self.looked_at or (self.looked_at < LEAST and self.bytes < LEAST_BYTES):
            return False
        return time.monotonic() >= self._until
