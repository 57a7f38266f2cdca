"""Issue 5, points 1 and 2: each vendor's documented body, with its priority, on both faces."""

import json
from typing import Any

import pytest
import redis

from ingest.api import intake
from ingest.api.hooks import HOOKS
from ingest.api.intake import Head, Taken
from ingest.api.keys import KEYLESS
from ingest.api.schema import Rejected
from ingest.queue.payload import decode
from tests.ingest.api.conftest import Post, stored_ids
from tests.ingest.api.hooks.conftest import NAMES, body, endpoint

#: Fixture → of each alert its priority, action, severity's own word and dedup_key.
TABLE: dict[str, list[tuple[str, str, str | None, Any]]] = {
    "alertmanager": [
        ("critical", "trigger", "critical", "6f1b7a0c2d9e4a53"),
        ("medium", "trigger", "warning", "0ab4f3c1e2d85977"),
        ("critical", "resolve", "page", "c5d0e1f2a3b49687"),
    ],
    "alertmanager-truncated": [("low", "trigger", "info", "11aa22bb33cc44dd")],
    "azure": [("high", "trigger", "Sev1", ...)],
    "azure-resolved": [("high", "resolve", "Sev1", ...)],
    "azure-sev0": [("critical", "trigger", "Sev0", "/subscriptions/1/alerts/2")],
    "azure-sev3": [("low", "trigger", "Sev3", "/subscriptions/1/alerts/3")],
    "checkly": [("high", "trigger", "ALERT_FAILURE", "9f6d1a52-1c3f-4f0e-8f9e-6f2f0b3f3c11")],
    "checkly-degraded": [("medium", "trigger", "ALERT_DEGRADED", "9f6d1a52-1c3f-4f0e-8f9e-6f2f0b3f3c11")],
    "checkly-recovery": [("low", "resolve", "ALERT_RECOVERY", "9f6d1a52-1c3f-4f0e-8f9e-6f2f0b3f3c11")],
    "checkmk": [("critical", "trigger", "CRITICAL", "srv-9 / Filesystem /")],
    "checkmk-host": [("critical", "trigger", "DOWN", "srv-8")],
    "checkmk-recovery": [("low", "resolve", "OK", "srv-9 / Filesystem /")],
    "checkmk-warning": [("medium", "trigger", "WARNING", "srv-9 / CPU load")],
    "cloudwatch": [("high", "trigger", "ALARM", "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:orders-5xx")],
    "cloudwatch-eventbridge": [("high", "trigger", "ALARM", "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:cpu")],
    "cloudwatch-insufficient": [("medium", "trigger", "INSUFFICIENT_DATA", ...)],
    "cloudwatch-ok": [("low", "resolve", "OK", "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:orders-5xx")],
    "cloudwatch-subscription": [],
    "cloudwatch-text": [("medium", "trigger", None, "Backup failed")],
    "datadog": [("critical", "trigger", "P1", "1f3a0b9c8d7e6f50")],
    "datadog-event": [("medium", "trigger", "warning", "1f3a0b9c8d7e6f50")],
    "datadog-number": [("high", "trigger", "2", "1f3a0b9c8d7e6f50")],
    "datadog-recovered": [("critical", "resolve", "P1", "1f3a0b9c8d7e6f50")],
    "enqueued": [("high", "trigger", "error", "host7/raid")],
    "enqueued-acknowledge": [("medium", "acknowledge", None, "host7/raid")],
    "enqueued-resolve": [("low", "resolve", None, "host7/raid")],
    "gcp": [("critical", "trigger", "Critical", "0.opqiw61fsv7p")],
    "gcp-closed": [("critical", "resolve", "Critical", "0.opqiw61fsv7p")],
    "gcp-error": [("high", "trigger", "Error", "0.bbbb")],
    "gcp-no-severity": [("medium", "trigger", None, "0.aaaa")],
    "generic": [("high", "trigger", "error", "backup:nas-1")],
    "generic-bare": [("medium", "trigger", None, None)],
    "generic-labels": [("critical", "trigger", "P1", None), ("low", "resolve", "low", None)],
    "grafana": [
        ("high", "trigger", "major", "57c6d9296de2ad39"),
        ("low", "resolve", None, "9f0e8d7c6b5a4321"),
    ],
    "grafana-legacy": [("high", "trigger", "high", "31")],
    "grafana-legacy-ok": [("high", "resolve", "high", "31")],
    "icinga": [("medium", "trigger", "UNKNOWN", "mail-1 / HTTP")],
    "nagios": [("critical", "trigger", "CRITICAL", "web-1 / HTTP")],
    "nagios-acknowledged": [("critical", "acknowledge", "CRITICAL", "web-1 / HTTP")],
    "nagios-flapping": [],
    "nagios-host": [("critical", "trigger", "DOWN", "web-1")],
    "nagios-recovery": [("low", "resolve", "OK", "web-1 / HTTP")],
    "nagios-unreachable": [("high", "trigger", "UNREACHABLE", "web-2")],
    "nagios-warning": [("medium", "trigger", "WARNING", "web-1 / Load")],
    "newrelic": [("critical", "trigger", "CRITICAL", "0ea2df1c-adab-45d2-aae0-042b609d2322")],
    "newrelic-closed": [("critical", "resolve", "CRITICAL", "0ea2df1c-adab-45d2-aae0-042b609d2322")],
    "newrelic-high": [("high", "trigger", "HIGH", "1ea2df1c")],
    "newrelic-legacy": [("medium", "trigger", "WARNING", "4242")],
    "opsgenie": [("high", "trigger", "P2", "052652ac-5d1c-464a-812a-7dd18bbfba8c-1795766400123")],
    "opsgenie-acknowledge": [("high", "acknowledge", "P2", "052652ac-5d1c-464a-812a-7dd18bbfba8c-1795766400123")],
    "opsgenie-close": [("high", "resolve", "P2", "052652ac-5d1c-464a-812a-7dd18bbfba8c-1795766400123")],
    "opsgenie-note": [],
    "pagerduty": [("critical", "trigger", "P1", "PINC042")],
    "pagerduty-acknowledged": [("critical", "acknowledge", "P1", "PINC042")],
    "pagerduty-ping": [],
    "pagerduty-resolved": [("critical", "resolve", "P1", "PINC042")],
    "pagerduty-urgency": [("low", "trigger", "low", "PINC042")],
    "posted": [("critical", "trigger", "critical", ...), ("medium", "resolve", "warning", ...)],
    "sentry-alert": [("high", "trigger", "error", "1170820999")],
    "sentry-issue": [("critical", "trigger", "fatal", "1170820242")],
    "sentry-metric": [("critical", "trigger", "critical", "metric_alert:4")],
    "sentry-metric-resolved": [("low", "resolve", None, "metric_alert:4")],
    "sentry-plugin": [("medium", "trigger", "warning", "31")],
    "sentry-resolved": [("critical", "resolve", "fatal", "1170820242")],
    "zabbix": [("high", "trigger", "4", "884213")],
    "zabbix-acknowledged": [("high", "acknowledge", "4", "884213")],
    "zabbix-disaster": [("critical", "trigger", "5", "884214")],
    "zabbix-resolved": [("high", "resolve", "4", "884213")],
}
#: Nobody can tell a repeat of these from a new occurrence: they have no time.
WITHOUT_ID = {
    "enqueued-acknowledge",
    "enqueued-resolve",
    "generic-bare",
    "generic-labels",
    "grafana-legacy",
    "grafana-legacy-ok",
    "sentry-resolved",
}


