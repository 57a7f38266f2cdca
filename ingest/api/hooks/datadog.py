"""Datadog's webhook, whose body is a template of the user's; docs/vendors.md has the one that is read here.

https://docs.datadoghq.com/integrations/webhooks/#variables
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

#: Words of `$ALERT_TRANSITION`; what is none of them triggers.
_TRANSITIONS: Final[dict[str, Action]] = {
    "recovered": "resolve",
    "warn recovered": "resolve",
    "no data recovered": "resolve",
    "success": "resolve",
}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    transition = values.first(body.get("alert_transition"), body.get("transition"))
    kind = values.first(body.get("alert_type"))
    action = _TRANSITIONS.get(transition.casefold() or kind.casefold(), "trigger")
    at = next((body[name] for name in ("last_updated", "date") if values.time(body.get(name))), None)
    key = values.first(body.get("aggreg_key"), body.get("aggregation_key"), body.get("alert_cycle_key"))
    tags = body.get("tags")
    severity = _severity(body)
    return Report(
        title=values.first(body.get("title"), body.get("event_title"), body.get("alert_title")),
        action=action,
        severity=severity,
        key=key or values.first(body.get("alert_id")),
        # Of each event Datadog has an id of its own.
        start=values.first(body.get("id"), at),
        status=f"{transition} {severity}",
        at=at,
        labels={
            **_tags(tags),
            **values.plain(
                host=body.get("hostname") or body.get("host"),
                monitor=body.get("alert_id"),
                url=body.get("link") or body.get("url"),
                query=body.get("alert_query"),
            ),
        },
        scale="datadog",
    )


def _severity(body: Mapping[str, Any]) -> str | int | float | None:
    """A monitor's priority (P1 to P5, or 1 to 5), else what the alert is (`error`).

    An event's priority is another thing, `normal` or `low`, and says less than its alert_type.
    """
    priority = values.level(body.get("alert_priority"), body.get("priority"))
    kind = values.level(body.get("alert_type"))
    if isinstance(priority, str) and priority.casefold() in ("normal", "low", "null", "none"):
        return kind if kind is not None else priority
    return priority if priority is not None else kind


def _tags(tags: Any) -> dict[str, Any]:
    """`env:prod,service:web`, or an array of these."""
    given = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else []
    pairs = (tag.strip().partition(":") for tag in given[:100] if isinstance(tag, str) and tag.strip())
    return {name: value or True for name, _, value in pairs if name}


HOOK: Final = Hook("datadog", read)
