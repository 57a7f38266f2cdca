"""What came in at the door, read for people: per source and key, with rates, and what was refused and why."""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from django.conf import settings

from ingest.api import steps, tally
from ingest.queue import keys
from ingest.queue.connections import connection
from queueadmin.console.figures.flow import Flow, flows


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
    #: Alerts that a vendor left out of its groups.
    truncated: int = 0

    @property
    def refused(self) -> int:
        return sum(sum(each.values()) for each in (self.rejected, self.shed, self.limited))

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """All that was refused, by its reason, the most frequent first."""
        reasons = Counter({**self.rejected, **self.shed, **self.limited})
        return reasons.most_common()

    @property
    def rejected_total(self) -> int:
        return sum(self.rejected.values())

    @property
    def held_back(self) -> int:
        """Shed or over a rate."""
        return sum(self.shed.values()) + sum(self.limited.values())

    @property
    def received(self) -> int:
        return self.accepted + self.duplicates + self.refused

    @property
    def refused_percent(self) -> float:
        return 100 * self.refused / self.received if self.received else 0.0


@dataclass(frozen=True, slots=True)
class Source:
    #: "": of events that name none.
    name: str
    counts: Tallied
    #: Unix time when it last sent anything, refused or not.
    last_seen: float
    flow: Flow
    #: By name; at most tally.TENANTS, and tally.OTHERS for further ones.
    tenants: tuple[str, ...] = ()

    @property
    def shown_name(self) -> str:
        return self.name or "no source"


@dataclass(frozen=True, slots=True)
class Door:
    """All of it at one instant."""

    #: Unix time.
    at: float
    total: Tallied
    flow: Flow
    #: By name.
    sources: tuple[Source, ...]
    #: By a key's number, or tally.LOCAL.
    keys: Mapping[str, Tallied]
    key_flows: Mapping[str, Flow]

    def key(self, key_id: int) -> Tallied:
        return self.keys.get(str(key_id), Tallied())

    def key_flow(self, key_id: int) -> Flow:
        return self.key_flows.get(str(key_id), Flow())


class Reader:
    """Reads all of it, again and again: steps that are long over are read anew once a step."""

    def __init__(self) -> None:
        self._steps: dict[int, dict[str, int]] = {}
        self._whole_at = 0

    def read(self, key_ids: Collection[int] = ()) -> Door:
        """Everything that was counted, and of these keys. Raises redis.RedisError."""
        now = time.time()
        found = self._read(key_ids, now) if settings.REDIS else _here()
        by_place = flows(found.steps, now)
        sources = {name: _tallied(counts) for name, counts in found.sources.items()}
        # By name: rows that jump while somebody reads them are worse than a long list.
        listed = sorted(sources, key=lambda name: (not name, name.casefold(), name))
        return Door(
            now,
            _tallied(found.total),
            by_place.get("", Flow()),
            tuple(
                Source(
                    name,
                    sources[name],
                    found.seen.get(name, 0.0),
                    by_place.get(f"s{name}", Flow()),
                    tuple(sorted(found.tenants.get(name, ()))),
                )
                for name in listed
            ),
            {name: _tallied(counts) for name, counts in found.keys.items()},
            {place[1:]: flow for place, flow in by_place.items() if place.startswith("k")},
        )

    def _read(self, key_ids: Collection[int], now: float) -> "_Found":
        client: Any = connection()
        seen = {
            name.decode(errors="replace"): at
            for name, at in client.zrange(keys.TALLY_SOURCES, 0, tally.SOURCES, desc=True, withscores=True)
        }
        names = [tally.LOCAL, *map(str, key_ids)]
        kept = steps.numbers(now)
        wanted = kept if self._whole_at != kept[-1] else kept[-_LIVELY:]
        pipe = client.pipeline(transaction=False)
        pipe.hgetall(keys.TALLY)
        for source in seen:
            pipe.hgetall(keys.tally_source(source))
        for source in seen:
            pipe.smembers(keys.tally_tenants(source))
        for name in names:
            pipe.hgetall(keys.tally_key(name))
        for number in wanted:
            pipe.hgetall(keys.tally_step(number))
        answers = iter(pipe.execute())
        total = _counter(next(answers))
        by_source = {source: _counter(next(answers)) for source in seen}
        tenants = {source: {each.decode(errors="replace") for each in next(answers)} for source in seen}
        by_key = {name: _counter(next(answers)) for name in names}
        known = {number: each for number, each in self._steps.items() if number in kept}
        self._steps = known | {number: _counter(next(answers)) for number in wanted}
        self._whole_at = kept[-1]
        return _Found(total, by_source, by_key, seen, tenants, self._steps)


#: Steps that counts still come to: a process writes them within a second or two, after an outage of Redis later.
_LIVELY: Final = 3


def read(key_ids: Collection[int] = ()) -> Door:
    """Once. Raises redis.RedisError."""
    return Reader().read(key_ids)


def of_key(key_id: int) -> Tallied:
    """What came with one key. Raises redis.RedisError."""
    if not settings.REDIS:
        return _tallied(tally.here().keys.get(str(key_id), Counter()))
    return _tallied(_counter(cast("dict[bytes, bytes]", connection().hgetall(keys.tally_key(str(key_id))))))


@dataclass(frozen=True, slots=True)
class _Found:
    total: Counter[str]
    sources: Mapping[str, Counter[str]]
    keys: Mapping[str, Counter[str]]
    seen: Mapping[str, float]
    tenants: Mapping[str, Collection[str]]
    steps: Mapping[int, Mapping[str, int]]


def _here() -> _Found:
    counts = tally.here()
    return _Found(counts.total, counts.sources, counts.keys, counts.seen, counts.tenants, counts.steps.counts)


def _counter(counts: Mapping[bytes, bytes]) -> Counter[str]:
    return Counter({what.decode(errors="replace"): int(number) for what, number in counts.items()})


def _tallied(counts: Counter[str]) -> Tallied:
    groups: dict[str, dict[str, int]] = {"rejected": {}, "shed": {}, "limited": {}}
    for what, number in counts.most_common():
        group, _, reason = what.partition(":")
        if reason and group in groups:
            groups[group][reason] = number
    return Tallied(counts[tally.ACCEPTED], counts[tally.DUPLICATES], **groups, truncated=counts[tally.TRUNCATED])
