"""What a filter chooses now, before somebody begins a replay with it: how many, how many of them would be left, and why
they failed. Of the index where it says so, in some 50 ms for 100,000; else the newest are read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import redis
from django.db import DatabaseError, InterfaceError
from django.db.models import Count, Q

from queueadmin.console.dead_letters import Bound, Group, Record, grouped
from queueadmin.console.dead_letters.left_out import why_left
from queueadmin.console.dead_letters.reading import POISON
from queueadmin.console.failures import NotIndexed, asking, matching, selected
from queueadmin.console.failures.causes import causes
from queueadmin.console.failures.state import tells_all
from queueadmin.console.filters import Filter

#: Causes that are shown.
GROUPS: Final = 6
#: Dead letters that are counted where there is no index; with more it is said that they are not all.
COUNTED: Final = 20_000
#: Seconds for which dead letters are read one by one, while somebody waits for the page: some thousands of them.
LOOKING: Final = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    count: int
    #: Of these, what a retry leaves out unless it is asked for: see `left_out`.
    poison: int
    permanent: int
    #: There are more than were read.
    more: bool
    groups: Sequence[Group]
    #: Causes that are not shown.
    others: int

    def left_out(self, *, include_poison: bool, include_permanent: bool) -> tuple[int, int]:
        """How many poison ones and how many permanent ones a retry leaves where they are."""
        return 0 if include_poison else self.poison, 0 if include_permanent else self.permanent


def choice(client: redis.Redis, chosen: Filter, *, now: datetime, trash: bool, most: int) -> Choice:
    """`most`: how many are looked at, for LOOKING seconds, where the index does not say it; `trash`: of those there.

    Raises redis.RedisError.
    """
    if not trash and tells_all(client):
        try:
            with asking():
                left = selected(chosen, now=now).aggregate(
                    poison=Count("id", filter=Q(reason=POISON)),
                    permanent=Count("id", filter=Q(permanent=True) & ~Q(reason=POISON)),
                )
            found = causes(client, chosen, now=now, limit=GROUPS, most=most)
            others = found.groups - len(found.items)
            return Choice(found.scanned, **left, more=not found.complete, groups=found.items, others=others)
        except (NotIndexed, DatabaseError, InterfaceError):
            pass
    count = 0
    bound = Bound(most, LOOKING)
    whys: Counter[str] = Counter()

    def counted() -> Iterator[Record]:
        nonlocal count
        for record in matching(client, chosen, now=now, trash=trash, bound=bound):
            count += 1
            whys[why_left(record.shown["error"]["reason"], permanent=record.shown["permanent"])] += 1
            yield record

    groups = grouped(counted())
    others = max(len(groups) - GROUPS, 0)
    return Choice(count, whys["poison"], whys["permanent"], bound.stopped, groups[:GROUPS], others)
