"""Adding a source in a real browser: a key, lines to copy, and the page that turns when the first event comes."""

import uuid
from collections.abc import Callable

import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from ingest.queue.keys import tally_source
from tests.browser.conftest import PHONE, live
from tests.conftest import wait_until
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
        f"{instance.url}/api/v1/events", json={"title": "First"}, headers={"X-API-KEY": secret}, timeout=60
    )
    assert answer.status_code == 202, answer.text
    expect(page.locator("#waiting")).to_have_attribute("data-state", "arrived")

    page.get_by_role("link", name="See it among the sources").click()
    row = page.locator("tr", has=page.get_by_role("rowheader", name=source)).first
    expect(row.locator('[data-l="accepted"]')).to_have_text("1")
    for _ in range(2):
        requests.post(f"{instance.url}/api/v1/events", json={}, headers={"X-API-KEY": secret}, timeout=60)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    expect(row.locator('[data-l="accepted"]')).to_have_text("3")  # by itself, through the socket
    assert asked == []
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


def test_a_new_source_waits_behind_a_button_so_that_no_row_jumps(open_page: OpenPage, instance: Instance) -> None:
    page, name = open_page(), f"a {uuid.uuid4().hex[:6]}"
    send(instance, f"0 {name}")
    page.goto("/ingest/")
    live(page)
    rows = page.locator("[data-source]")
    before = rows.count()
    send(instance, name)
    expect(page.locator("#sources-new")).to_contain_text("1 new")
    assert rows.count() == before
    page.locator("#sources-new").click()
    expect(page.get_by_role("rowheader", name=name, exact=True)).to_be_visible()
    expect(page.locator("#sources-new")).to_be_hidden()


def test_without_a_socket_it_asks_every_few_seconds_and_says_so(
    open_page: OpenPage, instance: Instance, complaints: list[str]
) -> None:
    """A proxy may let no WebSocket through."""
    page, name = open_page(), f"b {uuid.uuid4().hex[:6]}"
    page.route_web_socket("**/ws/console/*", lambda socket: socket.close(code=1011))
    send(instance, name)
    page.goto("/ingest/")
    expect(page.locator(".live")).to_have_text("every 3 s")
    row = page.locator("tr", has=page.get_by_role("rowheader", name=name, exact=True)).first
    send(instance, name)
    expect(row.locator('[data-l="accepted"]')).to_have_text("2")
    page.keyboard.press("r")
    expect(page.locator(".live")).to_have_text("paused")


def test_without_scripts_it_is_whole_and_asks_when_told_to(open_page: OpenPage, instance: Instance) -> None:
    page, name = open_page(java_script_enabled=False, **PHONE), f"c {uuid.uuid4().hex[:6]}"
    send(instance, name)
    page.goto("/ingest/")
    row = page.locator("tr", has=page.get_by_role("rowheader", name=name, exact=True)).first
    expect(row.locator('[data-l="accepted"]')).to_have_text("1")
    send(instance, name)
    page.get_by_role("link", name="Look again").click()
    expect(row.locator('[data-l="accepted"]')).to_have_text("2")


def send(instance: Instance, source: str) -> None:
    """One event of it, and wait until it is counted."""
    answer = requests.post(f"{instance.url}/api/v1/events", json={"source": source}, timeout=60)
    assert answer.status_code == 202, answer.text
    with instance.redis() as client:
        wait_until(lambda: int(client.hget(tally_source(source), "accepted") or 0) > sent.get(source, 0))
    sent[source] = sent.get(source, 0) + 1


sent: dict[str, int] = {}
