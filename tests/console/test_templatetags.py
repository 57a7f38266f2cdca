"""Words for numbers and times. tests/browser/test_format.py holds the live page to the same words."""

import re
from datetime import UTC, datetime
from pathlib import Path

import lucide
import pytest

from queueadmin.console.templatetags import console as words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0.0 s"), (0.25, "0.3 s"), (22.4, "22 s"), (180, "3 min"), (5400, "1.5 h"), (172_800, "2 d")],
)
def test_durations_are_words_people_use(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, ""), (0.04, ""), (0.5, "+0.5/s"), (-0.5, "−0.5/s"), (12.4, "+12/s"), (-1234, "−1,234/s")]
)
def test_a_change_has_its_sign_first_and_nothing_is_empty(value: float, text: str) -> None:
    assert words.change(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (40, "40 %"), (33.33333333, "33.3333 %"), ("half", "half"), (101, "101"), ({"n": [1]}, '{"n":[1]}')],
)
def test_b6_progress_is_a_percentage_or_the_handlers_own_words(value: object, text: str) -> None:
    assert words.progress_words(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (9999, "9,999"), (12_345, "12.3k"), (2_000_000, "2M")])
def test_badges_are_short(value: int, text: str) -> None:
    assert words.short(value) == text


def test_a_time_tells_the_instant_on_hover_and_escapes_nothing_by_hand() -> None:
    instant = datetime(2026, 11, 22, 14, 41, 30, tzinfo=UTC)
    shown = words.clock(instant)
    assert shown == words.clock(instant.timestamp()) == words.clock("2026-11-22T14:41:30+00:00")
    assert 'title="2026-11-22 14:41:30 UTC">14:41:30</time>' in shown
    assert 'data-style="full" title="2026-11-22 14:41:30 UTC">2026-11-22 14:41:30 UTC</time>' in words.instant(instant)
    assert words.ago(None) == "–"


def test_a_share_of_nothing_is_none() -> None:
    assert [words.share(3, 12), words.share(9, 3), words.share(0, 0)] == ["25%", "100%", "0%"]


def test_ids_are_cut_in_the_middle() -> None:
    assert words.short_id("short") == "short"
    assert words.short_id("01a202df11ee7044821eae1bc483d183") == "01a202df…83d183"


def test_every_icon_that_a_template_names_exists() -> None:
    """A wrong name is a 500, and only where that branch of the template is reached."""
    templates = (Path(__file__).resolve().parents[2] / "templates").rglob("*.html")
    names = {name for template in templates for name in re.findall(r'{% lucide "([^"]+)"', template.read_text())}
    assert len(names) > 20
    for name in names:
        lucide._render_icon(name, 16)


def test_labels_stand_on_one_line_without_credentials() -> None:
    assert words.labels("\nhost=db-1\nteam=core\n") == "host=db-1 team=core"
    assert "hunter2" not in words.labels("\npassword=hunter2\n")
    assert words.labels("") == ""


def test_how_long_a_queues_jobs_took_is_found_by_its_name() -> None:
    took = [{"queue": "high", "run_p95": 0.2}]
    assert words.of_queue(took, "high") == {"queue": "high", "run_p95": 0.2}
    assert words.of_queue(took, "low") == {}
