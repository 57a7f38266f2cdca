"""supervisord, but that a log which cannot be written ends nothing.

As it comes (4.3.0, loggers.py), it prints such an error to its own output. On a full disk that fails too, and the error
goes up into its loop: it closes the pipe of the program whose line it was, then its own log fails, and it ends with
everything that it started.
"""

import contextlib
from typing import Any

from supervisor import loggers, supervisord

_emit = loggers.RotatingFileHandler.emit


def _lose(handler: Any) -> None:
    """The line is lost; the next one is tried again."""


def _emit_or_lose(handler: Any, record: Any) -> None:
    with contextlib.suppress(OSError):
        if handler.stream.closed:  # no new file could be begun when the last one was full
            handler.stream = open(handler.baseFilename, "ab")  # noqa: SIM115 - the handler closes it
        _emit(handler, record)


def bear_full_disks() -> None:
    """For this process."""
    loggers.Handler.handleError = _lose
    loggers.RotatingFileHandler.emit = _emit_or_lose


if __name__ == "__main__":
    bear_full_disks()
    supervisord.main()
