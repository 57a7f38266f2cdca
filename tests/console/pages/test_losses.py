"""A loss of Redis stands on every page, and is gone when somebody has understood."""

from typing import Any

import pytest
import redis
from django.test import Client

from ingest.maintenance import mirror
from queueadmin.console.models import AuditEntry
from tests.console.conftest import lose, outcome
from tests.console.pages.conftest import HTMX, said, text_of

pytestmark = pytest.mark.django_db


def test_e3_it_stands_on_every_page_and_in_health_until_an_operator_has_understood(
    operator: Client, empty_redis: redis.Redis
) -> None:
    row = lose(waiting=1234, missing=1234)
    sentence = "Redis came back empty: it held 1,234 jobs (1,234 waiting)."
    for path in ("/", "/dead-letters/", "/account/", "/queues/low/empty/"):
        page = text_of(operator.get(path))
        assert sentence in page, path
        assert "Understood</button>" in page, path
        assert f'name="loss" value="{row.pk}"' in page, path
    health = operator.get("/health")
    assert health.status_code == 200
    assert (health.json()["status"], health.json()["reasons"][0]) == ("degraded", sentence)
    assert operator.get("/api/v1/queues").status_code == 200
    assert said(operator.post("/loss/understood/", {"loss": row.pk}, headers=HTMX)) == "Noted who has understood it."
    assert (outcome().actor, outcome().action, outcome().target) == ("ada", "acknowledge_loss", f"loss {row.pk}")
    row.refresh_from_db()
    assert row.acknowledged_by == "ada"
    assert sentence not in text_of(operator.get("/"))
    assert mirror.open_loss() is None
    again = operator.post("/loss/understood/", {"loss": row.pk}, headers=HTMX)
    assert "Somebody had understood it before" in said(again)


@pytest.mark.parametrize("loss", ["", "0", "x", "9" * 30])
def test_a_loss_that_there_is_not_is_no_page(loss: str, operator: Client) -> None:
    assert operator.post("/loss/understood/", {"loss": loss}).status_code == 404
    assert not AuditEntry.objects.exists()


def test_a_viewer_reads_it_and_cannot_take_it_away(sign_in: Any, empty_redis: redis.Redis) -> None:
    lose(waiting=5, missing=5)
    page = text_of(sign_in("vera", "viewer").get("/dead-letters/"))
    assert "it held 5 jobs" in page
    assert "Understood</button>" not in page
