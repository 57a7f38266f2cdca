"""/api/docs/: the description for people. Offline, without scripts, and its commands work."""

import html
import re
import shlex
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import redis
from django.test import Client

from ingest.kinds import tasks
from queueadmin.console.access.permissions import PERMISSIONS
from queueadmin.console.openapi import schema
from tests.console.api.conftest import problem_of, with_key  # noqa: F401 - a fixture
from tests.console.conftest import Jobs
from tests.console.openapi.conftest import operations
from tests.console.pages.conftest import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def anybody(empty_redis: redis.Redis) -> Client:
    return Client(headers={"host": "localhost:8000"}, REMOTE_ADDR="192.0.2.7")


def test_it_is_open_to_everybody_and_shows_every_operation_and_shape(anybody: Client) -> None:
    page = anybody.get("/api/docs/")
    assert page.status_code == 200
    text, document = text_of(page), schema.document()
    for path, _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in text
        assert html.escape(path) in text
    for name in document["components"]["schemas"]:
        assert f'id="shape-{name}"' in text


def test_every_link_on_it_leads_somewhere(anybody: Client) -> None:
    text = text_of(anybody.get("/api/docs/"))
    named = re.findall(r'id="([^"]+)"', text)
    assert len(named) == len(set(named))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(named)


def test_it_loads_nothing_from_elsewhere_and_has_no_inline_code(anybody: Client) -> None:
    page = anybody.get("/api/docs/")
    text = text_of(page)
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    assert not re.search(r"<style|style=|<script(?! src=)|\son\w+=", text)


def test_it_is_read_only(anybody: Client) -> None:
    problem_of(anybody.post("/api/docs/"), 405, "method_not_allowed")


def test_its_commands_work(
    anybody: Client,
    jobs: Jobs,
    with_key: Callable[..., Client],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each as it stands, with a key, on a job that waits."""
    monkeypatch.setattr(tasks, "TYPES", {})
    tasks.task("demo-report")(lambda given, context: None)
    client = with_key("ingest,read,admin")
    commands = [
        html.unescape(each)
        for each in re.findall(r'aria-label="Command">(.*?)</pre>', text_of(anybody.get("/api/docs/")), re.DOTALL)
    ]
    assert len(commands) == len(operations(schema.document()))
    for command in commands:
        (job_id,) = jobs.enqueue()
        _, address, *options = shlex.split(command.replace("$ID", job_id))
        assert address.startswith("http://localhost:8000/")
        given = dict(zip(options[::2], options[1::2], strict=True))
        parts = urlsplit(address)
        at = f"{parts.path}?{parts.query}" if parts.query else parts.path
        method = given.get("-X", "POST" if "-d" in given else "GET")
        answer = client.generic(method, at, given.get("-d", ""), content_type="application/json")
        # Some need a job that is elsewhere, a batch, an alert, a dead letter, a worker, or a schedule not deleted yet.
        assert answer.status_code in (200, 202, 404, 409), (command, answer.content)
        if answer.status_code == 404:
            absent = ("/batches/", "/alerts/", "/schedules/", "/workers/", "/dlq/", "/replays/", "/audit/")
            assert any(part in at for part in absent)


def test_each_operation_for_people_names_the_permission_that_it_takes(anybody: Client) -> None:
    """Issue 7.4: as its view asks for it, so that the two cannot differ."""
    text = text_of(anybody.get("/api/docs/"))
    asked = re.findall(r"or a session with (\S*?)\.(?=[ <])", text)
    assert set(asked) <= {each.name for each in PERMISSIONS}
    assert {"console.view_console", "console.view_audit", "console.kill_workers", "console.add_marks"} <= set(asked)
