"""Alerts: what an alert says about its problem, and the problem's row that it counts towards."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ingest.kinds.errors import Invalid, PermanentError
from ingest.problems import ACKNOWLEDGE, RESOLVE, TRIGGER, Said, lines_of, save_reports
from ingest.queue.payload import Payload

#: What an alert may do to its problem.
ACTIONS: Final = {"trigger": TRIGGER, "acknowledge": ACKNOWLEDGE, "resolve": RESOLVE}
#: Characters of a vendor's fingerprint.
FINGERPRINT_LENGTH: Final = 255

_EVENT: Final = msgspec.json.Decoder(dict[str, Any])


def validate(event: Mapping[str, Any]) -> None:
    """Check the fields that only alerts have. Raises Invalid."""
    action = event.get("action")
    if action is not None and (not isinstance(action, str) or action not in ACTIONS):
        raise Invalid("action", "invalid_value", f"action must be one of {', '.join(ACTIONS)}.")
    fingerprint = event.get("fingerprint")
    if fingerprint is None:
        return
    if not isinstance(fingerprint, str):
        raise Invalid("fingerprint", "wrong_type", "fingerprint must be a text.")
    if len(fingerprint) > FINGERPRINT_LENGTH:
        detail = f"fingerprint may have {FINGERPRINT_LENGTH} characters, not {len(fingerprint):,}."
        raise Invalid("fingerprint", "too_long", detail, limit=FINGERPRINT_LENGTH)


def handle(payloads: Sequence[Payload]) -> None:
    """Count each alert towards its problem. Raises PermanentError for a body that is no alert."""
    save_reports([said_by(payload) for payload in payloads])


def said_by(payload: Payload) -> Said:
    """What one alert says about its problem. Raises PermanentError."""
    try:
        event = _EVENT.decode(payload.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermanentError(f"the event's body cannot be read: {error}") from None
    title, labels = event.get("title"), event.get("labels")
    return Said(
        identity=identity(payload.tenant, payload.source, event),
        tenant=payload.tenant,
        source=payload.source,
        title=title if isinstance(title, str) else "",
        labels=lines_of(labels) if isinstance(labels, dict) else "",
        priority=payload.priority,
        action=ACTIONS[event.get("action") or "trigger"],
        at=_occurred_at(event) or payload.received_at,
        event=payload.id,
    )


def identity(tenant: str, source: str, event: Mapping[str, Any]) -> str:
    """Which problem an alert is about: its dedup_key, else its vendor's fingerprint, else its title and labels, of
    this tenant and source.

    Severity, times and payload change from one occurrence to the next, so they are left out.
    """
    said: tuple[object, ...]
    if key := event.get("dedup_key"):
        said = ("key", key)
    elif fingerprint := event.get("fingerprint"):
        said = ("fingerprint", fingerprint)
    else:
        said = ("fields", event.get("title"), event.get("labels") or {})
    return hashlib.sha256(json.dumps((tenant, source, said), sort_keys=True).encode()).hexdigest()[:32]


def _occurred_at(event: Mapping[str, Any]) -> datetime | None:
    """An alert's own time; what acceptance let through is RFC 3339."""
    try:
        return msgspec.convert(event.get("occurred_at"), datetime).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None