def read(name: str) -> Taken:
    return intake.read_body(endpoint(name), Head("json", "", {}), body(name), KEYLESS)


def test_each_vendor_has_fixtures_and_each_fixture_a_row() -> None:
    assert set(TABLE) == set(NAMES)
    assert {name.partition("-")[0] for name in NAMES} == {*HOOKS, "posted", "enqueued"}


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_in_our_words(name: str) -> None:
    taken = read(name)
    assert len(taken.items) == len(TABLE[name])
    for item, (priority, action, raw, key) in zip(taken.items, TABLE[name], strict=True):
        assert not isinstance(item, Rejected), item
        event = json.loads(item.body)
        assert (item.severity.mapped, event["action"], item.severity.raw) == (priority, action, raw)
        assert event.get("dedup_key") == key or key is ...
        assert item.source == (HOOKS.get(name.partition("-")[0]) or endpoint(name).hook).vendor  # type: ignore[union-attr]
        assert (item.event_id is None) == (name in WITHOUT_ID)
        assert not item.severity.unknown
        assert not item.warnings
        assert event["title"]
        assert isinstance(event["labels"], dict)


@pytest.mark.parametrize("name", NAMES)
def test_the_alert_itself_is_kept(name: str) -> None:
    """Byte for byte: numbers stay exact."""
    for item in read(name).events:
        assert json.loads(item.body)["payload"]
    if name == "newrelic":
        precise = body(name).replace(b'"totalIncidents": 1', b'"totalIncidents": 12345678901234567890.123456789012345')
        [event] = intake.read_body(endpoint(name), Head("json", "", {}), precise, KEYLESS).events
        assert b'"totalIncidents":12345678901234567890.123456789012345' in event.body


