"""What this process knows of the spool without asking."""

from typing import Final

_NEVER: Final = float("-inf")


class Known:
    def __init__(self) -> None:
        #: Something is in it, or may be.
        self.used = False
        #: When the database was asked last (time.monotonic()).
        self.asked_at = _NEVER

    def forget(self) -> None:
        """Be as in a process that just began."""
        self.used, self.asked_at = False, _NEVER


known: Final = Known()
