"""Google Cloud Monitoring's webhook, schema version 1.2.

https://cloud.google.com/monitoring/support/notification-options#webhooks
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

_STATES: Final[dict[str, Action]] = {"open": "trigger", "acknowledged": "acknowledge", "closed": "resolve"}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    incident = values.mapping(body.get("incident"), "incident")
    state = values.first(incident.get("state"))
    action: Action = values.word(state, "incident.state", _STATES)
    severity = values.level(incident.get("severity"))
    if isinstance(severity, str) and severity.casefold() == "no severity":
        severity = None
    user_labels = values.within(incident, "policy_user_labels")
    resource = values.within(incident, "resource", "labels")
    return Report(
        title=values.first(incident.get("summary"), incident.get("condition_name"), incident.get("policy_name")),
        action=action,
        severity=severity,
        key=values.needed(incident.get("incident_id"), "incident.incident_id"),
        start=values.first(incident.get("started_at"), incident.get("incident_id")),
        status=f"{state} {severity}",
        at=incident.get("ended_at") if action == "resolve" else incident.get("started_at"),
        labels={
            **(resource if isinstance(resource, dict) else {}),
            **(user_labels if isinstance(user_labels, dict) else {}),
            **values.plain(
                policy=incident.get("policy_name"),
                condition=incident.get("condition_name"),
                project=incident.get("scoping_project_id"),
                resource=incident.get("resource_display_name") or incident.get("resource_name"),
                url=incident.get("url"),
            ),
        },
    )


HOOK: Final = Hook("gcp", read)