def test_a_resolve_is_about_the_same_problem_as_its_trigger() -> None:
    def problem(name: str, place: int = 0) -> Any:
        event = json.loads(read(name).events[place].body)
        return event["source"], event["dedup_key"]

    for trigger, *others in (
        ("azure", "azure-resolved"),
        ("checkly", "checkly-recovery"),
        ("checkmk", "checkmk-recovery"),
        ("cloudwatch", "cloudwatch-ok"),
        ("datadog", "datadog-recovered"),
        ("enqueued", "enqueued-acknowledge", "enqueued-resolve"),
        ("gcp", "gcp-closed"),
        ("grafana-legacy", "grafana-legacy-ok"),
        ("nagios", "nagios-acknowledged", "nagios-recovery"),
        ("newrelic", "newrelic-closed"),
        ("opsgenie", "opsgenie-acknowledge", "opsgenie-close"),
        ("pagerduty", "pagerduty-acknowledged", "pagerduty-resolved"),
        ("sentry-issue", "sentry-resolved"),
        ("sentry-metric", "sentry-metric-resolved"),
        ("zabbix", "zabbix-acknowledged", "zabbix-resolved"),
    ):
        assert {problem(name) for name in others} == {problem(trigger)}
        ids = [read(name).events[0].event_id for name in (trigger, *others) if name not in WITHOUT_ID]
        assert len(set(ids)) == len(ids)


def test_each_is_taken_in_with_its_priority_and_a_repeat_is_a_duplicate(post: Post, empty_redis: redis.Redis) -> None:
    stored = set()
    for name in NAMES:
        if name == "cloudwatch-subscription":
            continue  # asks AWS, see test_sns.py
        at = endpoint(name).path
        content_type = "text/plain; charset=UTF-8" if name.startswith("cloudwatch") else "application/json"
        for turn in range(2):
            answer = post(at, body(name), content_type=content_type, headers={"prefer": "return=representation"})
            assert answer.status == (200 if name == "posted" else 202), (name, answer.body)
            if name in ("posted",) or name.startswith("enqueued"):
                continue
            said = answer.json
            items = said.get("items", [said] if "id" in said else [])
            assert [item["priority"] for item in items] == [row[0] for row in TABLE[name]], name
            assert {item["duplicate"] for item in items} <= {bool(turn) and name not in WITHOUT_ID}, name
            stored |= {item["id"] for item in items}
    kept = stored_ids(empty_redis)
    assert stored <= kept
    for job_id in kept:
        payload = decode(empty_redis.hget(f"rq:job:{job_id}", "data") or b"", job_id)
        assert payload.kind == "alert"
        assert b"R0UT1NGK3Y" not in payload.body
        assert b'"Signature"' not in payload.body
