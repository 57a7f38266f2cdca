"""What a first visit costs: every byte of page, styles, scripts and icon, compressed as they came (issue 7)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, Response
from rcssmin import cssmin

from tests.browser.conftest import live

KIB = 1024
#: Path → KiB at most. The overview's is the issue's; on the others parts that fetch themselves bring htmx, and
#: dead letters of other tests fill rows.
BUDGETS = {"/": 45, "/jobs/": 60, "/dead-letters/": 70, "/ingest/": 60}
STYLES = [Path(folder) / "console" for folder in settings.STATICFILES_DIRS]


@pytest.mark.parametrize("path", BUDGETS)
def test_a_cold_load_stays_within_its_budget(path: str, open_page: Callable[..., Page]) -> None:
    page = open_page()
    came: list[Response] = []
    page.on("response", lambda response: came.append(response))
    page.goto(path, wait_until="networkidle")
    live(page)
    sizes = {response.url: response.request.sizes()["responseBodySize"] for response in came}
    assert {"document", "stylesheet", "script"} <= {response.request.resource_type for response in came}
    # A headless browser fetches no icon.
    icon = page.request.get(page.locator('link[rel="icon"]').get_attribute("href") or "")
    sizes[icon.url] = int(icon.headers["content-length"])
    assert sum(sizes.values()) <= BUDGETS[path] * KIB, sorted(sizes.items(), key=lambda each: -each[1])


def test_styles_say_the_same_without_their_spaces(browser: Browser) -> None:
    """The minifier works by patterns, and knows no newer syntax: the browser tells whether it read all the same."""
    page = browser.new_page()
    rules = """text => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(text);
        return [...sheet.cssRules].map(rule => rule.cssText.replaceAll(/\\s*,\\s*/g, ','));
    }"""
    for source in (file for folder in STYLES for file in folder.rglob("*.css")):
        text = source.read_text()
        if "@import" in text:
            continue  # a list of the others
        said = page.evaluate(rules, text)
        assert len(said) > 10
        assert page.evaluate(rules, cssmin(text)) == said, source.name
    page.close()
