"""Pages that were left open: through a restart of everything, without a socket, after their session."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Send, figure, live, settled, sign_in
from tests.conftest import wait_until
from tests.instance import Instance

OpenPage = Callable[..., Page]


@contextmanager
def _everything_killed(instance: Instance) -> Iterator[None]:
    """kill -9 of all at once; on leaving, all of it starts again on the same addresses."""
    running = instance.pids()
    (supervisor,) = (each.pid for each in instance.alive() if each.name == "supervisord")
    os.kill(supervisor, signal.SIGSTOP)
    try:
        for pid in running.values():
            os.kill(pid, signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)
        wait_until(lambda: instance.pids().keys() == running.keys() and instance.answers("/readyz"), what="the restart")


def test_pages_left_open_through_a_restart_of_everything_come_back_live_by_themselves(
    open_page: OpenPage, send: Send, instance: Instance, complaints: list[str]
) -> None:
    """Issue 7, done when."""
    overview, workers = open_page(), open_page()
    for page, path in ((overview, "/"), (workers, "/workers/")):
        page.goto(path)
        live(page)
        page.evaluate("window.same = true")
    before = settled(overview, "enqueued")
    with _everything_killed(instance):
        for page in (overview, workers):
            expect(page.locator(".live")).to_contain_text("s old, reconnecting")
        assert figure(overview, "enqueued") == before
    for page in (overview, workers):
        live(page)
        assert page.evaluate("window.same"), "the page was loaded again"
    send()
    expect(overview.locator('[data-k="enqueued"]')).to_have_text(f"{before + 1:,}")
    complaints.clear()  # the browser's own of the server that was away


def test_without_a_socket_the_numbers_come_every_few_seconds_and_the_page_says_so(
    open_page: OpenPage, send: Send, complaints: list[str]
) -> None:
    """Issue 7, point 6: a proxy may let no WebSocket through."""
    page = open_page()
    page.route_web_socket("**/ws/console/*", lambda socket: socket.close(code=1011))
    page.goto("/")
    expect(page.locator(".live")).to_have_text("every 5 s")
    before = settled(page, "enqueued")
    send()
    expect(page.locator('[data-k="enqueued"]')).to_have_text(f"{before + 1:,}")
    expect(page.locator("#live-said")).to_have_text("No live connection; the numbers come every 5 s")
    complaints.clear()


@pytest.mark.parametrize("has_socket", [True, False], ids=["socket", "polling"])
def test_a_page_whose_session_ends_goes_to_the_sign_in_which_says_why(
    open_page: OpenPage, instance: Instance, has_socket: bool, complaints: list[str]
) -> None:
    page = open_page(signed_in=False)
    if not has_socket:
        page.route_web_socket("**/ws/console/*", lambda socket: socket.close(code=1011))
    sign_in(page)
    page.goto("/workers/?x=1")
    expect(page.locator(".live")).to_have_text("live" if has_socket else "every 5 s")
    token = page.locator("input[name=csrfmiddlewaretoken]").first.get_attribute("value")
    assert page.request.post("/logout/", form={"csrfmiddlewaretoken": str(token)}).ok
    expect(page).to_have_url("/login/?ended=1&next=%2Fworkers%2F%3Fx%3D1")
    expect(page.get_by_role("status")).to_have_text("Your session has ended. Sign in to go on where you were.")
    complaints.clear()


def test_a_page_of_an_older_version_loads_itself_anew_once_and_then_leaves_it_to_the_reader(
    open_page: OpenPage,
) -> None:
    page = open_page()
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url) if request.is_navigation_request() else None)

    def other_release(line: WebSocketRoute) -> None:
        server = line.connect_to_server()
        server.on_message(lambda text: line.send(str(text).replace('"release": "', '"release": "another-', 1)))

    page.route_web_socket("**/ws/console/*", other_release)
    page.goto("/workers/")
    expect(page.locator("#toast")).to_contain_text("queueadmin was updated. Reload the page")
    assert len(loads) == 2
    live(page)
