"""Alerts in a real browser: one breaks out while the page is open, somebody sees to it, and it is over. Issue 5 (4)."""

import uuid
from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Send, live

OpenPage = Callable[..., Page]


def test_an_alert_comes_by_itself_is_acknowledged_and_resolved(page: Page, send: Send) -> None:
    name = uuid.uuid4().hex[:8]
    page.goto(f"/alerts/?filter=label.run:{name}")
    live(page)
    expect(page.locator("#alerts")).to_contain_text("No open alert matches this filter.")
    problem = {"dedup_key": name, "labels": {"run": name}, "severity": "critical"}
    send(title=f"Disk full {name}", **problem)
    page.locator("#alert-news a").click()  # comes by itself

    page.get_by_role("link", name=f"Disk full {name}").click()
    expect(page.locator("#alert .st")).to_have_text("triggered")
    send(title=f"Disk fuller {name}", **problem)
    expect(page.locator("#alert")).to_contain_text("Disk fuller")  # by itself
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#toast")).to_contain_text("is acknowledged")
    expect(page.locator("#alert-story")).to_contain_text("by admin")
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("#alert .st")).to_have_text("resolved")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()

    send(title=f"Disk full {name}", **problem)
    expect(page.locator("#alert .st")).to_have_text("triggered")  # it breaks out again


def test_tabs_and_filters_are_in_the_address_and_nothing_overflows_on_a_phone(open_page: OpenPage, send: Send) -> None:
    page = open_page(**PHONE)
    name = uuid.uuid4().hex[:8]
    send(title=f"A very long title {'with many words ' * 12}{name}", labels={"run": name, "host": "h" * 200})
    page.goto("/alerts/")
    page.get_by_label("Filter", exact=True).fill(f"label.run:{name}")
    page.get_by_label("Filter", exact=True).press("Enter")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    assert f"label.run%3A{name}" in page.url
    page.get_by_label("Severity").select_option("critical")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#alerts")).to_contain_text("No open alert matches this filter.")
    page.go_back()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
