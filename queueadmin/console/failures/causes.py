"""The groups of a filter, for programs and terminals: by the index, else by reading the dead letters."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import redis
from django.db import DatabaseError, InterfaceError
from django.db.models import Count

from ingest.frames import apart
from queueadmin.console.dead_letters import Bound, Group, grouped
from queueadmin.console.failures.finding import matching
from queueadmin.console.failures.selecting import NotIndexed, asking, selected
from queueadmin.console.failures.state import tells_all
from queueadmin.console.failures.triage import GROUPS, nature, order, triage
from queueadmin.console.filters import Filter
from queueadmin.console.models import Failure, FailureGroup


@dataclass(frozen=True, slots=True)
class Causes:
    items: Sequence[Group]
    #: How many there are, shown or not.
    groups: int
    #: Dead letters of them all.
    scanned: int
    #: False: there are more than were read.
    complete: bool


def causes(
    client: redis.Redis,
    chosen: Filter,
    *,
    now: datetime,
    sort: str = "count",
    limit: int = GROUPS,
    tenant: str = "",
    most: int | None = None,
) -> Causes:
    """The groups, in one of triage.SORTS; with a tenant only of its dead letters, and without what people here say.

    `most`: dead letters read at most, where the index does not say it; None: all. Raises redis.RedisError.
    """
    if tells_all(client):
        try:
            return _by_index(chosen, now, sort, limit, tenant)
        except (NotIndexed, DatabaseError, InterfaceError):
            pass
    return _by_reading(client, chosen, now, sort, limit, tenant, most)


@asking()
def _by_index(chosen: Filter, now: datetime, sort: str, limit: int, tenant: str) -> Causes:
    found = triage(chosen, now=now, sort=sort, limit=limit)
    rows = selected(chosen, now=now).filter(fingerprint__in=[each.group.pk for each in found.groups])
    queues, reasons = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    both = rows.values_list("fingerprint", "queue", "reason").annotate(count=Count("id"))
    for fingerprint, queue, reason, count in both.order_by("-count", "queue", "reason"):
        queues[fingerprint][queue] += count
        reasons[fingerprint][reason] += count
    items = [
        Group(
            each.group.pk,
            each.group.error_type,
            each.group.message,
            each.count,
            each.first_at,
            each.last_at,
            dict(queues[each.group.pk].most_common()),
            dict(reasons[each.group.pk].most_common()),
            trend=each.trend,
        )
        for each in found.groups
    ]
    _say(items, tenant)
    return Causes(items, found.causes, found.count, complete=True)


def _by_reading(
    client: redis.Redis, chosen: Filter, now: datetime, sort: str, limit: int, tenant: str, most: int | None
) -> Causes:
    bound = Bound(most)
    items = grouped(matching(client, chosen, now=now, bound=bound))
    order(
        items,
        sort,
        last=lambda group: group.last_at,
        first=lambda group: group.first_at,
        trend=lambda group: group.trend,
    )
    with suppress(DatabaseError, InterfaceError):  # what people say of them is in the database alone
        _say(items[:limit], tenant)
    count = sum(group.count for group in items)
    return Causes(items[:limit], len(items), count, complete=not bound.stopped)


def _say(items: Sequence[Group], tenant: str) -> None:
    """Add what the index keeps with each group. Raises DatabaseError."""
    known = FailureGroup.objects.in_bulk([group.id for group in items])
    own = dict(_payloads(known, tenant)) if tenant else {}
    for group in items:
        if (kept := known.get(group.id)) is None:
            continue
        group.message, group.frames = kept.message, apart(kept.frames)
        if not tenant:
            group.status, group.assignee, group.note = kept.status, kept.assignee, kept.note
        count, group.payloads = (group.count, own.get(group.id, 0)) if tenant else (kept.count, kept.payloads)
        crashed = bool(group.reasons) and set(group.reasons) == {"poison"}
        group.nature = nature(count, group.payloads, crashed=crashed)


def _payloads(fingerprints: Iterable[str], tenant: str) -> Iterator[tuple[str, int]]:
    rows = Failure.objects.filter(fingerprint__in=fingerprints, tenant=tenant)
    yield from rows.values_list("fingerprint").annotate(payloads=Count("payload", distinct=True)).order_by()
