"""What the page of dead letters shows of the index: when jobs failed, of which causes, and which they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar

from django.db.models import Q

from ingest.reading.cursors import BadCursor, as_cursor, moment_of, read_cursor
from queueadmin.console.dead_letters.reading import POISON
from queueadmin.console.failures.counting import Counted, Counts, counts
from queueadmin.console.failures.names import id_of
from queueadmin.console.failures.selecting import asking, selected
from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Field, Time
from queueadmin.console.models import Failure, FailureGroup
from queueadmin.console.queries import DeadLetter

T = TypeVar("T")

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

_NEVER: Final = datetime.fromtimestamp(0, UTC)

Nature = Literal["systemic", "poison", ""]


@dataclass(frozen=True, slots=True)
class Bar:
    """Failures from `start` to `end`: all that the filter chooses, and of them those of the chosen group."""

    start: datetime
    end: datetime
    count: int
    own: int
    #: Of `count`, those after `end`, as Counts says: of the last bar alone.
    ahead: int = 0


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
    #: The first of `causes`, in the order that was asked for; the last may be the one asked for.
    groups: tuple[Cause, ...]
    causes: int
    #: Failures that the filter chooses, of all groups.
    count: int


@dataclass(frozen=True, slots=True)
class Rows:
    items: tuple[DeadLetter, ...]
    #: Give it back as `cursor` for the next page; None: this was the last.
    next: str | None


@asking()
def triage(
    chosen: Filter, *, now: datetime, group: str = "", span: str = "", sort: str = "count", limit: int = GROUPS
) -> Triage:
    """Bars and groups by a filter; its times choose groups and counts, and are marked among the bars of a longer time.

    `span`: one of SPANS or ALL; else the shortest that shows the newest failure and the filter's `since`. `sort`: one
    of SORTS. `group` is among the groups also when it comes after the first `limit`. Raises NotIndexed and
    DatabaseError.
    """
    since, until = chosen.bounds(now)
    counted = counts(selected(without_times(chosen), now=now), now=now, span=span, since=since, until=until)
    causes = sorted(
        (each for each in counted.causes.items() if each[1].count), key=lambda each: (-each[1].count, each[0])
    )
    order(
        causes,
        sort,
        last=lambda cause: cause[1].last,
        first=lambda cause: cause[1].first,
        trend=lambda cause: _trend(cause[1], counted),
    )
    listed = causes[:limit] + [cause for cause in causes[limit:] if cause[0] == group]
    shown = FailureGroup.objects.in_bulk([name for name, _ in listed])
    groups = [
        Cause(
            group=shown[name],
            count=cause.count,
            first_at=cause.first,
            last_at=cause.last,
            trend=_trend(cause, counted),
            nature=nature(shown[name].count, shown[name].payloads, crashed=cause.poison == cause.count),
        )
        for name, cause in listed
        if name in shown and cause.first and cause.last
    ]
    count = sum(cause.count for _, cause in causes)
    return Triage(counted.span, _bars(counted, group), tuple(groups), len(causes), count)


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


@asking()
def rows(chosen: Filter, *, now: datetime, group: str = "", cursor: str = "", limit: int = ROWS) -> Rows:
    """The jobs that match, the newest failure first. Raises BadCursor, NotIndexed and DatabaseError."""
    found = selected(of_group(chosen, group), now=now).order_by("-failed_at", "-id")
    if cursor:
        stood = read_cursor(cursor).get("")
        if stood is None or not stood[1].isdecimal() or len(stood[1]) > 18:
            raise BadCursor
        at = moment_of(stood)
        found = found.filter(Q(failed_at__lt=at) | Q(failed_at=at, pk__lt=int(stood[1])))
    # Their keys first: what is sorted is a tenth as wide.
    wanted = list(found.values_list("pk", "failed_at")[: limit + 1])
    known = Failure.objects.in_bulk([pk for pk, _ in wanted[:limit]])
    last = wanted[limit - 1] if len(wanted) > limit else None
    return Rows(
        tuple(_dead_letter(known[pk]) for pk, _ in wanted[:limit] if pk in known),
        as_cursor({"": (last[1].timestamp(), str(last[0]))}) if last else None,
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


def order(
    causes: list[T],
    sort: str,
    *,
    last: Callable[[T], datetime | None],
    first: Callable[[T], datetime | None],
    trend: Callable[[T], Sequence[int]],
) -> None:
    """Put them into this one of SORTS; they come the largest first. The others say how each of them is read."""
    match sort:
        case "last":
            causes.sort(key=lambda cause: last(cause) or _NEVER, reverse=True)
        case "first":
            causes.sort(key=lambda cause: first(cause) or _NEVER, reverse=True)
        case "trend":
            causes.sort(key=lambda cause: growth(trend(cause)), reverse=True)


def growth(trend: Sequence[int]) -> int:
    """By how much more often it failed in the last quarter of the time shown than before: 0 is as often. Pure."""
    late = len(trend) // 4
    return 3 * sum(trend[-late:]) - sum(trend[:-late]) if late else 0


def _bars(counted: Counts, group: str) -> tuple[Bar, ...]:
    start, step = counted.scale.start, counted.scale.step
    own = counted.causes[group].bars if group in counted.causes else {}
    return tuple(
        Bar(
            _moment(minute),
            _moment(minute + step),
            sum(cause.bars.get(minute, 0) for cause in counted.causes.values()),
            own.get(minute, 0),
            counted.ahead if minute + step > counted.end else 0,
        )
        for minute in range(start, counted.end + 1, step)
    )


def _trend(cause: Counted, counted: Counts) -> tuple[int, ...]:
    found, start = [0] * TREND, counted.scale.start
    for minute, count in cause.bars.items():
        found[min((minute - start) * TREND // (counted.end - start + 1), TREND - 1)] += count
    return tuple(found)


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def _dead_letter(row: Failure) -> DeadLetter:
    return DeadLetter(
        id=id_of(row.job_id, row.whole_id),
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
