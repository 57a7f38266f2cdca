"""New Relic: a workflow's webhook with its default template, and the older alerts' webhook.

https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/#webhook
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

#: An issue's states, and those of the older webhook's incidents.
_STATES: Final[dict[str, Action]] = {
    "created": "trigger",
    "activated": "trigger",
    "deactivated": "resolve",
    "acknowledged": "acknowledge",
    "closed": "resolve",
    "resolved": "resolve",
    "open": "trigger",
}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    state = values.first(body.get("state"), body.get("current_state"))
    action: Action = values.word(state, "state", _STATES)
    if action == "trigger" and values.first(body.get("trigger")).casefold() == "state_change_acknowledged":
        action = "acknowledge"
    severity = values.level(body.get("priority"), body.get("severity"))
    created = body.get("createdAt") or body.get("timestamp")
    at = created if action == "trigger" else body.get("updatedAt") or created
    return Report(
        title=values.first(_one(body.get("title")), body.get("condition_name"), body.get("details")),
        action=action,
        severity=severity,
        key=values.needed(body.get("id") or body.get("issueId") or body.get("incident_id"), "id"),
        start=values.first(created),
        status=f"{state} {values.first(body.get('trigger'))} {severity}",
        at=at,
        labels=values.plain(
            condition=_one(body.get("alertConditionNames")) or body.get("condition_name"),
            policy=_one(body.get("alertPolicyNames")) or body.get("policy_name"),
            entities=", ".join(each for each in _texts(body.get("impactedEntities"))),
            workflow=body.get("workflowName"),
            url=body.get("issueUrl") or body.get("incident_url"),
        ),
    )


def _one(value: Any) -> Any:
    """The default template gives some values as arrays of one."""
    return next(iter(_texts(value)), "") if isinstance(value, list) else value


def _texts(value: Any) -> list[str]:
    return [each for each in value[:20] if isinstance(each, str)] if isinstance(value, list) else []


HOOK: Final = Hook("newrelic", read)
