"""PagerDuty, both ways: its webhooks, version 3, and what its clients send to its Events API, version 2.

https://developer.pagerduty.com/docs/webhooks-overview
https://developer.pagerduty.com/docs/send-alert-event
"""

from collections.abc import Mapping
from typing import Any, Final

import uuid_utils

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report
from ingest.kinds.errors import Invalid

#: Events of an incident that change its state; all others (notes, responders, `pagey.ping`) are none of an alert's.
_ACTIONS: Final[dict[str, Action]] = {
    "incident.triggered": "trigger",
    "incident.escalated": "trigger",
    "incident.delegated": "trigger",
    "incident.priority_updated": "trigger",
    "incident.reassigned": "trigger",
    "incident.reopened": "trigger",
    "incident.unacknowledged": "trigger",
    "incident.acknowledged": "acknowledge",
    "incident.resolved": "resolve",
}
#: What an incident is in, by its status: an acknowledged one that is escalated stays acknowledged.
_STATES: Final[dict[str, Action]] = {"acknowledged": "acknowledge", "resolved": "resolve"}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
    """One webhook."""
    event = values.mapping(body.get("event"), "event")
    kind = values.needed(event.get("event_type"), "event.event_type")
    if kind not in _ACTIONS:
        return None
    incident = values.mapping(event.get("data"), "event.data")
    at = event.get("occurred_at")
    return Report(
        title=values.first(incident.get("title"), incident.get("summary")),
        action=_STATES.get(values.first(incident.get("status")), _ACTIONS[kind]),
        severity=values.level(values.within(incident, "priority", "summary"), incident.get("urgency")),
        key=values.needed(incident.get("id"), "event.data.id"),
        start=values.first(event.get("id"), at),
        status=kind,
        at=at,
        labels=values.plain(
            service=values.within(incident, "service", "summary"),
            team=next((values.first(each.get("summary")) for each in values.objects(incident.get("teams"))), ""),
            url=incident.get("html_url"),
        ),
    )


_EVENT_ACTIONS: Final[dict[str, Action]] = {
    "trigger": "trigger",
    "acknowledge": "acknowledge",
    "resolve": "resolve",
}


def read_enqueued(event: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    """One event of a client's."""
    action: Action = values.word(event.get("event_action"), "event_action", _EVENT_ACTIONS)
    key = values.text(event.get("dedup_key"), "dedup_key")
    if not key and action != "trigger":
        raise Invalid("dedup_key", "missing", f"dedup_key is missing; {action} needs it.")
    payload = values.mapping(event.get("payload"), "payload")
    summary = values.text(payload.get("summary"), "payload.summary")
    if not summary and action == "trigger":
        raise Invalid("payload.summary", "missing", "payload.summary is missing.")
    at = values.first(payload.get("timestamp"))
    return Report(
        title=summary or key,
        action=action,
        severity=values.level(payload.get("severity")),
        # PagerDuty makes one as well, and answers it.
        key=key or uuid_utils.uuid7().hex,
        start=at if key else "",
        status=f"{action} {values.first(payload.get('severity'))}",
        at=at,
        labels=values.plain(
            source=payload.get("source"),
            component=payload.get("component"),
            group=payload.get("group"),
            **{"class": payload.get("class")},
        ),
    )


HOOK: Final = Hook("pagerduty", read)
#: Behind `/v2/enqueue`.
ENQUEUED: Final = Hook("pagerduty", read_enqueued, secrets=frozenset({"routing_key"}), key_member="routing_key")
