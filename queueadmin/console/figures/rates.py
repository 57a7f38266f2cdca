"""Rates from counters: what went in and out of each queue per second. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from queueadmin.console.figures.snapshot import QueueState

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
    #: What ended, well or not.
    out_rate: float = 0.0
    #: What came in less all that left, by operators' hands too: by so much the backlog changes.
    net_rate: float = 0.0
    dead_per_minute: float = 0.0


@dataclass(frozen=True, slots=True)
class Flow:
    """What ever went into and out of one queue."""

    #: Accepted, put back, restored or moved here.
    arrived: int
    #: Completed, or failed for good.
    ended: int
    #: Discarded, canceled or moved elsewhere before it ended.
    taken: int
    dead: int


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    flows: Mapping[str, Flow]


def sample(at: float, queues: Iterable[QueueState]) -> Sample:
    return Sample(at, {q.name: _flow(q) for q in queues})


def _flow(q: QueueState) -> Flow:
    return Flow(
        arrived=q.enqueued + q.requeued + q.moved_in + q.restored - q.restored_failed,
        ended=q.completed + q.dead + q.dropped,
        taken=q.trashed - q.trashed_failed + q.canceled + q.moved_out,
        dead=q.dead,
    )


def between(old: Sample, new: Sample) -> dict[str, Rates]:
    """The mean rates from one sample to a later one; zero where a counter fell or no time passed."""
    seconds = new.at - old.at
    rates = {}
    for name, now in new.flows.items():
        then = old.flows.get(name)
        if then is None or seconds <= 0 or _fell(then, now):
            rates[name] = Rates()
            continue
        arrived, ended = now.arrived - then.arrived, now.ended - then.ended
        rates[name] = Rates(
            in_rate=round(arrived / seconds, 2),
            out_rate=round(ended / seconds, 2),
            net_rate=round((arrived - ended - (now.taken - then.taken)) / seconds, 2),
            dead_per_minute=round((now.dead - then.dead) / seconds * 60, 1),
        )
    return rates


def _fell(then: Flow, now: Flow) -> bool:
    return any(getattr(now, name) < getattr(then, name) for name in ("arrived", "ended", "taken", "dead"))


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


def clears_in(q: QueueState, rates: Rates) -> float | str | None:
    """Seconds until its jobs are gone, "growing", "steady", "paused", or None when nothing waits."""
    if not q.depth:
        return None
    if q.paused:
        return "paused"
    net = rates.net_rate
    steady = max(STEADY, STEADY_PART * max(rates.in_rate, rates.out_rate))
    # What waits is done within a second: jobs that run or are retried make the difference, no backlog.
    if net > steady and q.depth > rates.out_rate:
        return "growing"
    if net > -steady:
        return "steady"
    return round(q.depth / -net, 1)
