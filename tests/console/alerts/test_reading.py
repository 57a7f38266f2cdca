"""Problems by filter, page by page, on both databases: issue 5 (4)."""

from datetime import datetime

import pytest

from ingest.models import Alert
from ingest.reading.cursors import BadCursor
from queueadmin.console import alerts
from queueadmin.console.alerts import reading
from queueadmin.console.filters import FilterError
from tests.console.conftest import report

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def problems() -> None:
    """From the oldest change to the newest: a, b, c, d."""
    report("a" * 32, minutes_ago=200, title="Disk full on db-1", labels={"host": "db-1", "team": "core"})
    report("b" * 32, minutes_ago=100, title="Latency 100%", priority="critical", source="grafana", tenant="acme")
    report("c" * 32, minutes_ago=60, title="disk failed", labels={"host": "db-10", "note": "a=b"})
    report("d" * 32, minutes_ago=50, title="swap", priority="low", labels={"host": "db_1"})
    report("d" * 32, "resolve", minutes_ago=10)
    report("c" * 32, "acknowledge", minutes_ago=30)


def found(text: str, **more: str) -> str:
    return "".join(alert.identity[0] for alert in alerts.page(alerts.chosen(text), limit=10, **more).items)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "dcba"),
        ("state:open", "cba"),
        ("state:triggered", "ba"),
        ("state:resolved,acknowledged", "dc"),
        ("-state:open", "d"),
        ("severity:critical,low", "db"),
        ("source:grafana", "b"),
        ("-source:grafana tenant:acme", ""),
        ("tenant:acme", "b"),
        (f"id:{'a' * 32}", "a"),
        ("label.host:db-1", "a"),
        ("label.host:db-1,db-10", "ca"),
        ("-label.host:db-1", "dcb"),
        ("label.note:a=b", "c"),
        ('label.host:""', "b"),
        ("disk", "ca"),
        ("-disk", "db"),
        ("100%", "b"),
        ("db_1", "d"),
        ("since:40m", "dc"),
        ("older:40m", "ba"),
        ("until:40m since:150m", "b"),
    ],
)
def test_a_filter(text: str, expected: str) -> None:
    assert found(text) == expected


def test_a_tenant_s_own_alone() -> None:
    assert found("", tenant="acme") == "b"
    assert found("tenant:acme", tenant="other") == ""
    assert alerts.counts(tenant="acme") == {"triggered": 1, "acknowledged": 0, "resolved": 0}
    assert alerts.find("a" * 32, tenant="acme") is None
    assert alerts.find("b" * 32, tenant="acme") is not None


def test_counts_and_what_is_newer() -> None:
    assert alerts.counts() == {"triggered": 2, "acknowledged": 1, "resolved": 1}
    changed = alerts.page(alerts.chosen("state:acknowledged"), limit=1).items[0].changed_at
    assert isinstance(changed, datetime)
    assert alerts.newer(alerts.chosen(""), changed) == 1


@pytest.mark.parametrize("near", [1, 2, 3])
@pytest.mark.parametrize("text", ["disk", "label.host:db-1,db-10", "severity:high,low", "state:open disk"])
def test_what_is_not_near_is_found_by_reading_everything(monkeypatch: pytest.MonkeyPatch, text: str, near: int) -> None:
    whole = found(text)
    monkeypatch.setattr(reading, "NEAR", near)
    assert found(text) == whole
    first = alerts.page(alerts.chosen(text), limit=1)
    rest = alerts.page(alerts.chosen(text), limit=5, cursor=first.next or "")
    assert "".join(alert.identity[0] for alert in [*first.items, *rest.items]) == whole


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_hold_each_once(limit: int) -> None:
    seen, cursor = [], ""
    while True:
        page = alerts.page(alerts.chosen(""), cursor=cursor, limit=limit)
        seen += [alert.identity[0] for alert in page.items]
        if page.next is None:
            break
        cursor = page.next
    assert "".join(seen) == "dcba"


def test_those_that_changed_in_one_instant_are_in_the_order_of_their_keys() -> None:
    at = alerts.page(alerts.chosen(""), limit=1).items[0].changed_at
    for identity in ("e", "f"):
        report(identity * 32, "resolve", minutes_ago=0)
    Alert.objects.filter(identity__in=("e" * 32, "f" * 32)).update(resolved_at=at)
    first = alerts.page(alerts.chosen("state:resolved"), limit=1)
    assert first.next
    rest = alerts.page(alerts.chosen("state:resolved"), cursor=first.next, limit=5)
    assert "".join(alert.identity[0] for alert in [*first.items, *rest.items]) == "fed"


@pytest.mark.parametrize(
    "cursor", ["x", "%%%", "MjAyNi0xMS0yMiBh", "é", "a" * 5000, "MjAyNi0xMS0yMlQwMDowMDowMCswMDowMCA"]
)
def test_a_cursor_of_nobody_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        alerts.page(alerts.chosen(""), cursor=cursor, limit=5)


def test_a_key_that_alerts_do_not_have_is_named() -> None:
    for text in ("queue:high", "state:failed", "label:x", "payload.x:1"):
        with pytest.raises(FilterError) as refused:
            alerts.chosen(text)
        assert text.partition(":")[0].partition(".")[0] in str(refused.value)
    assert str(alerts.chosen("-label.host:db-1,x state:open")) == "-label.host:db-1,x state:open"


def test_credentials_are_masked() -> None:
    alert = report("e" * 32, title="token sk_live_0123456789abcdef", labels={"api_key": "hunter2", "host": "db-1"})
    shown = alerts.shown(alert)
    assert "hunter2" not in str(shown)
    assert shown["labels"]["host"] == "db-1"


def test_reports_are_the_newest_first() -> None:
    assert [each.get_action_display() for each in alerts.reports("d" * 32, 5)] == ["Resolve", "Trigger"]
