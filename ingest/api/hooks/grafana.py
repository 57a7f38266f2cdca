"""Grafana: unified alerting, which speaks as Alertmanager does, and legacy alerting, one rule a body.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ingest.api.hooks import alertmanager, values
from ingest.api.hooks.hook import Action, Hook, Report

#: Legacy; `paused` is none of an alert's.
_STATES: Final[dict[str, Action | None]] = {
    "alerting": "trigger",
    "no_data": "trigger",
    "pending": "trigger",
    "unknown": "trigger",
    "ok": "resolve",
    "paused": None,
}


def read(alert: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
    if group or "state" not in alert:
        report = alertmanager.read_alert(alert, group)
        return report if report.title else replace(report, title=values.first(group.get("title")))
    return _legacy(alert)


def _legacy(body: Mapping[str, Any]) -> Report | None:
    action: Action | None = values.word(body.get("state"), "state", _STATES)
    if action is None:
        return None
    tags = values.mapping(body.get("tags"), "tags")
    return Report(
        title=values.first(body.get("title"), body.get("ruleName"), body.get("message")),
        action=action,
        severity=values.level(tags.get("severity"), tags.get("priority"), tags.get("level")),
        key=values.first(body.get("ruleId"), body.get("ruleName")),
        labels={**values.plain(rule=body.get("ruleName"), url=body.get("ruleUrl")), **tags},
    )


HOOK: Final = Hook("grafana", read, each="alerts", beside=(*alertmanager.GROUP, "orgId", "title", "state", "message"))
