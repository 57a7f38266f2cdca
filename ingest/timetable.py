"""When a schedule is due: cron expressions and intervals. Pure.

Cron is Debian's, by `cronsim`: five fields, and daylight saving as Vixie's cron has it. A time of day that a
change of the clock skips is due at the moment of the change; one that exists twice is due the first time only;
what runs every so often (`*` or `*/15` in minutes or hours) goes by elapsed time. Intervals know no time zone.
On Lord Howe Island, whose clock changes by half an hour, cronsim may leave out one `0 */3` of that night.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

#: How far back `latest` looks, in steps: so that neither a minutely nor a yearly expression takes it long.
_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=40))

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


class Wrong(ValueError):
    """This cron expression or time zone cannot be used; the message is for people."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The times of one expression in one time zone. Raises Wrong."""

    expression: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        fields = len(self.expression.split())
        if fields != 5:
            # cronsim would take six, with seconds and without Debian's handling of changes of the clock.
            raise Wrong(f"A cron expression has five fields (minute hour day month weekday), not {fields}.")
        try:
            next(CronSim(self.expression, datetime(2026, 1, 1, tzinfo=zone(self.timezone))))
        except CronSimError as error:
            raise Wrong(f"The cron expression is not valid: {str(error).lower()}.") from None
        except StopIteration:
            raise Wrong("The cron expression is never due.") from None

    @property
    def words(self) -> str:
        """In plain English: `At 08:00 on Monday through Friday, Europe/Berlin`."""
        said = CronSim(self.expression, datetime(2026, 1, 1, tzinfo=UTC)).explain()
        return f"{said}, {self.timezone}"

    def following(self, after: datetime) -> Iterator[datetime]:
        """The due times after `after`, in UTC."""
        for due in CronSim(self.expression, after.astimezone(zone(self.timezone))):
            at = due.astimezone(UTC)
            # Within the hour that exists twice the first due time may lie before `after`.
            if at > after:
                yield at
                after = at


@dataclass(frozen=True, slots=True)
class Interval:
    """`anchor`, and every so many seconds after it (and before)."""

    seconds: int
    anchor: datetime

    @property
    def words(self) -> str:
        """In plain English: `Every 15 minutes`."""
        for unit, seconds in _UNITS:
            if self.seconds % seconds == 0:
                count = self.seconds // seconds
                return f"Every {unit}" if count == 1 else f"Every {count:,} {unit}s"
        raise Wrong("An interval is at least a second.")

    def following(self, after: datetime) -> Iterator[datetime]:
        """The due times after `after`, in UTC."""
        step = timedelta(seconds=self.seconds)
        due = self.anchor.astimezone(UTC) + step * ((after - self.anchor) // step + 1)
        while True:
            yield due
            due += step


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises Wrong."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder's name, such as Europe
        raise Wrong(f"The time zone {name[:64]!r} is not known; use a name such as Europe/Berlin.") from None


def first(times: Cron | Interval, after: datetime) -> datetime | None:
    """The next due time; None when there is none within 50 years."""
    return next(times.following(after), None)


def between(times: Cron | Interval, after: datetime, upto: datetime, *, most: int) -> list[datetime]:
    """The due times in (after, upto], at most so many."""
    found: list[datetime] = []
    for due in times.following(after):
        if due > upto or len(found) == most:
            break
        found.append(due)
    return found


def latest(times: Cron | Interval, first_due: datetime, upto: datetime) -> datetime:
    """The last due time in [first_due, upto], where `first_due` is one."""
    if isinstance(times, Interval):
        step = timedelta(seconds=times.seconds)
        return max(first_due, times.anchor.astimezone(UTC) + step * ((upto - times.anchor) // step))
    for window in _WINDOWS:
        if upto - window <= first_due:
            break
        if found := _last(times, upto - window, upto):
            return found
    return _last(times, first_due, upto) or first_due


def _last(times: Cron, after: datetime, upto: datetime) -> datetime | None:
    last = None
    for due in times.following(after):
        if due > upto:
            break
        last = due
    return last
