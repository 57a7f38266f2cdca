"""Zabbix's webhook media type, by the script of docs/vendors.md: macros of an event as one object of texts.

https://www.zabbix.com/documentation/current/en/manual/config/notifications/media/webhook
https://www.zabbix.com/documentation/current/en/manual/appendix/macros/supported_by_location
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

_VALUES: Final[dict[str, Action]] = {"1": "trigger", "0": "resolve", "problem": "trigger", "ok": "resolve"}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    value = values.first(body.get("event_value"), body.get("status"), body.get("event_status")).casefold()
    action: Action = values.word(value, "event_value", {**_VALUES, "resolved": "resolve"})
    update = values.first(body.get("event_update_status")) == "1"
    if action == "trigger" and update and values.first(body.get("event_ack_status")).casefold() in ("yes", "1"):
        action = "acknowledge"
    updated = values.first(body.get("event_update_timestamp")) if update else ""
    at = updated or values.first(body.get("event_timestamp"), body.get("timestamp"))
    # Their names can be edited by users, the numbers cannot.
    severity = values.level(_number(body.get("event_nseverity")), body.get("event_severity"), body.get("severity"))
    key = values.first(body.get("event_id"), body.get("eventid"), body.get("problem_id"))
    return Report(
        title=values.first(body.get("event_name"), body.get("alert_subject"), body.get("trigger_name")),
        action=action,
        severity=severity,
        key=key,
        start=key,
        # An update has a time of its own.
        status=f"{value} {severity} {updated}",
        at=at,
        labels={
            **_tags(body.get("event_tags")),
            **values.plain(
                host=body.get("host_name") or body.get("host"),
                ip=body.get("host_ip"),
                trigger=body.get("trigger_id"),
                url=body.get("url"),
            ),
        },
    )


def _number(value: Any) -> Any:
    """A macro that Zabbix did not replace stays as it is written: `{EVENT.NSEVERITY}`."""
    return None if isinstance(value, str) and value.startswith("{") else value


def _tags(tags: Any) -> dict[str, Any]:
    """`{EVENT.TAGS}`: `component:cpu,scope:performance`."""
    if not isinstance(tags, str):
        return {}
    pairs = (tag.strip().partition(":") for tag in tags.split(",")[:100])
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


HOOK: Final = Hook("zabbix", read)
