"""Issue 7, point 7: everything works under a path of a host that serves others too."""

import re
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE, live
from tests.conftest import wait_until
from tests.instance import ADMIN_PASSWORD, Instance
from tests.prefix_proxy import PrefixProxy

PREFIX = "/queues"
#: Pages that the crawl must have come by.
PAGES = {
    "/", "/account/", "/alerts/", "/api/docs/", "/audit/", "/dead-letters/", "/devices/", "/ingest/", "/jobs/",
    "/queues/high/", "/replays/", "/schedules/", "/settings/", "/workers/",
}  # fmt: skip
#: Another's pages, of which one is looked at, and the way out.
SKIPPED = ("/logout/", "/django-admin/auth/", "/django-admin/jsi18n")


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    running = Instance(tmp_path_factory.mktemp("below"), SCRIPT_NAME=PREFIX)
    try:
        yield running.start()
    finally:
        running.discard()


def _send(address: str, **event: object) -> requests.Response:
    return requests.post(f"{address}/api/v1/events", json={"title": uuid.uuid4().hex, **event}, timeout=60)


class _Addresses(HTMLParser):
    """Whatever stands in a page and is an address: attributes that begin with a slash, and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name in ("href", "src", "action", "formaction") or value.startswith("/")):
                self.found.add((name, value))


def _signed_in(address: str) -> requests.Session:
    session = requests.Session()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(f"{address}/login/", timeout=60).text)
    assert token is not None
    form = {"username": "admin", "password": ADMIN_PASSWORD, "csrfmiddlewaretoken": token[1]}
    answer = session.post(f"{address}/login/", form, timeout=60, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PREFIX}/")
    assert {cookie.path for cookie in session.cookies} == {f"{PREFIX}/"}
    return session


def test_no_page_leads_out_of_the_prefix(below: Instance) -> None:
    with PrefixProxy(below.port, PREFIX) as proxy:
        address = proxy.url + PREFIX
        session = _signed_in(address)
        # The programs' own way in, straight to the server and without the prefix, goes on working.
        found = _send(below.url, fault="permanent", severity="high").headers["Location"]
        assert found.startswith(f"{PREFIX}/api/v1/jobs/")
        job = f"{proxy.url}{found}"
        wait_until(lambda: session.get(job, timeout=60).json()["state"] == "failed", what="the dead letter")
        assert all(link.startswith(f"{PREFIX}/") for link in session.get(job, timeout=60).json()["links"].values())
        seen, out = _crawl(session, address, f"{address}/jobs/{job.rpartition('/')[2]}/")
        assert (out, proxy.outside) == ([], [])
        assert seen >= PAGES, PAGES - seen
        assert any(path.startswith("/static/") for path in seen)
        assert session.get(f"{address}/api/schema/", timeout=60).json()["servers"] == [{"url": PREFIX}]
        assert requests.get(f"{address}/nothing", timeout=60).headers["Content-Type"].startswith("text/html")
        missing = requests.get(f"{address}/api/v1/nothing", timeout=60)
        assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")
        gone = requests.get(f"{address}/jobs/", timeout=60, allow_redirects=False).headers["Location"]
        assert gone == f"{PREFIX}/login/?next={PREFIX}/jobs/"


def _crawl(session: requests.Session, address: str, *begin: str) -> tuple[set[str], list[str]]:
    """The paths that were looked at, without the prefix, and what led out of it."""
    host = address.removesuffix(PREFIX)
    # Examples to copy name the address as well.
    outside = re.compile(rf"{re.escape(host)}(?!{PREFIX}\b)[^\s<]*")
    seen: set[str] = set()
    out: list[str] = []
    due = [f"{address}/", *begin]
    while due:
        page = due.pop(0)
        path = urlsplit(page).path.removeprefix(PREFIX)
        if path in seen or not page.startswith(f"{address}/") or path.startswith(SKIPPED):
            continue
        seen.add(path)
        answer = session.get(page, timeout=60, allow_redirects=False)
        assert answer.status_code < 400, (page, answer.status_code)
        is_html = answer.headers["Content-Type"].startswith("text/html")
        leads = _Addresses(answer.text).found if is_html else set()
        leads |= {("Location", goes)} if (goes := answer.headers.get("Location")) else set()
        for name, value in leads:
            target = urldefrag(urljoin(page, value)).url
            if target.startswith(host) and not target.startswith(f"{address}/"):
                out.append(f"{page}: {name}={value}")
            elif name in ("href", "src", "Location"):
                due.append(target)
        out += [f"{page}: {found}" for found in outside.findall(answer.text)] if is_html else []
    return seen, out


def test_a_page_is_live_and_a_button_works_behind_the_proxy(below: Instance, browser: Browser) -> None:
    with PrefixProxy(below.port, PREFIX) as proxy:
        context = browser.new_context(base_url=f"{proxy.url}{PREFIX}/")
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        try:
            _use(page, below, proxy)
        finally:
            context.close()
        assert [line for line in proxy.outside if "favicon.ico" not in line] == []


def _use(page: Page, below: Instance, proxy: PrefixProxy) -> None:
    page.goto("./")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{proxy.url}{PREFIX}/")
    live(page)
    before = int(page.locator('[data-k="enqueued"]').inner_text().replace(",", ""))
    title = _send(below.url, fault="permanent", severity="low").json()["id"]
    expect(page.locator('[data-k="enqueued"]')).to_have_text(f"{before + 1:,}")
    page.goto("dead-letters/")
    row = page.locator("#dead tbody tr").filter(has=page.locator(f'input[value="{title}"]'))
    expect(row).to_have_count(1)
    live(page)
    row.get_by_role("button", name="Retry").click()
    expect(page.locator("#toast")).to_contain_text("1 job put back into the queue.")
    page.goto("account/")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url(f"{proxy.url}{PREFIX}/login/")
