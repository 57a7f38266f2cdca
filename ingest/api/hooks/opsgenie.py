"""Opsgenie's outgoing webhook.

https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

#: Other actions (notes, tags, responders) are none of an alert's.
_ACTIONS: Final[dict[str, Action]] = {
    "create": "trigger",
    "unacknowledge": "trigger",
    "updatepriority": "trigger",
    "escalate": "trigger",
    "acknowledge": "acknowledge",
    "close": "resolve",
    "delete": "resolve",
}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
    done = values.needed(body.get("action"), "action")
    if done.casefold() not in _ACTIONS:
        return None
    alert = values.mapping(body.get("alert"), "alert")
    at = alert.get("updatedAt") if values.time(_milliseconds(alert.get("updatedAt"))) else alert.get("createdAt")
    tags = alert.get("tags")
    details = alert.get("details")
    priority = values.level(alert.get("priority"))
    return Report(
        title=values.first(alert.get("message")),
        action=_ACTIONS[done.casefold()],
        severity=priority,
        key=values.needed(alert.get("alertId"), "alert.alertId"),
        start=values.first(alert.get("createdAt"), alert.get("alertId")),
        status=f"{done} {priority} {values.first(at)}",
        at=_milliseconds(at),
        labels={
            **(details if isinstance(details, dict) else {}),
            **values.plain(
                alias=alert.get("alias"),
                entity=alert.get("entity"),
                source=alert.get("source"),
                tags=",".join(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else "",
            ),
        },
    )


def _milliseconds(at: Any) -> Any:
    """updatedAt is in nanoseconds, createdAt in milliseconds."""
    if isinstance(at, int) and not isinstance(at, bool) and at > 10**15:
        return at // 1_000_000
    return at


HOOK: Final = Hook("opsgenie", read)
