"""The page /audit/ and its files: issue 7 (3)."""

import json
import re
from collections.abc import Callable

import pytest
import redis
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from queueadmin.console import audit
from queueadmin.console.audit.keeping import Keeper
from queueadmin.console.models import AuditEntry
from tests.console.audit.test_reading import began, did
from tests.console.conftest import Jobs
from tests.console.pages.conftest import HTMX, message_after, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]


def test_it_shows_who_what_how_many_why_and_the_outcome(operator: Client) -> None:
    did("<b>ada</b>", reason="give high the workers")
    began(2)
    page = text_of(operator.get("/audit/"))
    for text in ("&lt;b&gt;ada&lt;/b&gt;", "Pause", "give high the workers", "low is paused.", "process died"):
        assert text in page
    assert "<b>ada" not in page


@pytest.mark.parametrize("group", ["viewer", "operator", "admin"])
def test_x16_everybody_who_may_look_reads_it(group: str, sign_in: Callable[..., Client]) -> None:
    did()
    client = sign_in("eve", group)
    assert "low is paused." in text_of(client.get("/audit/"))
    assert b"low is paused." in b"".join(client.get("/audit/export.jsonl").streaming_content)  # type: ignore[arg-type]


def test_the_filter_is_in_the_address_and_a_wrong_one_is_named(operator: Client) -> None:
    did("ada")
    did("bob", "resume", "high", sentence="high goes on.")
    page = text_of(operator.get("/audit/", {"filter": "by:bob high", "action": "resume"}))
    assert "high goes on." in page
    assert "low is paused." not in page
    assert 'href="/audit/?filter=high&amp;action=resume"' in page  # the page without the first term
    assert 'href="/audit/export.csv?filter=by%3Abob+high&amp;action=resume"' in page
    assert "No entry matches this filter." in text_of(operator.get("/audit/?filter=nothing-like-it"))
    wrong = operator.get("/audit/?filter=queue:high")
    assert wrong.status_code == 422
    assert "there is no key queue" in text_of(wrong)
    assert operator.get("/audit/export.csv?filter=queue:high").status_code == 422
    assert operator.get("/audit/?cursor=x").status_code == 404
    assert operator.get("/audit/export.xls").status_code == 404


def test_pages_follow_and_new_ones_wait_behind_a_button(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueadmin.console.pages.audit.PAGE_SIZE", 2)
    for number in range(3):
        did(target=f"queue-{number}")
    first = text_of(operator.get("/audit/"))
    assert "queue-2" in first
    assert "queue-0" not in first
    older = first.split('rel="next" href="')[1].split('"')[0]
    assert "queue-0" in text_of(operator.get(older))
    seen = timezone.now().isoformat()
    did()
    assert "1 new" in text_of(operator.get("/audit/", {"since": seen}, headers=HTMX))
    assert "new" not in text_of(operator.get("/audit/", {"since": timezone.now().isoformat()}, headers=HTMX))
    assert operator.get("/audit/", {"since": "yesterday"}, headers=HTMX).status_code == 404


def test_it_says_whether_the_chain_holds(operator: Client, empty_redis: redis.Redis) -> None:
    assert "Not checked yet" in text_of(operator.get("/audit/"))
    did()
    Keeper(empty_redis).step()
    page = text_of(operator.get("/audit/"))
    assert "Chain intact:" in page
    assert "2 entries since" in page
    AuditEntry.objects.filter(step="outcome").update(actor="somebody else")
    Keeper(empty_redis).step()
    assert "Chain broken:" in text_of(operator.get("/audit/"))


def test_a_discard_is_undone_from_here(operator: Client, jobs: Jobs, sign_in: Callable[..., Client]) -> None:
    ids = jobs.fail(2)
    operator.post("/dead-letters/discard/", {"ids": ids})
    page = text_of(operator.get("/audit/"))
    assert 'aria-label="Undo: bring back' in page
    assert 'aria-label="Undo: bring back' not in text_of(sign_in("eve", "viewer").get("/audit/"))
    path = re.findall(r'action="(/undo/[0-9a-f]{32}/)"', page)[0]
    said = message_after(operator, operator.post(path, {"next": "/audit/"}))
    assert "2 jobs restored" in said
    assert 'aria-label="Undo: bring back' not in text_of(operator.get("/audit/"))


def test_files_are_streamed(operator: Client) -> None:
    for number in range(300):
        did(target=f"queue-{number}")
    response = operator.get("/audit/export.csv?filter=by:ada")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="audit-')
    parts = list(response.streaming_content)  # type: ignore[attr-defined]
    assert len(parts) == 2
    assert b"".join(parts).count(b"\n") == 301


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_files_are_streamed_by_the_server_as_well(operator: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    await sync_to_async(did)()
    client = AsyncClient()
    client.cookies = operator.cookies
    response = await client.get("/audit/export.jsonl")
    assert response.is_async
    text = b"".join([part async for part in response.streaming_content])  # type: ignore[attr-defined]
    assert json.loads(text)["outcome"] == "low is paused."


def test_without_redis_it_is_whole_and_says_who_checks_the_chain(operator: Client, settings: Settings) -> None:
    settings.REDIS = False
    did()
    page = text_of(operator.get("/audit/"))
    assert "Not checked here:" in page
    assert "low is paused." in page


def test_without_the_database_it_says_so(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("no database")

    monkeypatch.setattr(audit, "page", away)
    response = operator.get("/audit/")
    assert response.status_code == 503
    assert "The database does not answer" in text_of(response)
