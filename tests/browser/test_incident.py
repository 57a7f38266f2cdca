"""An incident from its alarm to its outcome, through the pages alone (issue 8, X1 to X4).

An outage makes orders fail in three ways, one source sends events that kill their workers, and while the rest is put
back new orders fail for the same cause. A ledger in a real database says what was really done: each order once, none of
the late ones, and the poison stays where it is.
"""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import admin_of
from tests.flows.test_kill_worker import QUEUES, send
from tests.instance import Instance
from tests.waiting import wait_until
from tests.workshop.incident import OUTAGE, TABLE

OpenPage = Callable[..., Page]

#: Poison events of the one source. Each takes three workers with it, 2 s of a core apiece to start anew.
POISON, SOME_POISON = 15, 4
#: Numbers of orders that fail while the replay runs begin here.
LATE = 1_000_000
#: Programs that are killed while the replay runs, each when this share of the set was released.
KILLS = (("maintain", 0.1), ("worker-1", 0.3), ("web", 0.5), ("maintain", 0.7))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One of its own: with the orders' handler, and leases short enough to wait for."""
    running = Instance(
        tmp_path_factory.mktemp("incident"),
        WORKERS="2",
        LEASE_SECONDS="2",
        INGEST_HANDLERS="tests.workshop.incident.KINDS",
    )
    try:
        running.start()
        with _database(running) as database:
            database.execute(f"CREATE TABLE {TABLE} (number integer)")
        yield running
    finally:
        running.discard()


@pytest.fixture(scope="module")
def session(browser: Browser, instance: Instance) -> dict[str, object]:
    return admin_of(instance, browser)


class Incident:
    """What the world does meanwhile, and what is true in the end."""

    def __init__(self, instance: Instance, name: str, orders: int, first: int, scans: int = POISON) -> None:
        self.instance, self.orders, self.scans = instance, orders, scans
        self.shop, self.scanner = f"shop-{name}", f"scanner-{name}"
        self.numbers = range(first, first + orders)
        self.late: list[str] = []
        self.poison: list[str] = []

    def begin(self) -> None:
        """The outage, and all that fails in it; until the page has it."""
        (self.instance.home / OUTAGE).touch()
        for start in range(0, self.orders, 1_000):
            some = self.numbers[start : start + 1_000]
            send(self.instance, [{"kind": "order", "source": self.shop, "number": n} for n in some])
        scans: list[dict[str, object]] = [{"kind": "scan", "source": self.scanner} for _ in range(self.scans)]
        self.poison = send(self.instance, scans)
        wait_until(
            lambda: len(self.dead(self.orders + self.scans)) >= self.orders + self.scans,
            seconds=60 + self.orders / 20,
            what="all dead letters",
        )

    def end(self) -> None:
        (self.instance.home / OUTAGE).unlink()

    def fail_late(self, count: int) -> None:
        """New orders fail for the same causes."""
        first = LATE + len(self.late) + self.numbers.start
        events: list[dict[str, object]] = [
            {"kind": "order", "source": self.shop, "number": first + n, "late": True} for n in range(count)
        ]
        self.late += send(self.instance, events)

    def dead(self, least: int = 0) -> set[str]:
        """Nothing while there are fewer than `least`, which costs little to ask."""
        with closing(self.instance.redis()) as client:
            if sum(int(client.zcard(f"rq:failed:{queue}")) for queue in QUEUES) < least:
                return set()
            ids = [job.decode() for queue in QUEUES for job in client.zrange(f"rq:failed:{queue}", 0, -1)]
            pipe = client.pipeline(transaction=False)
            for job in ids:
                pipe.hget(f"rq:job:{job}", "source")
            ours = {self.shop.encode(), self.scanner.encode()}
            return {job for job, source in zip(ids, pipe.execute(), strict=True) if source in ours}

    def check(self) -> None:
        """Each order was processed once, the late ones are untouched, and the poison is dead."""
        known = {*self.poison, *self.late}
        wait_until(lambda: known <= self.dead(), what="the late orders' ends")
        with _database(self.instance) as database:
            done = database.execute(
                f"SELECT number, COUNT(*) FROM {TABLE} WHERE number >= ? AND number < ? GROUP BY number",  # noqa: S608
                (self.numbers.start, self.numbers.stop),
            ).fetchall()
            late = database.execute(f"SELECT COUNT(*) FROM {TABLE} WHERE number >= ?", (LATE,)).fetchone()  # noqa: S608
        assert [number for number, times in done if times != 1] == [], "processed more than once"
        assert {number for number, _ in done} == set(self.numbers), "not processed"
        assert late == (0,)
        # Whatever else is dead came late, too: a web process that is killed may have taken in what it did not confirm.
        with closing(self.instance.redis()) as client:
            assert not any(client.hexists(f"rq:job:{job}", "replay") for job in self.dead())
        assert self.instance.manage("verify")


