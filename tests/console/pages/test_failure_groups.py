"""What people say of a cause, by the buttons of its page (issue 8 part 2)."""

import re

import pytest
from django.test import Client

from queueadmin.console import operations
from queueadmin.console.failures import Indexer
from queueadmin.console.models import Failure, FailureGroup
from tests.console.conftest import Jobs, outcome
from tests.console.dead_letters.conftest import fail
from tests.console.failures.conftest import indexer
from tests.console.pages.conftest import HTMX, message_after, text_of

__all__ = ["indexer"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def group(indexer: Indexer, jobs: Jobs) -> str:
    """The cause of two dead letters, indexed."""
    fail(jobs, 2, message="device 17 is gone")
    indexer.step()
    return Failure.objects.all()[0].fingerprint


def test_a_cause_is_acknowledged_resolved_and_opened_again(operator: Client, group: str) -> None:
    page = text_of(operator.get(f"/dead-letters/{group}/"))
    assert ">Acknowledge<" in page
    for verb, said in (("acknowledge", "acknowledged"), ("resolve", "resolved"), ("reopen", "open")):
        response = operator.post(f"/dead-letters/{group}/{verb}/")
        assert response["Location"] == f"/dead-letters/{group}/"
        assert f"ValueError is {said}." in message_after(operator, response)
        assert (outcome().actor, outcome().target) == ("ada", f"group {group}")
    assert "open by ada" in text_of(operator.get(f"/dead-letters/{group}/"))


def test_an_open_page_hears_what_colleagues_say_of_its_cause(operator: Client, group: str) -> None:
    """It asks again by itself; what it showed was of when it was opened."""
    asks = re.search(
        r'id="said-of"[^>]* hx-get="([^"]+)"[^>]* hidden', text_of(operator.get(f"/dead-letters/{group}/"))
    )
    assert asks is not None
    operations.resolve_group(group, actor="bob")
    part = text_of(operator.get(asks[1], headers=HTMX))
    assert "resolved by bob" in part
    assert '<span id="cause-state" hx-swap-oob="true"><span class="st resolved">' in part
    assert "<form" not in part  # where somebody may be writing
    assert operator.get("/dead-letters/nothing/?part=said", headers=HTMX).status_code == 404


def test_a_note_and_an_assignee_are_kept_and_shown(operator: Client, group: str) -> None:
    operator.post(f"/dead-letters/{group}/note/", {"note": "see <b>#8</b>"})
    operator.post(f"/dead-letters/{group}/assign/", {"assignee": "ada"})
    page = text_of(operator.get(f"/dead-letters/{group}/"))
    assert "see &lt;b&gt;#8&lt;/b&gt;" in page
    assert "<b>ada</b> has it" in page
    refused = operator.post(f"/dead-letters/{group}/assign/", {"assignee": "nobody at all"}, headers=HTMX)
    assert refused.status_code == 422
    refused = operator.post(f"/dead-letters/{group}/note/", {"note": "mine", "was": "what I saw"})
    assert "changed the note meanwhile, so yours was not kept: mine" in message_after(operator, refused)
    assert operator.post(f"/dead-letters/{group}/note/", {"note": "x" * 2001}, headers=HTMX).status_code == 422
    assert FailureGroup.objects.get(pk=group).note == "see <b>#8</b>"
