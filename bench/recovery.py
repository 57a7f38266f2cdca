"""Seconds from the kill -9 of a worker until its job runs again on another, with everybody's defaults.

All of them wait at the same time, each with a Valkey of its own, since waiting is all that they do.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from bench.contestants import PEERS, STARTED, Contestant, Ours, require_peers
from bench.ground import REPOSITORY, Ground, Unmeasured, wait_until
from bench.report import Peer, Row

#: Nobody is waited for longer.
MOST = 120.0


def rows(ground: Ground) -> Iterator[Row]:
    most = 0.5 if ground.small else MOST
    with ExitStack() as stack:
        cases = [_Case(kind, stack, ground) for kind in (Ours, *PEERS)]
        deadline = time.monotonic() + most
        while time.monotonic() < deadline and any(case.waits() for case in cases):
            time.sleep(0.1)
        figures = [case.seconds() for case in cases]
    late = f"not within {most:g} s"
    peers = tuple(
        Peer(case.name, figure, case.trouble or ("" if figure else late))
        for case, figure in zip(cases[1:], figures[1:], strict=True)
    )
    note = cases[0].trouble or ("" if figures[0] else late)
    yield Row("recovery", "from kill -9 of a worker to its job's next start", "s", "less", figures[0], peers, note=note)


class _Case:
    """A worker that was killed while it ran a job, and another one that is idle."""

    def __init__(self, kind: Callable[[Ground], Contestant], stack: ExitStack, like: Ground) -> None:
        self.name: str = kind.name  # type: ignore[attr-defined]
        self.trouble = ""
        self._killed_at = 0.0
        try:
            if kind is not Ours:
                require_peers(like)
            self._begin(kind, stack.enter_context(Ground(seconds=like.seconds, small=like.small)))
        except Unmeasured as error:
            self.trouble = str(error)

    def _begin(self, kind: Callable[[Ground], Contestant], ground: Ground) -> None:
        self._ground = ground
        contestant = kind(ground)
        if isinstance(contestant, Ours):
            maintain = [sys.executable, str(REPOSITORY / "manage.py"), "maintain"]
            ground.start(maintain, name="maintain", environment=ground.environment())
        worker = contestant.work(1)
        contestant.trickle(1, 0, "sleep")
        wait_until(lambda: self._starts() or worker.ended(), seconds=60, what="the first start")
        if worker.ended():
            raise worker.why()
        contestant.work(2)
        time.sleep(0 if ground.small else 5)
        worker.kill()
        self._killed_at = time.time()

    def waits(self) -> bool:
        return not self.trouble and len(self._starts()) < 2

    def seconds(self) -> float | None:
        starts = [] if self.trouble else self._starts()
        return starts[1] - self._killed_at if len(starts) > 1 else None

    def _starts(self) -> list[float]:
        return [float(each) for each in self._ground.redis.lrange(STARTED, 0, 1)]
