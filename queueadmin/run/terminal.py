"""What the person who started it reads."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO


def say(text: str) -> None:
    """One line on standard output; a reader that went away is no reason to stop."""
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201 - this is the program's voice


@contextlib.contextmanager
def terminal() -> Iterator[TextIO | None]:
    """The terminal itself, for what must not end up in a file; None where there is none."""
    if sys.stdout.isatty():
        yield sys.stdout
        return
    try:
        file = open("/dev/tty", "w")  # noqa: SIM115 - closed below
    except OSError:
        yield None
        return
    with file:
        yield file
