"""When a schedule is due, in every time zone and at every change of the clock (B2)."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

import pytest

from ingest.timetable import Cron, Interval, Wrong, between, first, latest, zone

ANCHOR = datetime(2026, 11, 27, 10, 0, 7, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(cron: Cron, after: str, number: int) -> list[str]:
    """The next due times, in UTC."""
    dues = between(cron, at(after), at(after) + timedelta(days=400), most=number)
    return [f"{due:%m-%d %H:%M}" for due in dues]


def test_an_expression_is_read_in_its_time_zone() -> None:
    assert shown(Cron("0 9 * * *", "Asia/Tokyo"), "2026-06-01", 2) == ["06-02 00:00", "06-03 00:00"]
    assert shown(Cron("0 9 * * *", "America/New_York"), "2026-06-01", 1) == ["06-01 13:00"]
    assert shown(Cron("0 9 * * MON#1"), "2026-06-02", 2) == ["07-06 09:00", "08-03 09:00"]


def test_a_time_of_day_that_the_clock_skips_is_due_at_the_change() -> None:
    """Berlin, 29 March 2026: from 02:00 to 03:00, which is 01:00 UTC."""
    cron = Cron("30 2 * * *", "Europe/Berlin")
    assert shown(cron, "2026-03-28 00:00", 3) == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]
    assert shown(cron, "2026-03-29 01:00", 1) == ["03-30 00:30"]


def test_two_skipped_times_of_one_expression_are_due_once() -> None:
    cron = Cron("0,30 2 * * *", "Europe/Berlin")
    assert shown(cron, "2026-03-28 12:00", 3) == ["03-29 01:00", "03-30 00:00", "03-30 00:30"]


def test_a_time_of_day_that_exists_twice_is_due_the_first_time_only() -> None:
    """Berlin, 25 October 2026: 02:30 is 00:30 UTC and 01:30 UTC."""
    cron = Cron("30 2 * * *", "Europe/Berlin")
    assert shown(cron, "2026-10-24 12:00", 2) == ["10-25 00:30", "10-26 01:30"]


@pytest.mark.parametrize("after", ["00:30", "00:45", "01:00", "01:15", "01:30", "01:45"])
def test_and_not_again_wherever_in_those_hours_one_asks(after: str) -> None:
    """A standby that takes over between the two asks from there."""
    assert shown(Cron("30 2 * * *", "Europe/Berlin"), f"2026-10-25 {after}", 1) == ["10-26 01:30"]


def test_what_runs_every_so_often_goes_by_elapsed_time_through_both_changes() -> None:
    cron = Cron("*/30 * * * *", "Europe/Berlin")
    for day in ("2026-03-29", "2026-10-25"):
        start = at(day)
        dues = between(cron, start, start + timedelta(hours=4), most=100)
        assert dues == [start + timedelta(minutes=30 * step) for step in range(1, 9)]


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "America/New_York", "America/St_Johns"])
@pytest.mark.parametrize("expression", ["30 2 * * *", "*/20 * * * *", "0 */3 * * *", "15,45 1-3 * * *"])
def test_no_due_time_is_left_out_or_repeated_whenever_one_asks(timezone: str, expression: str) -> None:
    """Around every change: walking from due time to due time, and asking anew at any moment, say the same."""
    cron = Cron(expression, timezone)
    for day in ("2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"):
        start = at(day)
        walked = between(cron, start, start + timedelta(days=3), most=1_000)
        assert walked == sorted(set(walked))
        for minutes in range(0, 2 * 24 * 60, 17):
            moment = start + timedelta(minutes=minutes)
            assert first(cron, moment) == walked[bisect_right(walked, moment)]


def test_intervals_keep_to_their_anchor() -> None:
    every = Interval(90, ANCHOR)
    assert first(every, ANCHOR) == ANCHOR + timedelta(seconds=90)
    assert first(every, ANCHOR + timedelta(seconds=89.9)) == ANCHOR + timedelta(seconds=90)
    assert first(every, ANCHOR - timedelta(seconds=1)) == ANCHOR
    late = ANCHOR + timedelta(days=300, seconds=11)
    due = first(every, late)
    assert due is not None
    assert (due - ANCHOR) % timedelta(seconds=90) == timedelta(0)
    assert timedelta(0) < due - late <= timedelta(seconds=90)


@pytest.mark.parametrize(
    ("times", "upto", "expected"),
    [
        (Cron("* * * * *"), "2027-11-27 10:00:30", "2027-11-27 10:00"),
        (Cron("0 3 * * *", "Europe/Berlin"), "2027-11-27 10:00", "2027-11-27 02:00"),
        (Cron("0 0 1 * *"), "2027-11-27 10:00", "2027-11-01 00:00"),
        (Cron("0 0 1 1 *"), "2027-11-27 10:00", "2027-01-01 00:00"),
        (Cron("0 0 1 1 *"), "2031-11-27 10:00", "2031-01-01 00:00"),
        (Interval(3600, ANCHOR), "2027-11-27 10:00", "2027-11-27 09:00:07"),
    ],
)
def test_the_last_due_time_of_a_long_pause_is_found(times: Cron | Interval, upto: str, expected: str) -> None:
    due = first(times, ANCHOR)
    assert due is not None
    assert latest(times, due, at(upto)) == at(expected)


def test_a_pause_without_another_due_time_leaves_the_first() -> None:
    due = at("2026-12-01")
    assert latest(Cron("0 0 1 * *"), due, due + timedelta(hours=30)) == due
    assert latest(Interval(86_400, due), due, due + timedelta(hours=3)) == due


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * *", "@daily", "a b c d e", "60 * * * *", "*/0 * * * *", "0 0 31 2 *"),
        *("0 0 * * 8", "1- * * * *", "-1 * * * *", "\x00 * * * *", "٣ * * * *"),
    ],
)
def test_a_wrong_expression_is_refused_in_a_sentence(expression: str) -> None:
    with pytest.raises(Wrong, match=r"^(A|The) cron expression .*\.$"):
        Cron(expression)


@pytest.mark.parametrize("name", ["", "Mars/Base", "Europe", "../../etc/passwd", "/etc/passwd", "x" * 300, "\x00"])
def test_a_wrong_time_zone_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(Wrong, match=r"^The time zone .* is not known"):
        zone(name)
