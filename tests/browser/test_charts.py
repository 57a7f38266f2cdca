"""The charts of the overview: how far back they reach, and the table behind each (issue 7.1)."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Send, live, settled


def test_a_longer_window_is_read_and_stays_in_the_address(page: Page) -> None:
    page.goto("/")
    live(page)
    with page.expect_response(lambda answer: "/api/v1/history?window=86400" in answer.url) as asked:
        page.get_by_role("button", name="24h", exact=True).click()
    answer = asked.value.json()
    assert (answer["window"], answer["step"]) == (86_400, 100)
    expect(page.get_by_role("button", name="24h", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator('[data-k="window"]')).to_have_text("Last 24 h")
    page.reload()
    expect(page).to_have_url("/?window=86400")
    expect(page.get_by_role("button", name="24h", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_chart_has_its_numbers_as_a_table(page: Page, send: Send) -> None:
    send(severity="low")
    page.goto("/")
    live(page)
    settled(page, "enqueued")
    page.locator('details[data-of="flow"] summary').click()
    table = page.locator('details[data-of="flow"] table')
    expect(table.get_by_role("columnheader")).to_have_text(["Until", "in/s", "done/s", "failures/min"])
    expect(table.get_by_role("rowheader").first).to_be_visible()
