"""What became of one member, as one character in its chunk."""

from typing import Final

WAITING: Final = "."
#: Released, and not ended yet.
IN_FLIGHT: Final = "r"
SUCCEEDED: Final = "s"
FAILED: Final = "f"
#: It had moved, or failed anew, before its turn came.
ALREADY: Final = "a"
#: Somebody moved it after it was released: retried, canceled or discarded it.
TAKEN: Final = "t"
#: Nothing is left of it, neither in Redis nor as a row.
LOST: Final = "l"


def marked(marks: str, place: int, mark: str) -> str:
    return marks[:place] + mark + marks[place + 1 :]
