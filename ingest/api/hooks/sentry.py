"""Sentry: webhooks of an integration (issues, issue alerts, metric alerts), and the older plugin's.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report
from ingest.kinds.errors import Invalid

#: Of an issue; `assigned` and others are none of an alert's.
_ISSUE: Final[dict[str, Action]] = {
    "created": "trigger",
    "unresolved": "trigger",
    "resolved": "resolve",
    "archived": "resolve",
    "ignored": "resolve",
}
#: Of a metric alert, whose severity is its action.
_METRIC: Final[dict[str, Action]] = {"critical": "trigger", "warning": "trigger", "resolved": "resolve"}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
    done = values.text(body.get("action"), "action")
    data = body.get("data")
    if not isinstance(data, dict):
        if "event" in body:
            return _plugin(body)
        raise Invalid("data", "missing", "data is missing.")
    if "metric_alert" in data:
        return _metric_alert(done, data)
    if "issue" in data:
        return _issue(done, values.mapping(data["issue"], "data.issue"))
    if "event" in data:
        return _issue_alert(data, values.mapping(data["event"], "data.event"))
    return None  # installations, comments and seats


def _issue(done: str, issue: Mapping[str, Any]) -> Report | None:
    if done not in _ISSUE:
        return None
    resolved = _ISSUE[done] == "resolve"
    return Report(
        title=values.first(issue.get("title"), issue.get("culprit")),
        action=_ISSUE[done],
        severity=values.level(issue.get("level")),
        key=values.needed(issue.get("id"), "data.issue.id"),
        # lastSeen stays the same while it is resolved and comes back: then there is no telling repeats.
        start=values.first(issue.get("firstSeen")) if done == "created" else "",
        status=f"{done} {values.first(issue.get('level'))}",
        at=None if resolved or done == "unresolved" else issue.get("lastSeen"),
        labels=values.plain(
            project=values.within(issue, "project", "slug"),
            platform=issue.get("platform"),
            issue=issue.get("shortId"),
            url=issue.get("web_url") or issue.get("permalink"),
        ),
    )


def _issue_alert(data: Mapping[str, Any], event: Mapping[str, Any]) -> Report:
    return Report(
        title=values.first(event.get("title"), event.get("message")),
        action="trigger",
        severity=values.level(event.get("level")),
        key=values.needed(event.get("issue_id") or event.get("event_id"), "data.event.issue_id"),
        start=values.first(event.get("event_id")),
        status=f"triggered {values.first(data.get('triggered_rule'))}",
        at=event.get("datetime"),
        labels=values.plain(
            rule=data.get("triggered_rule"),
            platform=event.get("platform"),
            url=event.get("web_url"),
            environment=event.get("environment"),
            release=event.get("release"),
        ),
    )


def _metric_alert(done: str, data: Mapping[str, Any]) -> Report:
    alert = values.mapping(data["metric_alert"], "data.metric_alert")
    action: Action = values.word(done, "action", _METRIC)
    at = alert.get("date_closed") if action == "resolve" else alert.get("date_detected")
    return Report(
        title=values.first(data.get("description_title"), alert.get("title"), data.get("description_text")),
        action=action,
        severity=None if action == "resolve" else done,
        # Issues have ids of the same form.
        key=f"metric_alert:{values.needed(alert.get('id'), 'data.metric_alert.id')}",
        start=values.first(alert.get("date_detected"), alert.get("date_started")),
        status=done,
        at=at,
        labels=values.plain(
            rule=values.within(alert, "alert_rule", "name"),
            organization=alert.get("organization_id"),
            url=data.get("web_url"),
        ),
    )


def _plugin(body: Mapping[str, Any]) -> Report:
    event = values.mapping(body.get("event"), "event")
    return Report(
        title=values.first(body.get("message"), event.get("title"), event.get("message")),
        action="trigger",
        severity=values.level(body.get("level"), event.get("level")),
        key=values.first(body.get("id"), event.get("issue_id"), event.get("event_id")),
        start=values.first(event.get("event_id"), event.get("id")),
        status="triggered",
        at=event.get("timestamp"),
        labels=values.plain(
            project=body.get("project_slug") or body.get("project"), culprit=body.get("culprit"), url=body.get("url")
        ),
    )


HOOK: Final = Hook("sentry", read)
