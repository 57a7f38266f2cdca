"""What became of one member, as one character in its chunk."""

from typing import Final

WAITING: Final = "."
#: Waits again: it was released, and taken back before it began.
GIVEN_BACK: Final = "b"
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
#: Those whose turn comes.
TO_GO: Final = (WAITING, GIVEN_BACK)


def marked(marks: str, place: int, mark: str) -> str:
    return marks[:place] + mark + marks[place + 1 :]
