"""How the console says counts and lists in its sentences."""

from collections.abc import Iterable, Sequence


def jobs(count: int) -> str:
    """1 → "1 job", 1234 → "1,234 jobs"."""
    return "1 job" if count == 1 else f"{count:,} jobs"


def dead_letters(count: int) -> str:
    """1 → "1 dead letter", 1234 → "1,234 dead letters"."""
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"


def listed(names: Sequence[str]) -> str:
    """["high", "medium", "low"] → "high, medium and low"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def joined(parts: Iterable[str]) -> str:
    """Half sentences as one."""
    return "; ".join(parts) + "."
