"""Bars as rectangles."""

from datetime import UTC, datetime, timedelta

from queueadmin.console.failures.triage import Bar
from queueadmin.console.pages import histogram

START = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)
BARS = [
    Bar(START + timedelta(minutes=5 * place), START + timedelta(minutes=5 * place + 5), count, own)
    for place, (count, own) in enumerate([(0, 0), (10, 4), (40, 40), (5, 0)])
]


def test_the_highest_fills_the_picture_and_its_own_part_stands_at_the_foot() -> None:
    chart = histogram.of(BARS, since=None, until=None)
    assert (chart.width, chart.most, chart.window) == (40, 40, None)
    assert [(each.x, each.y, each.height) for each in chart.columns] == [
        *((0, 100.0, 0.0), (10, 75.0, 25.0), (20, 0.0, 100.0), (30, 87.5, 12.5)),
    ]
    assert [(each.own_y, each.own_height) for each in chart.columns[1:3]] == [(90.0, 10.0), (0.0, 100.0)]


def test_a_chosen_time_is_marked_and_stays_within_the_picture() -> None:
    chart = histogram.of(BARS, since=START + timedelta(minutes=5), until=START + timedelta(minutes=10))
    assert chart.window == (10.0, 10.0)
    assert [each.within for each in chart.columns] == [False, True, False, False]
    assert histogram.of(BARS, since=START - timedelta(days=1), until=None).window == (0.0, 40.0)
    later = histogram.of(BARS, since=START + timedelta(days=1), until=None)
    assert later.window is not None
    assert later.window[1] > 0


def test_nothing_failed() -> None:
    assert histogram.of([], since=START, until=None).window is None
    assert histogram.of(BARS[:1], since=None, until=None).columns[0].height == 0
    assert histogram.trend([0] * 24).count("v-1h") == 24


def test_a_trend_has_its_highest_bar_in_full_and_a_line_where_nothing_failed() -> None:
    assert histogram.trend([0, 4, 2]) == "M0 18v-1h29.7V18zM30.7 18v-18h29.7V18zM61.3 18v-9h29.7V18z"


def test_a_curve_fills_its_width() -> None:
    assert histogram.curve([0, 10, 5]) == "0,24 45,2 90,13"
    assert histogram.curve([]) == "0,24 90,24"
    assert histogram.curve([4]) == "0,24 90,24"
