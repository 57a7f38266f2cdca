"""What a filter chooses now, before somebody begins a replay with it: how many, how many of them would be left, and why
they failed. Of the index where it says so, in some 50 ms for 100,000; else the newest are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import redis
from django.db import DatabaseError, InterfaceError
from django.db.models import Q

from queueadmin.console.dead_letters import Group, Record, grouped
from queueadmin.console.dead_letters.reading import POISON, is_held
from queueadmin.console.failures import NotIndexed, matching, selected, state
from queueadmin.console.failures.causes import causes
from queueadmin.console.filters import Filter

#: Causes that are shown.
GROUPS: Final = 6


@dataclass(frozen=True, slots=True)
class Choice:
    count: int
    #: Of these: poison, or marked as permanent.
    held: int
    #: There are more than were read.
    more: bool
    groups: Sequence[Group]
    #: Causes that are not shown.
    others: int


def choice(client: redis.Redis, chosen: Filter, *, now: datetime, trash: bool, most: int) -> Choice:
    """`most`: how many are read, where the index does not say it; `trash`: of those there. Raises redis.RedisError."""
    told = None if trash else state(client)
    if told is not None and told.complete and not told.behind:
        try:
            held = selected(chosen, now=now).filter(Q(reason=POISON) | Q(permanent=True)).count()
            found = causes(client, chosen, now=now, limit=GROUPS, most=most)
            return Choice(found.scanned, held, not found.complete, found.items, found.groups - len(found.items))
        except (NotIndexed, DatabaseError, InterfaceError):
            pass
    count = held = 0

    def counted() -> Iterator[Record]:
        nonlocal count, held
        for record in islice(matching(client, chosen, now=now, trash=trash), most):
            count += 1
            held += is_held(record)
            yield record

    groups = grouped(counted())
    return Choice(count, held, count == most, groups[:GROUPS], max(len(groups) - GROUPS, 0))
