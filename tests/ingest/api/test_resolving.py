"""Rule 9: a resolve takes the priority of its open alert, else its own severity, else low; on both faces."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from ingest.api import resolving
from ingest.kinds.alerts import identity
from ingest.models import Alert
from ingest.problems import open_priorities
from tests.ingest.api.conftest import EVENTS, Post

MakeKey = Callable[..., str]
EVENT = {"source": "prometheus", "dedup_key": "disk/db-04", "title": "ok again", "action": "resolve"}


def alert(priority: str = "critical", state: str = "triggered", tenant: str = "", **event: Any) -> None:
    """A problem as alerts leave it."""
    said = {**EVENT, **event}
    now = datetime.now(UTC)
    moments = {
        "triggered": {"triggered_at": now, "opened_at": now},
        "acknowledged": {"triggered_at": now, "opened_at": now, "acknowledged_at": now},
        "resolved": {"triggered_at": now, "resolved_at": now},
    }[state]
    Alert.objects.update_or_create(
        identity=identity(tenant, said["source"], said),
        defaults={"priority": priority, "first_seen": now, "last_seen": now, "described_at": now, **moments},
    )


def resolve(post: Post, **more: Any) -> tuple[str, str]:
    receipt = post(EVENTS, {**EVENT, **more}).json
    assert receipt["priority"] == receipt["queue"]
    return receipt["priority"], receipt["severity"]["by"]


@pytest.mark.parametrize("state", ["triggered", "acknowledged"])
def test_it_is_as_urgent_as_its_open_alert(post: Post, state: str) -> None:
    alert("critical", state)
    assert resolve(post) == ("critical", "open_alert")
    assert resolve(post, severity="info") == ("critical", "open_alert")
    alert("low", state)
    assert resolve(post, severity="critical") == ("low", "open_alert")


def test_without_one_its_own_severity_counts_and_else_it_is_low(post: Post) -> None:
    alert("critical", "resolved")
    alert("critical", dedup_key="another")
    alert("critical", tenant="acme")
    assert resolve(post) == ("low", "default")
    assert resolve(post, severity="warning") == ("medium", "source")


def test_an_explicit_priority_wins_and_a_trigger_asks_nothing(post: Post) -> None:
    alert("critical")
    assert resolve(post, priority="medium") == ("medium", "priority")
    assert resolve(post, action="trigger", severity="info") == ("low", "source")
    assert resolve(post, action="acknowledge", severity="info") == ("low", "source")


def test_no_more_than_the_key_allows(post: Post, make_key: MakeKey) -> None:
    alert("critical")
    headers = {"x-api-key": make_key("edge", "ingest", "--max-priority=medium")}
    receipt = post(EVENTS, {**EVENT, "severity": "page"}, headers=headers).json
    assert (receipt["priority"], [each["code"] for each in receipt["warnings"]]) == ("medium", ["priority_capped"])


def test_a_group_of_a_vendor_s_asks_once(post: Post) -> None:
    alerts = [
        {
            "status": "resolved",
            "labels": {"alertname": f"A{n}"},
            "fingerprint": f"f{n}",
            "startsAt": "2026-11-27T08:00:00Z",
        }
        for n in range(20)
    ]
    for n in range(0, 20, 2):
        alert("high", source="alertmanager", dedup_key=f"f{n}")
    with patch.object(resolving, "open_priorities", side_effect=open_priorities) as asked:
        answer = post("/api/v1/hooks/alertmanager", {"alerts": alerts}, headers={"prefer": "return=representation"})
    assert [item["priority"] for item in answer.json["items"]] == ["high", "low"] * 10
    assert asked.call_count == 1


@pytest.mark.both_databases
def test_it_is_one_query(transactional_db: None) -> None:
    alert("critical")
    wanted = [identity("", "prometheus", {**EVENT, "dedup_key": f"k{n}"}) for n in range(999)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert open_priorities([*wanted, identity("", "prometheus", EVENT)]) == {
            identity("", "prometheus", EVENT): "critical"
        }
    assert len(queries) == 1


def test_the_database_away_costs_it_nothing_but_that(post: Post) -> None:
    alert("critical")
    with patch.object(resolving, "open_priorities", side_effect=OperationalError("away")) as asked:
        assert [resolve(post) for _ in range(3)] == [("low", "default")] * 3
    assert asked.call_count == 1
    resolving.forget()
    assert resolve(post) == ("critical", "open_alert")
