"""The first paint and the live page write the same words: templatetags against format.js."""

from typing import Any

from playwright.sync_api import Page

from queueadmin.console.templatetags import console as words

NUMBERS = [0, 0.04, 0.05, 0.25, 0.5, 1, 1.5, 9.94, 9.95, 10, 59, 89.4, 90, 99.5, 119, 120, 150, 599.5, 999.94, 1000]
NUMBERS += [1234.5, 5399, 5400, 9999, 12_345, 86_400, 172_799, 172_800, 999_999, 1e6, 12_345_678]
SIZES = [0, 512, 1023, 1024, 1536, 10_240, 5 * 2**20, 2**30, 5.9 * 2**30]


def test_both_ways_of_writing_agree(page: Page) -> None:
    page.goto("/")
    cases: list[tuple[str, list[Any], str | bool]] = []
    for n in NUMBERS:
        for name in ("number", "short", "rate", "duration"):
            cases.append((name, [n], getattr(words, name)(n)))
        cases += [("change", [sign * n], words.change(sign * n)) for sign in (1, -1)]
        cases.append(("percent", [n], words.percent(n)))
        cases += [("millis", [n / each], words.millis(n / each)) for each in (1, 1e3, 1e4)]
        cases.append(("clearsIn", [n], words.clears_in(n)))
        cases += [
            ("ago", [1e6 - n, 1e6], words.ago_words(1e6 - n, 1e6)),
            ("ago", [1e6 + n, 1e6], words.ago_words(1e6 + n, 1e6)),
        ]
        if n == int(n) and n:
            cases.append(("target", [int(n)], words.target(int(n))))
        cases.append(("pauseLeft", [1e6 + n, 1e6], words.pause_left(1e6 + n, 1e6)))
    cases.append(("pauseLeft", [None, 1e6], words.pause_left(None, 1e6)))
    cases += [("clearsIn", [w], words.clears_in(w)) for w in (None, "growing", "steady", "paused")]
    cases += [("bytes", [n], words.file_size(n)) for n in SIZES]
    for used, most in ((0, 0), (5 * 2**20, 0), (38, 100), (2**31, 2**32)):
        redis = {"used_memory": used, "max_memory": most}
        cases.append(("memory", [redis], words.memory(redis)))
    cases.append(("memory", [{"status": "disabled"}], words.memory({"status": "disabled"})))
    for value in (None, 0, 40, 33.3333333, 100, 100.5, -1, "half", "", True, {"done": 3, "of": ["ä", None]}, [1]):
        cases.append(("progressWords", [value], words.progress_words(value)))
        cases.append(("isPercent", [value], words.is_percent(value)))
    written = page.evaluate(
        """async cases => {
            const format = await import('/static/console/format.js');
            return cases.map(([name, values]) => format[name](...values));
        }""",
        [[name, values] for name, values, _ in cases],
    )
    for (name, values, expected), got in zip(cases, written, strict=True):
        assert got == expected, (name, values)


def test_an_axis_ends_where_its_four_parts_are_whole(page: Page) -> None:
    most = [0, 0.2, 1, 4, 5, 8.3, 9, 12, 13, 21, 25, 33, 61, 99.9, 100, 101, 240, 999, 1041, 12_345, 999_999, 1e6]
    page.goto("/")
    ends = page.evaluate(
        "async numbers => { const { nice } = await import('/static/console/charts.js'); return numbers.map(nice); }",
        most,
    )
    for number, end in zip(most, ends, strict=True):
        assert end % 4 == 0, (number, end)
        assert number <= end <= max(4, 2 * number), (number, end)
