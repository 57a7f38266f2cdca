"""Waiting for Redis or the database to come back."""

import time
from collections.abc import Callable
from typing import Final

#: Waits in seconds, each twice the one before.
SHORTEST: Final = 0.5
LONGEST: Final = 10.0


class Waits:
    """Each longer than the one before, until something works again; all end within a tenth of a second of `stops()`."""

    def __init__(self, stops: Callable[[], bool]) -> None:
        self._stops = stops
        #: Seconds of the next one.
        self.next = SHORTEST

    def over(self) -> None:
        """It works again."""
        self.next = SHORTEST

    def back_off(self) -> None:
        self.pause(self.next)
        self.next = min(self.next * 2, LONGEST)

    def pause(self, seconds: float) -> None:
        """Sleep, and notice a signal."""
        until = time.monotonic() + seconds
        while not self._stops() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
