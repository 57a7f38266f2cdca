"""What is changed of a replay that is under way: its pace from now on, and what stops it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from queueadmin.console.models import Replay
from queueadmin.console.replays.options import UNLIMITED, BadOption, Options
from queueadmin.console.replays.rules import CANARY
from queueadmin.console.words import joined

#: Steps that a replay ever had: each change of its pace adds some.
MOST_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Tuning:
    """Checked when it is made. Raises BadOption."""

    #: Rates from now on, one after the other, in jobs a second; None: as they were to be.
    ramp: tuple[int, ...] | None
    step_seconds: int
    #: As in Options.
    stop_percent: int | None
    stop_new_errors: int
    stop_wait: bool

    def __post_init__(self) -> None:
        Options(
            ramp=self.ramp if self.ramp is not None else (UNLIMITED,),
            step_seconds=self.step_seconds,
            stop_percent=self.stop_percent,
            stop_new_errors=self.stop_new_errors,
        )

    @classmethod
    def of(cls, replay: Replay, **changed: Any) -> Self:
        """As the replay is, but for what is `changed`. Raises BadOption."""
        names = ("step_seconds", "stop_percent", "stop_new_errors", "stop_wait")
        return cls(**{"ramp": None, **{name: getattr(replay, name) for name in names}, **changed})

    def values(self, replay: Replay, now: datetime) -> dict[str, Any]:
        """The row's fields with it. Raises BadOption when it was changed too often."""
        values: dict[str, Any] = {
            "step_seconds": self.step_seconds,
            "stop_percent": self.stop_percent,
            "stop_new_errors": self.stop_new_errors,
            "stop_wait": self.stop_wait,
        }
        if self.ramp is None:
            return values
        if replay.step == CANARY or replay.frozen_at is None:
            return values | {"ramp": list(self.ramp)}
        over = [*replay.steps]
        lasted = (now - replay.step_began_at).total_seconds() if replay.step_began_at else 0.0
        over[-1] = {**over[-1], "seconds": round(max(lasted, 0))}
        step = replay.step + 1
        ramp = [*replay.ramp[:step], *self.ramp]
        if len(ramp) > MOST_STEPS:
            raise BadOption("ramp", f"The pace was changed too often: a replay has at most {MOST_STEPS} steps.")
        return values | {"ramp": ramp, "step": step, "steps": [*over, {"step": step}], "step_began_at": now}

    def sentence(self, replay: Replay) -> str:
        """What is changed; empty when nothing is."""
        said = []
        if self.ramp is not None and self.ramp != _to_come(replay):
            said.append(f"from now on {paces(self.ramp)}")
        if self.step_seconds != replay.step_seconds:
            said.append(f"each rate holds {self.step_seconds:,} s")
        if self.stop_percent != replay.stop_percent:
            share = f"when more than {self.stop_percent} %" if self.stop_percent is not None else "at no share"
            said.append(f"stops {share} of the last 200")
        if self.stop_new_errors != replay.stop_new_errors:
            after = f"at {self.stop_new_errors:,} jobs with" if self.stop_new_errors else "at no"
            said.append(f"stops {after} new errors")
        if self.stop_wait != replay.stop_wait:
            said.append(f"stops {'when a queue waits' if self.stop_wait else 'at no wait'} longer than its target")
        return joined(said) if said else ""


def paces(ramp: tuple[int, ...]) -> str:
    """Such as: 1, 5, then as fast as it goes."""
    names = ["as fast as it goes" if rate == UNLIMITED else f"{rate:,} a second" for rate in ramp]
    return ", then ".join(names)


def _to_come(replay: Replay) -> tuple[int, ...]:
    return tuple(replay.ramp[max(replay.step, 0) :])
