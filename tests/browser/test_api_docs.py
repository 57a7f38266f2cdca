"""The API's page in a real browser: both themes, the phone, and what a keyboard does."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.accessible import no_fault_in_either_theme
from tests.browser.conftest import PHONE

OpenPage = Callable[..., Page]


def test_it_has_no_fault_that_a_tool_can_find(open_page: OpenPage) -> None:
    page = open_page(signed_in=False)
    page.goto("/api/docs/")
    for part in page.locator("main details").all()[:8]:
        part.evaluate("part => part.open = true")
    no_fault_in_either_theme(page)


def test_it_is_not_wider_than_the_screen(open_page: OpenPage) -> None:
    page = open_page(signed_in=False, **PHONE)
    page.goto("/api/docs/")
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    for width in (360, 390, 760, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 844})
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
