"""A real Chromium against the whole product running.

Not pytest-playwright's own fixtures: theirs keep the browser's event loop running for the whole
session, and every asynchronous test after this folder's would fail.
"""

import uuid
from collections.abc import Callable, Iterator

import pytest
import redis
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from ingest.queue import keys
from ingest.queue.transitions import Transitions
from tests.chromium import chromium
from tests.instance import ADMIN_PASSWORD, Instance

#: The first two are menus of the address bar, made for each profile, whose page nobody sees: half a second of a core a
#: test. Chromium hears only the last of such switches, so those that Playwright 1.65 turns off follow.
NO_FEATURES = (
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup",
    "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay", "MediaRouter",
    "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch", "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
)  # fmt: skip
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(NO_FEATURES)}",
]
#: ms; a busy machine paints late, a wrong page never gets there.
PATIENCE = 120_000
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

Send = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for the files of this folder that follow one another; each page has a profile of its own."""
    found = chromium()
    if found is None:
        pytest.skip("no Chromium: set CHROMIUM_PATH, or put chromium or google-chrome on PATH")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="package")
def session(browser: Browser, instance: Instance) -> dict[str, object]:
    return admin_of(instance, browser)


def admin_of(instance: Instance, browser: Browser) -> dict[str, object]:
    """The cookies of a signed-in admin."""
    context = browser.new_context(base_url=instance.url)
    sign_in(context.new_page())
    state: dict[str, object] = context.storage_state()  # type: ignore[assignment]
    context.close()
    return state


def sign_in(page: Page, password: str = ADMIN_PASSWORD) -> None:
    page.goto("/login/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about: errors of scripts, of the security policy, of the network."""
    return []


@pytest.fixture
def open_page(
    browser: Browser, instance: Instance, session: dict[str, object], complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """Opens further pages, signed in, each in a profile of its own; a page that complains fails the test."""
    contexts: list[BrowserContext] = []

    def open_one(*, signed_in: bool = True, **options: object) -> Page:
        context = browser.new_context(
            base_url=instance.url,
            storage_state=session if signed_in else None,  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


@pytest.fixture
def send(instance: Instance) -> Send:
    """Sends one alert over HTTP, as a client would; returns its job's id."""

    def send_one(**event: object) -> str:
        event.setdefault("title", f"browser test {uuid.uuid4().hex[:8]}")
        answer = requests.post(f"{instance.url}/api/v1/events", json=event, timeout=60)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    return send_one


def clear(client: redis.Redis, is_mine: Callable[[str, str], bool]) -> None:
    """Take what one test left off the shared instance: jobs by their source and their error's message."""
    transitions = Transitions(client)
    for queue in ("critical", "high", "medium", "low"):
        for key in (keys.failed(queue), keys.scheduled(queue), keys.trash(queue)):
            found = [job_id.decode() for job_id in client.zrange(key, 0, -1)]
            said = [client.hmget(keys.job(job_id), "source", keys.ERROR_MESSAGE) for job_id in found]
            mine = [
                job_id
                for job_id, (source, message) in zip(found, said, strict=True)
                if is_mine((source or b"").decode(), (message or b"").decode())
            ]
            transitions.discard(queue, mine, by="test")
            transitions.purge(queue, mine)


def live(page: Page) -> None:
    """Wait until snapshots come."""
    expect(page.locator(".live")).to_have_attribute("data-s", "on")


def figure(page: Page, name: str) -> int:
    """A number of the overview as it stands on the page."""
    return int(page.locator(f'[data-k="{name}"]').first.inner_text().replace(",", ""))


def settled(page: Page, name: str) -> int:
    """The same, once it counts all that earlier tests sent to the shared instance."""
    counted: int = page.request.get("/api/admin/queue/health").json()["metrics"][f"total_{name}"]
    expect(page.locator(f'[data-k="{name}"]')).to_have_text(f"{counted:,}")
    return counted
