"""The clock over a running handler: its timeout, and the end of a stopping worker's grace time."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from types import FrameType

#: Seconds until the alarm rings again for a handler that caught it and went on.
AGAIN = 5.0
#: Seconds between two looks at whether it must stop.
LOOK = 1.0


class Overrun(BaseException):
    """The handler ran longer than its kind allows. Not an Exception: handlers must not catch it."""


class Stopped(BaseException):
    """Somebody canceled the job, and its handler did not end by itself."""

    retry = False


class Halt(BaseException):
    """The worker must end now; what it has not finished goes back to its queue."""


class Alarm:
    """Raises Overrun or Halt inside the handler that is being watched, from SIGALRM.

    Outside `watch` nothing is ever raised. Only the main thread of a process can be watched.
    """

    def __init__(self) -> None:
        self._watching = False
        self._timeout_at = inf
        self._halt_at = inf
        self._must_stop: Callable[[], bool] | None = None

    @property
    def halted(self) -> bool:
        """Whether the grace time is over."""
        return time.monotonic() >= self._halt_at

    def halt_in(self, seconds: float) -> None:
        """Let a handler go on for this long at most. Safe to call from a signal handler."""
        self._halt_at = min(self._halt_at, time.monotonic() + seconds)
        if self._watching:
            self._set()

    @contextmanager
    def watch(self, timeout: float, must_stop: Callable[[], bool] | None = None) -> Iterator[None]:
        """Run the body for `timeout` seconds at most, and until `must_stop` says so.

        Raises Overrun, Stopped or Halt.
        """
        if self.halted:
            raise Halt
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signal.signal(signal.SIGALRM, self._ring)
        self._timeout_at = time.monotonic() + timeout
        self._must_stop = must_stop
        self._watching = True
        self._set()
        try:
            yield
        finally:
            self._watching = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _set(self) -> None:
        wait = min(self._timeout_at, self._halt_at) - time.monotonic()
        if self._must_stop is not None:
            wait = min(wait, LOOK)
        signal.setitimer(signal.ITIMER_REAL, max(wait, 0.001), AGAIN)

    def _ring(self, signum: int, frame: FrameType | None) -> None:
        if not self._watching:
            return
        if self.halted:
            raise Halt
        if time.monotonic() >= self._timeout_at:
            raise Overrun("the handler ran longer than its timeout")
        if self._must_stop is not None and self._must_stop():
            raise Stopped("it was canceled while it ran, and did not end by itself")
        self._set()
