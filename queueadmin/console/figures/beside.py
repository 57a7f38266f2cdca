"""What is looked at less often than the counts: whether each job is in one place, what it is that waits, and how long
jobs took.

A thread beside the publisher's second. It only reads, bounded amounts: 200 jobs every 15 s, 400 every 5 s.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

import redis
from django.conf import settings

from ingest import conservation
from ingest.queue import keys
from ingest.reading.fields import kind as kind_of
from ingest.reading.fields import pipelined, text
from queueadmin.console.figures.percentiles import Lately
from queueadmin.console.figures.snapshot import Accounts, Beside, Share, Waiting

logger = logging.getLogger(__name__)

#: Seconds between two samples of jobs that are looked for in their places, and how many they are.
ACCOUNTS_EVERY: Final = 15.0
ACCOUNTS_SAMPLE: Final = 200
#: Seconds between two looks at what waits.
WAITING_EVERY: Final = 5.0
#: Jobs of one queue that are looked at, in so many runs of neighbours.
SAMPLE: Final = 100
RUNS: Final = 10
#: Shares that are told, of each dimension.
SHOWN: Final = 5

_chance: Final = random.Random()  # noqa: S311 - a sample, no secret
_FIELDS: Final = (keys.SOURCE, keys.KIND, keys.TENANT)


class Looks:
    """Looks while somebody asks what was seen; a publisher that stands by does not."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._stopped = threading.Event()
        self._wanted = threading.Event()
        self._seen = Beside()
        self._lately = Lately()
        self._thread: threading.Thread | None = None

    def seen(self) -> Beside:
        """What was seen last; asks for the next look."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="beside", daemon=True)
            self._thread.start()
        self._wanted.set()
        return self._seen

    def stop(self) -> None:
        self._stopped.set()
        self._wanted.set()

    def _run(self) -> None:
        accounts_due = time.monotonic() + WAITING_EVERY
        while not self._stopped.is_set():
            self._wanted.wait()
            self._wanted.clear()
            with suppress(redis.RedisError, OSError):
                accounts = self._seen.accounts
                if time.monotonic() >= accounts_due:
                    accounts_due = time.monotonic() + ACCOUNTS_EVERY
                    accounts = accounted(self._client)
                self._seen = Beside(accounts, waiting(self._client), self._lately.look(self._client))
            self._stopped.wait(WAITING_EVERY)


def accounted(client: redis.Redis) -> Accounts:
    """All counters, and a sample of the jobs. Raises RedisError."""
    report = conservation.verify(client, sample=ACCOUNTS_SAMPLE)
    if not report.holds:
        logger.error("jobs are not accounted for: %s", report.sentence)
    return Accounts(
        at=time.time(),
        accepted=report.accepted,
        accounted=report.accepted - report.difference,
        misplaced=len(report.wrong),
        provable=report.provable,
    )


def waiting(client: redis.Redis) -> Waiting:
    """What waits by source, kind and tenant, from at most SAMPLE jobs of each queue. Raises RedisError."""
    lengths = dict(zip(settings.PRIORITIES, _lengths(client), strict=True))
    shares: list[Counter[str]] = [Counter() for _ in _FIELDS]
    looked_at = 0
    for queue, length in lengths.items():
        if not length:
            continue  # what came into it since then has no share of nothing
        ids = list(dict.fromkeys(_some(client, queue, length)))
        found = [values for values in pipelined(client, "hmget", list(map(keys.job, ids)), *_FIELDS) if any(values)]
        looked_at += len(found)
        for values in found:
            for share, field, value in zip(shares, _FIELDS, values, strict=True):
                share[kind_of(value) if field == keys.KIND else text(value)] += length / len(found)  # type: ignore[assignment]
    by_source, by_kind, by_tenant = (_shares(share) for share in shares)
    total = sum(lengths.values())
    return Waiting(total, looked_at < total, by_source, by_kind, by_tenant)


def _lengths(client: redis.Redis) -> Sequence[int]:
    pipe = client.pipeline(transaction=False)
    for queue in settings.PRIORITIES:
        pipe.llen(keys.queue(queue))
    return pipe.execute()


def _some(client: redis.Redis, queue: str, length: int) -> Iterator[str]:
    """Ids of the list: all of a short one, else runs of neighbours at places taken by chance."""
    pipe = client.pipeline(transaction=False)
    if length <= SAMPLE:
        pipe.lrange(keys.queue(queue), 0, -1)
    else:
        run = SAMPLE // RUNS
        for place in range(RUNS):
            # One from each tenth, so that a source that came at once counts for what it is.
            start = int((place + _chance.random()) * (length - run) / RUNS)
            pipe.lrange(keys.queue(queue), start, start + run - 1)
    for ids in pipe.execute():
        yield from map(text, ids)


def _shares(counted: Counter[str]) -> tuple[Share, ...]:
    most = counted.most_common(SHOWN)
    rest = round(sum(counted.values()) - sum(count for _, count in most))
    named = [Share(name, round(count)) for name, count in most]
    return (*named, *([Share("", rest, others=len(counted) - len(most))] if rest > 0 else []))
