"""Waiting for real processes: until a condition holds, never for a time."""

import time
from collections.abc import Callable

#: Seconds, for what is sure to come: a machine a tenth as fast is no reason to fail.
PATIENCE = 300


class NotInTime(AssertionError):
    """What was waited for did not come about."""


def wait_until(condition: Callable[[], object], *, seconds: float = PATIENCE, what: str = "the condition") -> None:
    """Return as soon as `condition()` is true. Raises NotInTime after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NotInTime(f"{what} did not hold within {seconds} s")
        time.sleep(0.02)
