"""Why most jobs die: the largest groups, from the counts that are kept with them."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db.models import Count, Sum

from queueadmin.console.dead_letters.reading import POISON
from queueadmin.console.failures.triage import TREND, Cause, nature
from queueadmin.console.models import Failure, FailureGroup

#: Groups that are told.
SHOWN: Final = 5
#: Minutes that their trend goes back.
TREND_MINUTES: Final = 120
_STEP: Final = TREND_MINUTES // TREND


@dataclass(frozen=True, slots=True)
class Largest:
    #: The largest first, SHOWN of `groups`.
    causes: tuple[Cause, ...]
    groups: int
    #: Dead letters of all groups.
    count: int


def largest(*, now: datetime) -> Largest:
    """Raises DatabaseError."""
    alive = FailureGroup.objects.filter(count__gt=0)
    sums = alive.aggregate(groups=Count("pk"), count=Sum("count"))
    found = list(alive.order_by("-count", "fingerprint")[:SHOWN])
    rows = Failure.objects.filter(fingerprint__in=[group.pk for group in found])
    crashed = dict(rows.filter(reason=POISON).values_list("fingerprint").annotate(Count("id")).order_by())
    start = int(now.timestamp()) // 60 - TREND_MINUTES + 1
    trends: dict[str, list[int]] = defaultdict(lambda: [0] * TREND)
    # By the moment, not the minute: each group's newest stand together in the index that counts them.
    late = rows.filter(failed_at__gte=datetime.fromtimestamp(60 * start, UTC))
    minutes = late.values_list("fingerprint", "minute").annotate(Count("id")).order_by()
    for fingerprint, minute, count in minutes:
        trends[fingerprint][min((minute - start) // _STEP, TREND - 1)] += count
    causes = tuple(
        Cause(
            group=group,
            count=group.count,
            first_at=group.first_at,
            last_at=group.last_at,
            trend=tuple(trends[group.pk]),
            nature=nature(group.count, group.payloads, crashed=crashed.get(group.pk) == group.count),
        )
        for group in found
    )
    return Largest(causes, sums["groups"], sums["count"] or 0)
