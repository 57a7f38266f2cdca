"""The page /ingest/ in one frame: what came in as the page shows it, and what is said of it. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from ingest.api import keyring
from ingest.api.keyring import Key
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import Check, Spool, Verdict
from queueadmin.console.sources import Door, Reader, Source, Tallied
from queueadmin.console.templatetags.console import duration, number, percent, reason_words

#: From this percentage on it is said at the top of the page that a source is refused.
MUCH: Final = 5.0
#: Sources that a reason names.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """Events that were refused for one reason."""

    code: str
    #: shed, rate or rejected.
    sort: str
    count: int
    #: The sources that had most of it, and how often.
    sources: tuple[tuple[str, int], ...] = ()
    #: Further sources.
    others: int = 0

    @property
    def name(self) -> str:
        """One of a page."""
        return f"{self.sort}:{self.code}"


def frame(reader: Reader) -> str:
    """{type: door, …}; `total` is null while Redis is away."""
    keys = _keys()
    try:
        door = reader.read([key.id for key in keys])
    except redis.RedisError:
        door = None
    spool = metrics.known_spool(away=door is None)
    shown: dict[str, Any] = {
        "type": "door",
        "verdict": verdict(door, spool),
        "total": None,
        "sources": [],
        "reasons": [],
        "keys": {},
    }
    if door is not None:
        shown |= {
            "at": round(door.at, 3),
            "total": _total(door),
            "sources": [_source(each) for each in door.sources],
            "reasons": [[each.name, each.count, from_words(each)] for each in reasons(door)],
            "keys": {
                str(key.id): [
                    door.key(key.id).accepted,
                    door.key(key.id).refused,
                    round(door.key_flow(key.id).rate, 2),
                    key.last_used_at and key.last_used_at.timestamp(),
                ]
                for key in keys
            },
        }
    return msgspec.json.encode(shown).decode()


def verdict(door: Door | None, spool: Spool) -> Verdict:
    """`reason` is what is the case, `next` what that means."""
    bad = worst(door)
    checks = [_spool_check(spool)]
    if door is not None:
        held_back = door.total.held_back
        checks.append(
            Check(not held_back, f"{number(held_back)} shed or over a rate so far" if held_back else "nothing shed")
        )
    if door is None:
        said = "Redis does not answer."
        more = "What comes in is kept by the database meanwhile; it is counted here when Redis is back."
    elif bad is not None:
        code = bad.counts.reasons[0][0]
        said = f"{bad.shown_name} is refused {percent(bad.flow.refused_now)} of the time."
        more = f"Most common reason: {reason_words(code)}."
        if code in bad.counts.rejected:
            more += " Other events of the same request are accepted."
    elif spool.count and settings.REDIS:
        said, more = "The spool holds events.", "They are safe in the database and go into Redis by priority and age."
    else:
        said = "The door is open."
        more = "What is sent is accepted." if door.total.received else "Nothing has come in yet."
    is_well = door is not None and bad is None and not (spool.count and settings.REDIS)
    return Verdict("healthy" if is_well else "degraded", said, more, checks=tuple(checks))


def worst(door: Door | None) -> Source | None:
    """The source of which most is refused now, when that is much."""
    bad = [each for each in (door.sources if door else ()) if (each.flow.refused_now or 0.0) >= MUCH]
    return max(bad, key=lambda each: each.flow.refused_now or 0.0, default=None)


def reasons(door: Door) -> list[Reason]:
    """What was refused, by its reason: first what was shed, then what was over a rate, the most frequent first."""
    found = []
    for sort, group in (("shed", "shed"), ("rate", "limited"), ("rejected", "rejected")):
        for code, count in _counted(door.total, group).items():
            by_source = [(_counted(each.counts, group).get(code, 0), each.shown_name) for each in door.sources]
            had = sorted((each for each in by_source if each[0]), key=lambda each: (-each[0], each[1]))
            named = tuple((name, number) for number, name in had[:_NAMED])
            found.append(Reason(code, sort, count, named, max(0, len(had) - _NAMED)))
    return found


def _counted(counts: Tallied, group: str) -> Mapping[str, int]:
    counted: Mapping[str, int] = getattr(counts, group)
    return counted


def from_words(reason: Reason) -> str:
    """edge 12, db 3 and 4 more"""
    words = ", ".join(f"{name} {number(count)}" for name, count in reason.sources)
    return f"{words} and {number(reason.others)} more" if reason.others else words


def _keys() -> Sequence[Key]:
    try:
        return keyring.all_keys()
    except (DatabaseError, InterfaceError):
        return ()  # the page's own rows stay as they are


def _total(door: Door) -> dict[str, Any]:
    flow = door.flow
    return {
        "rate": round(flow.rate, 2),
        "refused": flow.refused_now,
        "duplicates": flow.duplicates_now,
        "p99": flow.p99_now,
        "received": door.total.received,
        "refusals": door.total.refused,
        "rates": flow.rates,
        "refused_percents": flow.refused_percents,
        "duplicate_percents": flow.duplicate_percents,
        "p99s": flow.p99s,
    }


def _source(source: Source) -> dict[str, Any]:
    counts, flow = source.counts, source.flow
    return {
        "name": source.name,
        "tenants": ", ".join(source.tenants),
        "rate": round(flow.rate, 2),
        "rates": flow.rates,
        "accepted": counts.accepted,
        "duplicates": counts.duplicates,
        "rejected": counts.rejected_total,
        "held_back": counts.held_back,
        "refused_percent": counts.refused_percent,
        "is_bad": (flow.refused_now or 0.0) >= MUCH,
        "reason": reason_words(counts.reasons[0][0]) if counts.reasons else None,
        "p99": flow.p99,
        "seen": source.last_seen,
    }


def _spool_check(spool: Spool) -> Check:
    if not spool.count:
        return Check(True, "spool empty")
    many = f"{'over ' if spool.more else ''}{number(spool.count)}"
    # With REDIS=false it is where everything waits.
    return Check(not settings.REDIS, f"{many} in the spool, the oldest for {duration(spool.oldest)}")
