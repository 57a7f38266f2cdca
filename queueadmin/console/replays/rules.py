"""How many members may go now, and whether the replay must stop. Pure but for the clock that a throttle is given."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from queueadmin.console.models import Replay
from queueadmin.console.replays.options import UNLIMITED

#: How many of the jobs that ended last the share counts.
RECENT: Final = 200
#: Members that are released and have not ended: no more are released beyond it, however fast they may go, so that a
#: stop comes before the harm, and one look at all of them takes some 30 ms.
WINDOW: Final = 2_000
#: Seconds for which a throttle may catch up: after a longer gap (a restart, a pause) it goes on, it does not burst.
_CATCH_UP: Final = 2.0
#: The place in the ramp before its first rate.
CANARY: Final = -1


class Throttle:
    """So many a second, whatever the beat in which it is asked."""

    def __init__(self, now: float) -> None:
        self._at = now
        self._left = 0.0

    def allows(self, rate: int, now: float) -> int:
        """How many may go since the last question; what is not used is not kept beyond _CATCH_UP seconds."""
        self._left = min(self._left + rate * (now - self._at), max(rate * _CATCH_UP, 1.0))
        self._at = now
        return int(self._left)

    def spend(self, count: int) -> None:
        self._left -= count


def rate_of(replay: Replay) -> int | None:
    """Jobs a second of its present step; None: the canary."""
    return None if replay.step == CANARY else int(replay.ramp[replay.step])


def is_unlimited(replay: Replay) -> bool:
    return replay.kind != Replay.Kind.RETRY or rate_of(replay) == UNLIMITED


def waiting(replay: Replay) -> int:
    """Members whose turn has not come."""
    return replay.size - replay.released - replay.already


def failing_limit(replay: Replay) -> int:
    """More failures than this among the last ones stop it: of a canary its own size counts, else RECENT.

    While fewer have ended it is still that many, so that two early failures do not end a replay of thousands.
    """
    of = min(replay.canary, replay.size) if replay.step == CANARY else RECENT
    return int((replay.stop_percent or 0) * of / 100)


def new_errors(replay: Replay) -> int:
    """Failures with errors that the set did not have, since somebody last said that it should go on."""
    return sum(error["count"] for error in _stopping(replay))


def must_stop(replay: Replay, waits: Mapping[str, tuple[float, int]]) -> str:
    """Why, as a sentence; "" when it may go on. `waits`: queue → seconds that it waits, and its target."""
    failing = replay.recent.count("f")
    if replay.stop_percent is not None and failing > failing_limit(replay):
        ended = len(replay.recent)
        of = f"the canary of {min(replay.canary, replay.size):,}" if replay.step == CANARY else f"the last {ended:,}"
        return f"{failing:,} of {of} failed again; more than {replay.stop_percent} % stop it."
    if replay.stop_new_errors and (new := new_errors(replay)) >= replay.stop_new_errors:
        names = sorted({error["type"] or "an error without a type" for error in _stopping(replay)})
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"A new error appeared{f' {new:,} times' if new > 1 else ''}: {names[0]}{more}."
    if replay.stop_wait:
        for queue in [replay.to] if replay.to else replay.queues:
            seconds, target = waits.get(queue, (0.0, 0))
            if target and seconds > target:
                return f"{queue} waits {seconds:,.0f} s, longer than its target of {target:,} s."
    return ""


def _stopping(replay: Replay) -> Iterator[dict[str, Any]]:
    return (error for error in replay.errors.values() if error["new"] and not error["accepted"])
