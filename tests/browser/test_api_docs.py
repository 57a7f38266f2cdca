"""The API's page in a real browser: both themes, the phone, and what a keyboard does."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE

OpenPage = Callable[..., Page]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_has_no_fault_that_a_tool_can_find(open_page: OpenPage, theme: str) -> None:
    page = open_page(signed_in=False, color_scheme=theme)
    page.goto("/api/docs/")
    for part in page.locator("main details").all()[:8]:
        part.evaluate("part => part.open = true")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [360, 390, 760, 1024, 1440])
def test_it_is_not_wider_than_the_screen(open_page: OpenPage, width: int) -> None:
    page = open_page(signed_in=False, **PHONE | {"viewport": {"width": width, "height": 844}})
    page.goto("/api/docs/")
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_operation_is_found_in_the_list_and_a_shape_by_its_link(open_page: OpenPage) -> None:
    page = open_page(signed_in=False)
    page.goto("/api/docs/")
    page.get_by_role("navigation").get_by_role("link", name="Retry a job").click()
    expect(page.locator("#retryJob")).to_be_in_viewport()
    page.locator("#retryJob summary", has_text="202").click()
    page.locator("#retryJob").get_by_role("link", name="Every field of Job").click()
    expect(page.locator("#shape-Job h3")).to_be_in_viewport()


def test_the_console_leads_to_it(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="API").click()
    expect(page.locator("h1")).to_have_text("API")
