"""What workers did lately: how many jobs each ended in the last 15 minutes, and which were lost in the last day.

A worker is lost when nothing was heard of it for longer than a lease and nobody ended it; with its registration it
would be forgotten minutes later.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import msgspec
import redis
from django.conf import settings

from ingest.queue import keys
from ingest.reading.fields import text
from queueadmin.console.figures.counts import SeenWorker

#: Seconds between two counts of a worker, and how many are kept: 15 minutes.
STEP: Final = 20
POINTS: Final = 46
#: Seconds for which losses are told, and how many at most.
LOSSES_SECONDS: Final = 86_400
LOSSES: Final = 1_000
#: Seconds after a worker's lease in which its jobs are taken back: it claims until its last sign of life, and renews
#: every third of a lease.
_RECOVERY: Final = 15

#: The place of the newest count, and counts of jobs ended, the oldest first.
_Counted = tuple[int, list[int]]
_COUNTED: Final = msgspec.json.Decoder(_Counted)


class Loss(msgspec.Struct):
    """Unix times: when a worker was heard of last, and when the last of its jobs came back; None: it held none."""

    name: str
    heard: float
    recovered: float | None = None


_LOSSES: Final = msgspec.json.Decoder(list[Loss])


@dataclass(frozen=True, slots=True)
class WorkerHistory:
    #: Worker → jobs ended in each STEP seconds of the last 15 minutes, the oldest first.
    ended: Mapping[str, Sequence[int]] = field(default_factory=dict)
    #: Of the last day, the newest first.
    losses: Sequence[Loss] = ()

    @property
    def slowest(self) -> float | None:
        """Seconds from a lost worker's last sign of life until its jobs were back in their queues, at most."""
        return max((loss.recovered - loss.heard for loss in self.losses if loss.recovered is not None), default=None)


class Writer:
    """Keeps what snapshots see of workers. One process writes at a time."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._place: int | None = None
        self._losses: list[Loss] | None = None
        self._recovered: int | None = None

    def write(self, at: float, seen: Sequence[SeenWorker], *, recovered: int) -> None:
        """`recovered`: jobs taken back ever, which tells when those of a lost worker were. Raises redis.RedisError."""
        self._write_losses(at, seen, recovered)
        place = int(at // STEP)
        if place == self._place:
            return
        known = self._client.hgetall(keys.WORKERS_ENDED)
        counted = {text(name): _COUNTED.decode(value) for name, value in known.items()}
        now = {worker.name: _grown(counted.get(worker.name), place, worker.ended) for worker in seen if worker.alive}
        gone = [name for name, (last, _) in counted.items() if name not in now and place - last >= POINTS]
        pipe = self._client.pipeline(transaction=True)
        if now:
            pipe.hset(keys.WORKERS_ENDED, mapping={name: json.dumps(each) for name, each in now.items()})
        if gone:
            pipe.hdel(keys.WORKERS_ENDED, *gone)
        pipe.execute()
        self._place = place

    def _write_losses(self, at: float, seen: Sequence[SeenWorker], recovered: int) -> None:
        before, rose = self._losses, recovered > (recovered if self._recovered is None else self._recovered)
        losses = _losses(self._client) if before is None else before
        known = {(loss.name, loss.heard) for loss in losses}
        fresh = [
            Loss(worker.name, worker.heard)
            for worker in seen
            if worker.lost and worker.heard is not None and (worker.name, worker.heard) not in known
        ]
        changed = bool(fresh)
        losses = [loss for loss in losses if loss.heard > at - LOSSES_SECONDS][-LOSSES:] + fresh
        for loss in losses:
            if rose and at <= loss.heard + settings.LEASE_SECONDS + _RECOVERY:
                loss.recovered, changed = at, True
        if changed:
            self._client.set(keys.WORKERS_LOST, msgspec.json.encode(losses))
        self._losses, self._recovered = losses, recovered


def read(client: redis.Redis, *, now: float) -> WorkerHistory:
    """Raises redis.RedisError."""
    known = client.hgetall(keys.WORKERS_ENDED)
    place = int(now // STEP)
    ended = {}
    for name, value in known.items():
        # One that went silent has ended nothing since.
        last, counts = _COUNTED.decode(value)
        if place > last:
            _, counts = _grown((last, counts), place, counts[-1])
        ended[text(name)] = [after - before for before, after in pairwise(counts)]
    losses = [loss for loss in _losses(client) if loss.heard > now - LOSSES_SECONDS]
    return WorkerHistory(ended, sorted(losses, key=lambda loss: -loss.heard))


def _grown(counted: _Counted | None, place: int, ended: int) -> _Counted:
    """With the newest count; in between nothing was ended. Another worker of the same name begins anew."""
    last, counts = counted or (place - 1, [ended])
    if ended < counts[-1]:
        counts = [0]
    counts = [*counts, *[counts[-1]] * min(place - last - 1, POINTS), ended]
    return place, counts[-POINTS:]


def _losses(client: redis.Redis) -> list[Loss]:
    kept: Any = client.get(keys.WORKERS_LOST)
    return _LOSSES.decode(kept) if kept else []
