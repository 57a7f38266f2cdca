"""What the overview costs a browser, and how soon an event is seen there: a real Chromium, the whole product."""

import random
import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests

from bench import corpus
from bench.ground import Ground, Unmeasured
from bench.report import Goal, Row
from tests.chromium import chromium
from tests.instance import ADMIN_PASSWORD, Instance

#: Alerts a second while the main thread is looked at.
RATE = 50
#: An event's number is on the page when this says so.
SEEN_AT = """() => new Promise(seen => {
    const place = document.querySelector('[data-k="enqueued"]'), before = place.textContent;
    const watch = new MutationObserver(() => {
        if (place.textContent === before) return;
        watch.disconnect();
        requestAnimationFrame(() => seen(Date.now() / 1000));
    });
    watch.observe(place, { characterData: true, childList: true, subtree: true });
})"""


def rows(ground: Ground) -> Iterator[Row]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Unmeasured("playwright is missing; `make check` installs it") from None
    found = chromium()
    if found is None:
        raise Unmeasured("no Chromium was found; CHROMIUM_PATH names one")
    instance = Instance(ground.folder / "screen")
    try:
        instance.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
            try:
                yield from _looked(ground, instance, browser)
            finally:
                browser.close()
    finally:
        instance.discard()


def _looked(ground: Ground, instance: Instance, browser: Any) -> Iterator[Row]:
    context = browser.new_context(base_url=instance.url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator('.live[data-s="on"]').wait_for()
    yield _first_load(context, browser, instance)
    yield _until_seen(page, instance, times=2 if ground.small else max(10, int(2 * ground.seconds)))
    yield _main_thread(page, instance, seconds=1.0 if ground.small else max(5.0, 2 * ground.seconds))


def _first_load(signed_in: Any, browser: Any, instance: Instance) -> Row:
    """Every byte of the overview, its styles, scripts and icon, compressed as they came to an empty cache."""
    context = browser.new_context(base_url=instance.url, storage_state=signed_in.storage_state())
    page = context.new_page()
    came: list[Any] = []
    page.on("response", lambda response: came.append(response))
    page.goto("/", wait_until="networkidle")
    page.locator('.live[data-s="on"]').wait_for()
    sizes = {response.url: response.request.sizes()["responseBodySize"] for response in came}
    # A headless browser fetches no icon.
    icon = page.request.get(page.locator('link[rel="icon"]').get_attribute("href"))
    sizes[icon.url] = int(icon.headers["content-length"])
    context.close()
    of_page = sizes.pop(f"{instance.url}/")
    note = f"the page {of_page / 1024:.1f}, {len(sizes)} files beside it"
    total = (of_page + sum(sizes.values())) / 1024
    return Row("screen", "first load of the overview", "KiB", "less", total, goals=(Goal(45),), note=note)


def _until_seen(page: Any, instance: Instance, *, times: int) -> Row:
    """From just before an alert is sent to the frame that paints the new count; the slowest of so many."""
    took = []
    moments = random.Random(1)  # anywhere within the publisher's second
    for number in range(times):
        page.evaluate(f"() => {{ window.seen = ({SEEN_AT})(); }}")
        time.sleep(1 + moments.random())
        sent = time.time()
        requests.post(f"{instance.url}/api/v1/events", json={"title": f"seen {number}"}, timeout=10).raise_for_status()
        took.append(page.evaluate("window.seen") - sent)
    return Row(
        "screen", f"from an event to the overview, the slowest of {times}", "s", "less", max(took),
        goals=(Goal(1.5),), note=f"median {statistics.median(took):.2f} s",
    )  # fmt: skip


def _main_thread(page: Any, instance: Instance, *, seconds: float) -> Row:
    """The processor's time of the page's main thread while events flow, by Chromium's own account."""
    devtools = page.context.new_cdp_session(page)
    # The thread's own time: that of a clock would count what other programs take of a busy machine.
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    stop = threading.Event()
    sending = threading.Thread(target=_send, args=(instance, stop))
    sending.start()
    try:
        page.wait_for_timeout(2000)
        before, begin = _metrics(devtools), time.monotonic()
        page.wait_for_timeout(1000 * seconds)
        after, lasted = _metrics(devtools), time.monotonic() - begin
    finally:
        stop.set()
        sending.join()
    per_second = {name: 1000 * (after[name] - before[name]) / lasted for name in after if name.endswith("Duration")}
    parts = ("Script", "Layout", "RecalcStyle")
    shown = ", ".join(f"{name.lower()} {per_second[f'{name}Duration']:.1f}" for name in parts)
    return Row(
        "screen", f"the overview's main thread at {RATE} events/s", "ms/s", "less", per_second["TaskDuration"],
        goals=(Goal(30),), note=f"of these {shown}",
    )  # fmt: skip


def _metrics(devtools: Any) -> dict[str, float]:
    return {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}


def _send(instance: Instance, stop: threading.Event) -> None:
    """Alerts, some of which fail, in ten bodies a second."""
    with requests.Session() as session:
        bodies = corpus.lines(1000)
        while not stop.wait(0.1):
            body, bodies = b"\n".join(bodies[: RATE // 10]), bodies[RATE // 10 :] or corpus.lines(1000)
            headers = {"Content-Type": "application/x-ndjson"}
            session.post(f"{instance.url}/api/v1/events", data=body, headers=headers, timeout=30)
