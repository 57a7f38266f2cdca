"""Rates from counters: what went in and out of each queue per second. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from queueadmin.console.snapshot import QueueState

#: Rates are means of this many seconds: long enough to be read, short enough to follow a burst.
WINDOW_SECONDS: Final = 10.0
#: Nearer to balance than this, in jobs a second or as a part of the flow, a queue is steady: at
#: 800/s a mean of 10 s wobbles by several jobs.
STEADY: Final = 0.5
STEADY_PART: Final = 0.02


@dataclass(frozen=True, slots=True)
class Rates:
    """Jobs per second, dead letters per minute."""

    in_rate: float = 0.0
    out_rate: float = 0.0
    dead_per_minute: float = 0.0

    @property
    def net_rate(self) -> float:
        return round(self.in_rate - self.out_rate, 2)


@dataclass(frozen=True, slots=True)
class Flow:
    """What ever went into and out of one queue."""

    arrived: int
    left: int
    dead: int


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    flows: Mapping[str, Flow]


def sample(at: float, queues: Iterable[QueueState]) -> Sample:
    return Sample(at, {q.name: Flow(q.enqueued + q.requeued, q.completed + q.dead, q.dead) for q in queues})


def between(old: Sample, new: Sample) -> dict[str, Rates]:
    """The mean rates from one sample to a later one; zero where a counter fell or no time passed."""
    seconds = new.at - old.at
    rates = {}
    for name, now in new.flows.items():
        then = old.flows.get(name)
        if then is None or seconds <= 0 or _fell(then, now):
            rates[name] = Rates()
            continue
        rates[name] = Rates(
            round((now.arrived - then.arrived) / seconds, 2),
            round((now.left - then.left) / seconds, 2),
            round((now.dead - then.dead) / seconds * 60, 1),
        )
    return rates


def _fell(then: Flow, now: Flow) -> bool:
    return now.arrived < then.arrived or now.left < then.left or now.dead < then.dead


class Window:
    """The samples of the last WINDOW_SECONDS. Starts anew when a counter falls: Redis came back empty."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def add(self, new: Sample) -> dict[str, Rates]:
        """Take a sample and return the mean rates over the window."""
        samples = self._samples
        if samples and (new.at <= samples[-1].at or any(self._fell_since(samples[-1], new))):
            samples.clear()
        samples.append(new)
        # The oldest kept sample is the first at least a whole window old.
        while len(samples) > 2 and new.at - samples[1].at >= WINDOW_SECONDS:
            samples.popleft()
        return between(samples[0], new)

    @staticmethod
    def _fell_since(old: Sample, new: Sample) -> Iterable[bool]:
        return (_fell(old.flows[name], flow) for name, flow in new.flows.items() if name in old.flows)


def clears_in(depth: int, rates: Rates) -> float | str | None:
    """Seconds until `depth` jobs are gone, "growing", "steady", or None when nothing waits."""
    if not depth:
        return None
    net = rates.net_rate
    steady = max(STEADY, STEADY_PART * max(rates.in_rate, rates.out_rate))
    if net > steady:
        return "growing"
    if net > -steady:
        return "steady"
    return round(depth / -net, 1)
