"""What the page of dead letters shows of the index: when jobs failed, of which causes, and which they are."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from django.db.models import Count, F, Max, Min, Q, Value
from django.db.models.functions import Coalesce

from ingest.reading.cursors import BadCursor, as_cursor, moment_of, read_cursor
from queueadmin.console.dead_letters.reading import POISON
from queueadmin.console.failures.selecting import selected
from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Field, Time
from queueadmin.console.models import Failure, FailureGroup
from queueadmin.console.queries import DeadLetter

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: Lengths of time that the histogram may show, in minutes, as addresses say them; "all" goes back to the first failure.
SPANS: Final = {"3h": 180, "24h": 1440, "7d": 10_080, "30d": 43_200}
ALL: Final = "all"
#: Bars of the histogram at most, and the minutes that one may stand for.
BARS: Final = 72
_STEPS: Final = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200, 525_600)
#: Bars of one group's trend.
TREND: Final = 24
#: Groups that are listed, those with the most.
GROUPS: Final = 100
#: Rows of the list.
ROWS: Final = 50
#: From so many failures on they are called systemic or poison.
_FROM: Final = 3
#: What groups are ordered by, the most or the latest first; trend: which of them grow.
SORTS: Final = ("count", "last", "first", "trend")

Nature = Literal["systemic", "poison", ""]


@dataclass(frozen=True, slots=True)
class Bar:
    """Failures from `start` to `end`: all that the filter chooses, and of them those of the chosen group."""

    start: datetime
    end: datetime
    count: int
    own: int


@dataclass(frozen=True, slots=True)
class Cause:
    """A group, of the failures that the filter chooses."""

    group: FailureGroup
    count: int
    first_at: datetime
    last_at: datetime
    #: Failures in each TREND-th of the histogram's time.
    trend: tuple[int, ...]
    nature: Nature


@dataclass(frozen=True, slots=True)
class Triage:
    span: str
    bars: tuple[Bar, ...]
    #: The first of `causes`, in the order that was asked for.
    groups: tuple[Cause, ...]
    causes: int
    #: Failures that the filter chooses, of all groups.
    count: int


@dataclass(frozen=True, slots=True)
class Rows:
    items: tuple[DeadLetter, ...]
    #: Give it back as `cursor` for the next page; None: this was the last.
    next: str | None


def triage(
    chosen: Filter, *, now: datetime, group: str = "", span: str = "", sort: str = "count", limit: int = GROUPS
) -> Triage:
    """Bars and groups by a filter; its times choose groups and counts, and are marked among the bars of a longer time.

    `span`: one of SPANS or ALL; else the shortest that shows the newest failure and the filter's `since`. `sort`: one
    of SORTS. Raises NotIndexed and DatabaseError.
    """
    around = selected(without_times(chosen), now=now)
    since, _ = chosen.bounds(now)
    span = span if span in SPANS or span == ALL else _span(around, since, now)
    start, step = _scale(around, span, now)
    counted = _counted(around, start, step)
    causes = list(
        selected(chosen, now=now)
        .values_list("fingerprint")
        .annotate(
            count=Count("id"),
            first=Min("failed_at"),
            last=Max("failed_at"),
            poison=Count("id", filter=Q(reason=POISON)),
        )
        .order_by("-count", "fingerprint")
    )
    end = int(now.timestamp()) // 60
    _order(causes, sort, lambda name: _trend(counted[name], start, end) if name in counted else ())
    shown = FailureGroup.objects.in_bulk([cause[0] for cause in causes[:limit]])
    groups = [
        Cause(
            group=shown[name],
            count=count,
            first_at=first,
            last_at=last,
            trend=_trend(counted[name], start, end),
            nature=nature(shown[name].count, shown[name].payloads, crashed=poison == count),
        )
        for name, count, first, last, poison in causes[:limit]
        if name in shown
    ]
    return Triage(span, _bars(counted, start, end, step, group), tuple(groups), len(causes), sum(c[1] for c in causes))


def cause_of(fingerprint: str) -> Cause | None:
    """The group by itself, with all that is known of it. Raises DatabaseError."""
    group = FailureGroup.objects.filter(pk=fingerprint).first() if "\0" not in fingerprint else None
    if group is None:
        return None
    crashed = Failure.objects.filter(fingerprint=fingerprint)
    only_poison = crashed.exists() and not crashed.exclude(reason=POISON).exists()
    return Cause(
        group, group.count, group.first_at, group.last_at, (), nature(group.count, group.payloads, crashed=only_poison)
    )


def rows(chosen: Filter, *, now: datetime, group: str = "", cursor: str = "", limit: int = ROWS) -> Rows:
    """The jobs that match, the newest failure first. Raises BadCursor, NotIndexed and DatabaseError."""
    found = selected(of_group(chosen, group), now=now).order_by("-failed_at", "-id")
    if cursor:
        stood = read_cursor(cursor).get("")
        if stood is None or not stood[1].isdecimal() or len(stood[1]) > 18:
            raise BadCursor("cursor is not one that this list gave")
        at = moment_of(stood)
        found = found.filter(Q(failed_at__lt=at) | Q(failed_at=at, pk__lt=int(stood[1])))
    page = list(found[: limit + 1])
    last = page[limit - 1] if len(page) > limit else None
    return Rows(
        tuple(map(_dead_letter, page[:limit])),
        as_cursor({"": (last.failed_at.timestamp(), str(last.pk))}) if last else None,
    )


def of_group(chosen: Filter, group: str) -> Filter:
    return Filter((*chosen.terms, Field("group", (group,)))) if group else chosen


def without_times(chosen: Filter) -> Filter:
    return Filter(tuple(term for term in chosen.terms if not isinstance(term, Time)))


def nature(count: int, payloads: int, *, crashed: bool = False) -> Nature:
    """One cause that many payloads meet is systemic; few payloads that fail again and again are poison. Pure."""
    if crashed or (count >= _FROM and payloads * 4 <= count):
        return "poison"
    return "systemic" if count >= _FROM and payloads * 2 > count else ""


def _order(
    causes: list[tuple[str, int, datetime, datetime, int]], sort: str, trend: Callable[[str], Sequence[int]]
) -> None:
    """Put them into this order; they come the largest first."""
    match sort:
        case "last":
            causes.sort(key=lambda cause: cause[3], reverse=True)
        case "first":
            causes.sort(key=lambda cause: cause[2], reverse=True)
        case "trend":
            causes.sort(key=lambda cause: growth(trend(cause[0])), reverse=True)


def growth(trend: Sequence[int]) -> int:
    """By how much more often it failed in the last quarter of the time shown than before: 0 is as often. Pure."""
    late = len(trend) // 4
    return 3 * sum(trend[-late:]) - sum(trend[:-late]) if late else 0


def _span(rows: "QuerySet[Failure]", since: datetime | None, now: datetime) -> str:
    newest = rows.aggregate(newest=Max("failed_at"))["newest"]
    earliest = min((moment for moment in (newest, since) if moment), default=now)
    return next(
        (name for name, minutes in SPANS.items() if earliest >= now - timedelta(minutes=minutes)),
        ALL,
    )


def _scale(rows: "QuerySet[Failure]", span: str, now: datetime) -> tuple[int, int]:
    """The first minute of the histogram, and the minutes of a bar."""
    end = int(now.timestamp()) // 60
    start = end - SPANS[span] if span in SPANS else (rows.aggregate(first=Min("minute"))["first"] or end - 60)
    step = next((step for step in _STEPS if (end - start) // step < BARS), _STEPS[-1])
    return start - start % step, step


def _counted(rows: "QuerySet[Failure]", start: int, step: int) -> Mapping[str, dict[int, int]]:
    """Fingerprint → first minute of a bar → failures."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    counted = (
        rows.filter(minute__gte=start)
        # As an expression: by the bare column SQLite goes through the index that lacks the minute, and looks up each
        # row; 135 ms at 100,000 dead letters instead of 30.
        .annotate(bar=F("minute") - F("minute") % step, cause=Coalesce("fingerprint", Value("")))
        .values_list("cause", "bar")
        .annotate(count=Count("id"))
        .order_by()
    )
    for fingerprint, bar, count in counted:
        found[fingerprint][int(bar)] = count
    return found


def _bars(counted: Mapping[str, dict[int, int]], start: int, end: int, step: int, group: str) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            _moment(minute),
            _moment(minute + step),
            sum(bars.get(minute, 0) for bars in counted.values()),
            counted[group].get(minute, 0) if group in counted else 0,
        )
        for minute in range(start, end + 1, step)
    )


def _trend(bars: Mapping[int, int], start: int, end: int) -> tuple[int, ...]:
    found = [0] * TREND
    for minute, count in bars.items():
        found[min((minute - start) * TREND // (end - start + 1), TREND - 1)] += count
    return tuple(found)


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def _dead_letter(row: Failure) -> DeadLetter:
    return DeadLetter(
        id=row.job_id,
        kind=row.kind,
        source=row.source,
        tenant=row.tenant,
        title=row.title,
        queue=row.queue,
        event_id=row.event_id or None,
        error_type=row.error_type,
        error_message=row.error_message,
        reason=row.reason,
        failed_at=row.failed_at,
        attempts=row.attempts,
        permanent=row.permanent,
    )
