"""When an operation is not done without saying why."""

from collections.abc import Sequence
from typing import Final

from queueadmin.console.words import jobs

#: More jobs than this are not removed without a reason.
REASON_FROM: Final = 100


class ReasonNeeded(ValueError):
    """It is not done without saying why; the message says what. Nothing was done."""

    def __init__(self, sentence: str, count: int) -> None:
        super().__init__(sentence)
        #: What it is about: jobs, or the one worker.
        self.count = count


def lacks_reason(count: int, reason: str) -> bool:
    """Whether so many jobs need one, and none is said."""
    return count > REASON_FROM and not reason.strip()


def need_reason(ids: Sequence[str], reason: str, done: str = "removed") -> None:
    """Raises ReasonNeeded for more than REASON_FROM jobs without one."""
    need_reason_for(len(set(ids)), reason, done)


def need_reason_for(count: int, reason: str, done: str = "removed", *, at_least: bool = False) -> None:
    """The same for so many jobs, or `at_least` so many."""
    if lacks_reason(count, reason):
        many = f"{'at least ' if at_least else ''}{jobs(count)}"
        raise ReasonNeeded(f"{many[0].upper()}{many[1:]} would be {done}; over {REASON_FROM} need a reason.", count)