def _database(instance: Instance) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(instance.home / "queueadmin.sqlite3", timeout=60, isolation_level=None))


def triage(page: Page, incident: Incident) -> None:
    """Four causes, one of them poison; the largest is taken up by somebody."""

    def are_shown() -> bool:
        page.goto(f"/dead-letters/?filter=source:{incident.shop},{incident.scanner}")
        return page.locator(".groups a").count() == 4

    wait_until(are_shown, seconds=60 + incident.orders / 100, what="the four causes")
    expect(page.locator(".groups")).to_contain_text("poison")
    open_cause(page, incident)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#cause")).to_contain_text("acknowledged")
    page.get_by_text("Note and assignee").click()
    page.get_by_label("Note", exact=True).fill("the ledger's database was restarted")
    page.get_by_role("button", name="Keep note").click()
    expect(page.locator(".said-of")).to_contain_text("the ledger's database was restarted")


def open_cause(page: Page, incident: Incident) -> None:
    page.goto(f"/dead-letters/?filter=source:{incident.shop},{incident.scanner}")
    page.locator(".groups a").filter(has_text="ConnectionRefusedError").click()
    expect(page.locator("#cause")).to_be_visible()


def begin_replay(page: Page, incident: Incident, step_seconds: int) -> None:
    """Everything of the two sources, a canary first; the poison is left out by itself."""
    page.goto(f"/dead-letters/?filter=source:{incident.shop},{incident.scanner}")
    page.get_by_role("link", name=re.compile("^Replay ")).first.click()
    expect(page.get_by_role("heading", name=re.compile("dead letters match"))).to_be_visible()
    page.get_by_label("Canary").fill("10")
    page.get_by_label("Then").select_option("1, 5, 20, 100, then as fast as it goes")
    page.get_by_label("Each rate holds").fill(str(step_seconds))
    page.get_by_label("Why").fill("the ledger is back")
    page.get_by_role("button", name=re.compile("^Begin with ")).click()
    expect(page.locator("h1")).to_have_text(re.compile(r"^Replay \d+$"))


def run(page: Page, incident: Incident, *, step_seconds: int, patience: int, kills: bool = False) -> None:
    incident.begin()
    triage(page, incident)
    incident.end()
    begin_replay(page, incident, step_seconds)
    number = int(page.url.rstrip("/").rpartition("/")[2])
    meanwhile = Meanwhile(incident, number, KILLS if kills else ())
    with meanwhile:
        tally = page.locator(".tally")
        expect(tally).to_have_text(
            f"Of {incident.orders:,}: {incident.orders:,} succeeded; {incident.scans} jobs left out, being poison.",
            timeout=patience * 1_000,
        )
    assert meanwhile.left == [], "not killed in the middle of the replay"
    expect(page.get_by_text("done", exact=True).first).to_be_visible()
    assert incident.late
    incident.check()
    # The next incident on this instance makes it regress, and is acknowledged anew.
    open_cause(page, incident)
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("#cause")).to_contain_text("resolved")


class Meanwhile(threading.Thread):
    """While the replay runs new orders fail, and programs are killed as it goes on."""

    def __init__(self, incident: Incident, number: int, kills: Sequence[tuple[str, float]]) -> None:
        super().__init__()
        self.incident, self.number = incident, number
        self.left = list(kills)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.2):
            if len(self.incident.late) < 60:
                # A web process that was just killed takes nothing in.
                with suppress(requests.ConnectionError, requests.ReadTimeout):
                    self.incident.fail_late(3)
            if self.left and self._released() >= self.left[0][1] * self.incident.orders:
                self.incident.instance.kill(self.left.pop(0)[0])

    def _released(self) -> int:
        with _database(self.incident.instance) as database:
            row = database.execute("SELECT released FROM console_replay WHERE id = ?", (self.number,)).fetchone()
        return int(row[0])

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def test_x1_an_incident_is_triaged_and_replayed_through_the_page_alone(page: Page, instance: Instance) -> None:
    run(page, Incident(instance, "small", 300, 0, SOME_POISON), step_seconds=1, patience=60)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_x1_an_incident_of_20_000_is_triaged_and_replayed_through_the_page_alone(
    page: Page, instance: Instance
) -> None:
    run(page, Incident(instance, "large", 20_000, 100_000), step_seconds=5, patience=900)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_x1_the_same_with_maintenance_worker_and_web_killed_in_the_middle(
    browser: Browser, instance: Instance, session: dict[str, object]
) -> None:
    # Not the fixture's page: while the web process is away, the browser says that it cannot reach it.
    context = browser.new_context(base_url=instance.url, storage_state=session)  # type: ignore[arg-type]
    try:
        run(
            context.new_page(),
            Incident(instance, "killed", 20_000, 200_000),
            step_seconds=5,
            patience=900,
            kills=True,
        )
    finally:
        context.close()
