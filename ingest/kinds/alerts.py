"""Alerts: what an alert says about its problem, and the problem's row that it counts towards."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ingest.kinds.errors import Invalid, PermanentError
from ingest.queue.payload import Payload
from ingest.store import Problem, upsert_alerts

#: What an alert may do to its problem, and the state that it leaves it in.
STATES: Final = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}

_EVENT: Final = msgspec.json.Decoder(dict[str, Any])


def validate(event: Mapping[str, Any]) -> None:
    """Check the fields that only alerts have. Raises Invalid."""
    action = event.get("action")
    if action is not None and (not isinstance(action, str) or action not in STATES):
        raise Invalid("action", "invalid_value", f"action must be one of {', '.join(STATES)}.")


def handle(payloads: Sequence[Payload]) -> None:
    """Count each alert towards its problem. Raises PermanentError for a body that is no alert."""
    upsert_alerts([problem_of(payload) for payload in payloads])


def problem_of(payload: Payload) -> Problem:
    """What one alert says about its problem. Raises PermanentError."""
    try:
        event = _EVENT.decode(payload.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermanentError(f"the event's body cannot be read: {error}") from None
    title = event.get("title")
    return Problem(
        identity=identity(payload.tenant, payload.source, event),
        tenant=payload.tenant,
        source=payload.source,
        title=title if isinstance(title, str) else "",
        priority=payload.priority,
        state=STATES.get(event.get("action") or "trigger"),
        at=_occurred_at(event) or payload.received_at,
    )


def identity(tenant: str, source: str, event: Mapping[str, Any]) -> str:
    """Which problem an alert is about: its dedup_key, else its title and labels, of this tenant and source.

    Severity, times and payload change from one occurrence to the next, so they are left out.
    """
    key = event.get("dedup_key")
    said: tuple[object, ...] = ("key", key) if key else ("fields", event.get("title"), event.get("labels") or {})
    return hashlib.sha256(json.dumps((tenant, source, said), sort_keys=True).encode()).hexdigest()


def _occurred_at(event: Mapping[str, Any]) -> datetime | None:
    """An alert's own time; what acceptance let through is RFC 3339."""
    try:
        return msgspec.convert(event.get("occurred_at"), datetime).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None
