"""How many rows of a filter failed when, and of which causes: all of it in one look at them.

At a million dead letters a look takes what a page may take, so bars, causes and the time to show share one.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db.models import Case, Count, F, Max, Min, Q, Value, When

from queueadmin.console.dead_letters.reading import POISON

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from queueadmin.console.models import Failure

#: Lengths of time that a histogram may show, in minutes, as addresses say them; ALL goes back to the first failure.
SPANS: Final = {"3h": 180, "24h": 1440, "7d": 10_080, "30d": 43_200}
ALL: Final = "all"
#: Bars of the histogram at most, and the minutes that one may stand for.
BARS: Final = 72
_STEPS: Final = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200, 525_600)
#: The bar of what failed before the first one.
_BEFORE: Final = -1


@dataclass(frozen=True, slots=True)
class Scale:
    """What bars stand for: from the minute `start` on, `step` minutes each. Minutes are those since 1970."""

    start: int
    step: int


@dataclass(slots=True)
class Counted:
    """Failures of one cause. `bars`: first minute of a bar → failures; the rest is of the chosen time alone."""

    bars: dict[int, int]
    count: int = 0
    poison: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    #: One of SPANS, or ALL.
    span: str
    scale: Scale
    #: The minute that ends it.
    end: int
    #: By fingerprint; also causes with no failure in the chosen time.
    causes: Mapping[str, Counted]
    #: Failures after the last bar, which stand in that one, since they are there: Redis' clock was set back after them,
    #: or a stock worker's machine is ahead of it.
    ahead: int = 0


def counts(
    rows: "QuerySet[Failure]", *, now: datetime, span: str, since: datetime | None, until: datetime | None
) -> Counts:
    """Count these rows; with `since` and `until` the causes by that time alone, which bars are not cut to.

    `span`: one of SPANS or ALL; else the shortest that shows the newest failure and `since`. Raises DatabaseError.
    """
    end = _minute(now)
    if span in SPANS:
        scales = [_scale(end, SPANS[span])]
    elif span == ALL:
        first = rows.aggregate(first=Min("failed_at"))["first"]
        scales = [_scale(end, max(end - _minute(first), 0) if first else 60)]
    else:  # all at once: a bar of each span is some whole bars of the shorter ones
        scales = [_scale(end, minutes) for minutes in SPANS.values()]
    found = list(_looked_at(rows, scales, since, until))
    if len(scales) == 1:
        return _counts(span, scales[0], end, found)
    newest = max((row.newest for row in found), default=now)
    age = now - (min(newest, since) if since else newest)
    for (name, minutes), scale in zip(SPANS.items(), scales, strict=True):
        if age <= timedelta(minutes=minutes):
            return _counts(name, scale, end, found)
    return counts(rows, now=now, span=ALL, since=since, until=until)


class _Row(NamedTuple):
    fingerprint: str
    bar: int
    #: All of the bar.
    all: int
    newest: datetime
    #: Of the chosen time.
    chosen: int
    poison: int
    first: datetime | None
    last: datetime | None


def _looked_at(
    rows: "QuerySet[Failure]", scales: Sequence[Scale], since: datetime | None, until: datetime | None
) -> Iterator[_Row]:
    """The finest scale that shows a bar says how long it is."""
    minute = F("minute")
    bar = Case(
        *(When(minute__gte=scale.start, then=minute - minute % scale.step) for scale in scales), default=Value(_BEFORE)
    )
    chosen = (Q(failed_at__gte=since) if since else Q()) & (Q(failed_at__lt=until) if until else Q())
    found = (
        rows.annotate(bar=bar)
        .values_list("fingerprint", "bar")
        .annotate(
            all=Count("id"),
            newest=Max("failed_at"),
            chosen=Count("id", filter=chosen),
            poison=Count("id", filter=chosen & Q(reason=POISON)),
            first=Min("failed_at", filter=chosen),
            last=Max("failed_at", filter=chosen),
        )
        .order_by()
    )
    return itertools.starmap(_Row, found)


def _counts(span: str, scale: Scale, end: int, found: Iterable[_Row]) -> Counts:
    causes: dict[str, Counted] = {}
    ahead, last = 0, end - end % scale.step
    for row in found:
        cause = causes.setdefault(row.fingerprint, Counted({}))
        if row.bar >= scale.start:
            bar = min(row.bar - row.bar % scale.step, last)
            cause.bars[bar] = cause.bars.get(bar, 0) + row.all
            ahead += row.all if row.bar >= last + scale.step else 0
        if row.first and row.last:
            cause.count += row.chosen
            cause.poison += row.poison
            cause.first = min(cause.first or row.first, row.first)
            cause.last = max(cause.last or row.last, row.last)
    return Counts(span, scale, end, causes, ahead)


def _scale(end: int, minutes: int) -> Scale:
    step = next((step for step in _STEPS if minutes // step < BARS), _STEPS[-1])
    start = end - minutes
    return Scale(start - start % step, step)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp()) // 60
