"""A hook for everybody else: it takes the names that most senders use, or those that a field mapping names."""

from collections.abc import Mapping
from typing import Any, Final

from ingest.api.hooks import values
from ingest.api.hooks.hook import Action, Hook, Report

TITLES: Final = ("title", "name", "alertname", "summary", "message", "subject")
SEVERITIES: Final = ("severity", "priority", "level")
KEYS: Final = ("dedup_key", "fingerprint", "alias", "alert_id", "incident_id", "id")
TIMES: Final = ("occurred_at", "timestamp", "time", "date")
STATES: Final = ("action", "status", "state")

#: In any case; another word, or none, is a trigger.
ACTIONS: Final[dict[str, Action]] = {
    **dict.fromkeys(("acknowledge", "acknowledged", "ack"), "acknowledge"),
    **dict.fromkeys(
        ("resolve", "resolved", "close", "closed", "ok", "okay", "recovered", "recovery", "cleared", "normal"),
        "resolve",
    ),
}


def read(body: Mapping[str, Any], group: Mapping[str, Any]) -> Report:
    found = body.get("labels")
    labels: Mapping[str, Any] = found if isinstance(found, dict) else {}
    key = values.first(*(body.get(name) for name in KEYS))
    at = next((body[name] for name in TIMES if values.time(body.get(name))), None)
    status = values.first(*(body.get(name) for name in STATES))
    action = ACTIONS.get(status.casefold(), "trigger")
    return Report(
        title=values.first(*(body.get(name) for name in TITLES), labels.get("alertname")),
        action=action,
        severity=values.level(
            *(body.get(name) for name in SEVERITIES),
            *(labels.get(name) for name in SEVERITIES),
        ),
        key=key,
        # An id alone may be the problem's: taking it for the occurrence's would lose one that comes back.
        start=values.first(at),
        status=status,
        at=at,
        labels=labels,
        source=values.first(body.get("source")),
    )


def mapped(body: Mapping[str, Any], paths: Mapping[str, str]) -> Mapping[str, Any]:
    """The body with the fields that a mapping names where `read` looks first; a path without a value is passed over."""
    found = {name: value for name, path in paths.items() if (value := _at(body, path)) is not None}
    labels = {name.removeprefix("labels."): found.pop(name) for name in list(found) if name.startswith("labels.")}
    given = body.get("labels")
    return {**body, **found, "labels": {**(given if isinstance(given, dict) else {}), **labels}}


def _at(value: Any, path: str) -> Any:
    """What stands at a path of names with dots between them; a number is a place in an array."""
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and len(name) < 5 and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


HOOK: Final = Hook("generic", read, arrays=True, mapped=mapped)
