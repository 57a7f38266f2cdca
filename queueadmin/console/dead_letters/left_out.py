"""What is left out when many dead letters go back at once, unless it is asked for: poison, and what somebody marked
permanent. Pure."""

from typing import Literal

from queueadmin.console.dead_letters.reading import POISON
from queueadmin.console.words import jobs

#: "": it goes.
Why = Literal["poison", "permanent", ""]


def why_left(
    reason: str | None, *, permanent: bool, include_poison: bool = False, include_permanent: bool = False
) -> Why:
    """Why one is left out. One that is both goes where both are asked for, and counts as poison where neither is."""
    if reason == POISON and not include_poison:
        return "poison"
    return "permanent" if permanent and not include_permanent else ""


def told(poison: int, permanent: int) -> str:
    """Such as: 12 jobs left out: 9 poison, 3 marked permanent. Empty when none is."""
    if poison and permanent:
        return f"{jobs(poison + permanent)} left out: {poison:,} poison, {permanent:,} marked permanent"
    if permanent:
        return f"{jobs(permanent)} left out, marked permanent"
    return f"{jobs(poison)} left out, being poison" if poison else ""
