"""What a fault is, and what it happens in."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.ledger import Ledger
from tests.chaos.load import PAUSE, Load
from tests.chaos.product import DEADLINE, PLAIN, Product, Setup
from tests.waiting import wait_until

Vendor = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault happens in."""

    product: Product
    load: Load
    ledger: Ledger
    rng: random.Random
    #: Only a sample: what lasts a minute lasts seconds.
    brief: bool = False

    def under_load(self, number: int = 120) -> None:
        """Return when so many more events were accepted."""
        before = self.ledger.accepted
        wait_until(lambda: self.ledger.accepted >= before + number, seconds=DEADLINE, what="the load")

    def in_mid_batch(self) -> None:
        """Return while a worker holds jobs, at another moment each time."""
        wait_until(lambda: self.product.jobs.started() > 0, seconds=DEADLINE, what="a claim")
        time.sleep(self.rng.uniform(0, 0.03))

    def last(self, seconds: float) -> None:
        """Let the fault last."""
        time.sleep(seconds)

    def until(self, seconds: float) -> Iterator[None]:
        """A turn after the other until so many seconds have gone by; in a sample a twentieth of them."""
        end = time.monotonic() + (seconds / 20 if self.brief else seconds)
        while time.monotonic() < end:
            yield


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    #: For people; docs/chaos.md has it too.
    what: str
    bring: Callable[[Scene], None]
    databases: tuple[Vendor, ...] = ("sqlite", "postgresql")
    setup: Setup = PLAIN
    #: Faults of events beside the usual ones, and how many events ask for each.
    rare: Mapping[str, int] = field(default_factory=dict)
    #: Seconds between two requests of one sender: more where the fault lasts for minutes.
    pause: float = PAUSE


def held(pid: int, seconds: float) -> None:
    """SIGSTOP, and SIGCONT after so many seconds."""
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
