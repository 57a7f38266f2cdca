"""What goes wrong again and again is said at once, then once a minute, and once more when it ends."""

import logging
import time
from typing import Final

logger = logging.getLogger(__name__)

#: Seconds between two lines about the same trouble.
AGAIN: Final = 60.0


class Complaints:
    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def wrong(self, what: str, error: Exception, *, expected: bool) -> None:
        """`what` is a sentence's subject, such as "promoting". What is not expected comes with its traceback."""
        now = time.monotonic()
        if now - self._said.get(what, -AGAIN) < AGAIN:
            return
        self._said[what] = now
        logger.error("%s does not work (%s); it is tried again", what, error, exc_info=None if expected else error)

    def right(self, what: str) -> None:
        if self._said.pop(what, None) is not None:
            logger.warning("%s works again", what)
