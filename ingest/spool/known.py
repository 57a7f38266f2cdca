"""What this process knows of the spool without asking."""

import threading
from typing import Final

_NEVER: Final = float("-inf")


class Known:
    def __init__(self) -> None:
        #: Something is in it, or may be.
        self.used = False
        #: When the database was asked last (time.monotonic()).
        self.asked_at = _NEVER
        #: Set whenever something was stored: whoever runs it in this process need not ask again and again.
        self.bell = threading.Event()

    def stored(self) -> None:
        self.used = True
        self.bell.set()

    def forget(self) -> None:
        """Be as in a process that just began."""
        self.used, self.asked_at = False, _NEVER


known: Final = Known()
