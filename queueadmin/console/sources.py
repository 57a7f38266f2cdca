"""What came in at the door, read for people: per source and key, with rates, and what was refused and why."""

import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from django.conf import settings

from ingest.api import tally
from ingest.queue import keys
from ingest.queue.connections import connection

#: Rates are means from the oldest reading of at most so many seconds ago.
WINDOW_SECONDS: Final = 30.0
#: Two readings that are nearer say nothing of a rate: the counts come in steps of a second.
LEAST_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Tallied:
    """Events counted since this Redis was empty; with REDIS=false since the start."""

    accepted: int = 0
    #: Seen before, and not stored again.
    duplicates: int = 0
    #: Code → events (a request that was refused as a whole is one), the most frequent first.
    rejected: Mapping[str, int] = field(default_factory=dict)
    #: Reason → events.
    shed: Mapping[str, int] = field(default_factory=dict)
    limited: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        return sum(sum(each.values()) for each in (self.rejected, self.shed, self.limited))

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """All that was refused, by its reason, the most frequent first."""
        reasons = Counter({**self.rejected, **self.shed, **self.limited})
        return reasons.most_common()

    @property
    def received(self) -> int:
        return self.accepted + self.duplicates + self.refused

    @property
    def refused_percent(self) -> float:
        return 100 * self.refused / self.received if self.received else 0.0

    @property
    def duplicates_percent(self) -> float:
        stored = self.accepted + self.duplicates
        return 100 * self.duplicates / stored if stored else 0.0


@dataclass(frozen=True, slots=True)
class Source:
    #: "": of events that name none.
    name: str
    counts: Tallied
    #: Unix time when it last sent anything, refused or not.
    last_seen: float
    #: Events accepted a second; None: this process has read once so far.
    rate: float | None = None
    #: Of what came since the earlier reading, the percentage that was refused; None as well.
    refused_now: float | None = None

    @property
    def shown_name(self) -> str:
        return self.name or "no source"


@dataclass(frozen=True, slots=True)
class Door:
    """All of it at one instant."""

    total: Tallied
    #: By name.
    sources: tuple[Source, ...]
    #: By a key's number, or tally.LOCAL.
    keys: Mapping[str, Tallied]
    rate: float | None = None

    def key(self, key_id: int) -> Tallied:
        return self.keys.get(str(key_id), Tallied())


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    #: Accepted, refused, received.
    sources: Mapping[str, tuple[int, int, int]]
    total: int


_lock: Final = threading.Lock()
_readings: Final[deque[_Reading]] = deque()


def read(key_ids: Collection[int] = ()) -> Door:
    """Everything that was counted, and of these keys. Raises redis.RedisError."""
    total, by_source, by_key, seen = _read(key_ids) if settings.REDIS else _here()
    sources = {name: _tallied(counts) for name, counts in by_source.items()}
    now = time.time()
    reading = _Reading(
        now,
        {name: (each.accepted, each.refused, each.received) for name, each in sources.items()},
        total[tally.ACCEPTED],
    )
    rates, rate = _rates(reading)
    # By name: rows that jump while somebody reads them are worse than a long list.
    listed = sorted(sources, key=lambda name: (not name, name.casefold(), name))
    return Door(
        _tallied(total),
        tuple(Source(name, sources[name], seen.get(name, 0.0), *rates.get(name, (None, None))) for name in listed),
        {name: _tallied(counts) for name, counts in by_key.items()},
        rate,
    )


def of_key(key_id: int) -> Tallied:
    """What came with one key. Raises redis.RedisError."""
    if not settings.REDIS:
        return _tallied(tally.here().keys.get(str(key_id), Counter()))
    return _tallied(_counter(cast("dict[bytes, bytes]", connection().hgetall(keys.tally_key(str(key_id))))))


def forget() -> None:
    """Know of no earlier reading."""
    with _lock:
        _readings.clear()


_Read = tuple[Counter[str], dict[str, Counter[str]], dict[str, Counter[str]], dict[str, float]]


def _read(key_ids: Collection[int]) -> _Read:
    client: Any = connection()
    seen = {
        name.decode(errors="replace"): at
        for name, at in client.zrange(keys.TALLY_SOURCES, 0, tally.SOURCES, desc=True, withscores=True)
    }
    names = [tally.LOCAL, *map(str, key_ids)]
    pipe = client.pipeline(transaction=False)
    pipe.hgetall(keys.TALLY)
    for source in seen:
        pipe.hgetall(keys.tally_source(source))
    for name in names:
        pipe.hgetall(keys.tally_key(name))
    total, *rest = [_counter(counts) for counts in pipe.execute()]
    return total, dict(zip(seen, rest, strict=False)), dict(zip(names, rest[len(seen) :], strict=True)), seen


def _here() -> _Read:
    counts = tally.here()
    return counts.total, counts.sources, counts.keys, counts.seen


def _counter(counts: Mapping[bytes, bytes]) -> Counter[str]:
    return Counter({what.decode(): int(number) for what, number in counts.items()})


def _tallied(counts: Counter[str]) -> Tallied:
    groups: dict[str, dict[str, int]] = {"rejected": {}, "shed": {}, "limited": {}}
    for what, number in counts.most_common():
        group, _, reason = what.partition(":")
        if reason and group in groups:
            groups[group][reason] = number
    return Tallied(counts[tally.ACCEPTED], counts[tally.DUPLICATES], **groups)


def _rates(new: _Reading) -> tuple[dict[str, tuple[float, float | None]], float | None]:
    """By source and altogether, since an earlier reading; nothing without one."""
    with _lock:
        if _readings and _readings[-1].total > new.total:
            _readings.clear()  # Redis came back empty
        while _readings and new.at - _readings[0].at > WINDOW_SECONDS:
            _readings.popleft()
        old = next((each for each in _readings if new.at - each.at >= LEAST_SECONDS), None)
        if not _readings or new.at - _readings[-1].at >= 1:
            _readings.append(new)
    if old is None:
        return {}, None
    seconds = new.at - old.at
    rates: dict[str, tuple[float, float | None]] = {}
    for name, now in new.sources.items():
        accepted, refused, received = (
            max(0, is_ - was) for is_, was in zip(now, old.sources.get(name, (0, 0, 0)), strict=True)
        )
        rates[name] = accepted / seconds, 100 * refused / received if received else None
    return rates, (new.total - old.total) / seconds
