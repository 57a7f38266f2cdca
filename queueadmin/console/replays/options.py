"""How a replay goes, and when it stops itself. Pure."""

from dataclasses import dataclass
from typing import Final

#: Jobs of a canary at most: it goes all at once.
MOST_CANARY: Final = 1_000
#: Steps of a ramp, and jobs a second of one.
MOST_STEPS: Final = 10
MOST_RATE: Final = 10_000
#: Seconds of a step: a minute short of nothing to a day.
MOST_STEP_SECONDS: Final = 86_400
MOST_NEW_ERRORS: Final = 1_000
#: The rate that is none: as fast as it goes.
UNLIMITED: Final = 0


def share(percent: int | None) -> int | None:
    """`stop_percent` as people say it: 100 is never, since more than all of them cannot fail."""
    return None if percent == 100 else percent


class BadOption(ValueError):
    """The message says what is allowed."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Options:
    """Checked when it is made. Raises BadOption."""

    #: Jobs that go first, all at once; the rest waits until they have ended. 0: none.
    canary: int = 10
    #: Rates one after the other, in jobs a second; UNLIMITED: as fast as it goes.
    ramp: tuple[int, ...] = (1, 5, 20, 100)
    #: Seconds that each rate but the last holds.
    step_seconds: int = 30
    #: Stop when more than this share of the last 200 fail again, in percent; None: never.
    stop_percent: int | None = 5
    #: Stop when so many fail with an error that the set did not have; 0: never.
    stop_new_errors: int = 1
    #: Stop when a queue that it puts jobs into waits longer than its target.
    stop_wait: bool = True

    def __post_init__(self) -> None:
        _between("canary", self.canary, 0, MOST_CANARY)
        if not 1 <= len(self.ramp) <= MOST_STEPS:
            raise BadOption("ramp", f"ramp must be from 1 to {MOST_STEPS} rates.")
        for rate in self.ramp:
            if not UNLIMITED <= rate <= MOST_RATE:
                raise BadOption("ramp", f"A rate is from 1 to {MOST_RATE:,} jobs a second, or 0: as fast as it goes.")
        if UNLIMITED in self.ramp[:-1]:
            raise BadOption("ramp", "Only the last rate can be 0, as fast as it goes: nothing is faster.")
        _between("step_seconds", self.step_seconds, 1, MOST_STEP_SECONDS)
        if self.stop_percent is not None:
            _between("stop_percent", self.stop_percent, 0, 99)
        _between("stop_new_errors", self.stop_new_errors, 0, MOST_NEW_ERRORS)


def _between(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadOption(field, f"{field} must be a whole number from {least} to {most:,}.")
