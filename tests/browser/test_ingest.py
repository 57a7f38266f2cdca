"""Adding a source in a real browser: a key, lines to copy, and the page that turns when the first event comes."""

import uuid
from collections.abc import Callable

import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, live
from tests.instance import Instance

OpenPage = Callable[..., Page]


def test_a_source_is_added_and_the_page_turns_at_its_first_event(open_page: OpenPage, instance: Instance) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    source = f"edge {uuid.uuid4().hex[:6]}"
    page.goto("/ingest/")
    live(page)
    page.get_by_role("link", name="Add a source").click()
    page.get_by_label("Name of the source").fill(source)
    page.get_by_role("button", name="Make its key").click()
    expect(page.locator("#waiting")).to_contain_text("Waiting for the first event")
    secret = page.locator("#secret").inner_text()
    page.get_by_role("button", name="Copy the curl lines").click()
    expect(page.locator("#toast")).to_contain_text("Copied")
    assert secret in page.evaluate("navigator.clipboard.readText()")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()

    answer = requests.post(
        f"{instance.url}/api/v1/events", json={"title": "First"}, headers={"X-API-KEY": secret}, timeout=10
    )
    assert answer.status_code == 202, answer.text
    expect(page.locator("#waiting")).to_have_attribute("data-state", "arrived")

    page.get_by_role("link", name="See it among the sources").click()
    row = page.locator("tr", has=page.get_by_role("rowheader", name=source)).first
    expect(row.locator('[data-l="accepted"]')).to_have_text("1")
    for _ in range(2):
        requests.post(f"{instance.url}/api/v1/events", json={}, headers={"X-API-KEY": secret}, timeout=10)
    expect(row.locator('[data-l="accepted"]')).to_have_text("3")  # by itself
    assert secret not in page.content()


def test_keys_are_rotated_and_revoked_without_scripts_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False, **PHONE)
    name = f"key {uuid.uuid4().hex[:6]}"
    page.goto("/account/")
    page.locator("main").get_by_role("link", name="Ingest").click()
    page.get_by_role("link", name="New key").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the key").click()
    first = page.locator("#secret").inner_text()
    page.get_by_role("link", name="Look now").click()
    expect(page.locator("#waiting")).to_contain_text("Waiting for the first event")
    page.goto("/ingest/")
    page.get_by_role("link", name=f"Rotate {name}").click()
    page.get_by_role("button", name="1 hour").click()
    assert page.locator("#secret").inner_text() != first
    page.get_by_role("link", name="Back to Ingest").click()
    page.get_by_role("link", name=f"Revoke {name}").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("#toast")).to_contain_text(f"The key {name} is revoked")
    expect(page.get_by_role("link", name=f"Revoke {name}")).to_have_count(0)
