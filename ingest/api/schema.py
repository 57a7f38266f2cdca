"""The fields of an event: from its bytes to what `accept` takes. Unknown fields are kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from ingest.accept import Incoming
from ingest.api import limits, mappings
from ingest.api.decode import Refused, parse
from ingest.api.keys import Sender
from ingest.api.mappings import Mappings
from ingest.api.problems import Problem
from ingest.callbacks import CallbackRefused, targets
from ingest.kinds import ALERT, KINDS, TASK, Kind
from ingest.kinds.alerts import identity as problem_of
from ingest.kinds.errors import Invalid
from ingest.kinds.faults import refused as refused_fault
from ingest.priorities import PRIORITIES, Priority, Severity, classify, vendor

#: Characters of id, source, tenant and dedup_key: what their columns hold.
NAME_LENGTH: Final = 255
TITLE_LENGTH: Final = 1_024
SEVERITY_LENGTH: Final = 100
#: An event's own time may be so far ahead of ours: clocks and time zones are set wrong.
AHEAD: Final = timedelta(hours=24)
#: Waiting longer is a matter for schedules, not for a queue.
LONGEST_DELAY: Final = timedelta(days=366)

_TASK: Final = re.compile(rb'"kind"\s*:\s*"task"')

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that was not taken, and why."""

    event_id: str | None
    problem: Problem
    #: As far as it could be read.
    source: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """How events of one endpoint or hook are read."""

    #: Wins over the kind's.
    default_priority: Priority | None = None
    #: It may be of a kind that only code of this project sends.
    internal: bool = False
    #: The kind of an event that names none, and with `one_kind` of every event.
    kind: str = "alert"
    one_kind: bool = False
    #: Whose words the severity is in, by a name of `priorities.SOURCES`; "": its source's.
    scale: str = ""
    #: What operators said.
    mappings: Mappings = mappings.NONE


USUAL: Final = Ways()


def read_event(raw: bytes, sender: Sender, ways: Ways = USUAL) -> Incoming | Rejected:
    """One event of a body, checked against every rule."""
    try:
        event = parse(raw, most=limits.ITEM_BYTES if len(raw) <= limits.ITEM_BYTES else _most(raw, ways))
    except Refused as refused:
        return Rejected(None, refused.problem, sender.source)
    try:
        return _incoming(raw, event, sender, ways)
    except Refused as refused:
        return Rejected(_shown_id(event), refused.problem, sender.source or _shown_source(event))
    except Invalid as invalid:
        return Rejected(_shown_id(event), rejection(invalid), sender.source or _shown_source(event))


def _most(raw: bytes, ways: Ways) -> int:
    """Bytes that an event may have, told before it is parsed: tasks may be larger than others."""
    return KINDS[ways.kind].item_bytes if ways.one_kind or not _TASK.search(raw) else TASK.item_bytes


def _incoming(raw: bytes, event: Mapping[str, Any], sender: Sender, ways: Ways) -> Incoming:
    kind = _kind(event, ways)
    if len(raw) > kind.item_bytes:
        raise Refused(limits.item_too_large(kind.item_bytes))
    event_id = _event_id(event, kind.id_field)
    source = sender.source or _name(event, "source") or (_name(event, kind.source_field) if kind.source_field else "")
    source = source or ""
    tenant = sender.tenant or _name(event, "tenant") or ""
    _name(event, "dedup_key")
    _text(event, "title", TITLE_LENGTH)
    _occurred_at(event)
    _object(event, "labels")
    _fault(event)
    kind.validate(event)
    if kind.of_event is not None:
        kind = kind.of_event(event)
    severity, warnings = _severity(event, source, sender, ways, kind)
    severity, capped = cap(severity, sender.max_priority)
    warnings += capped
    identity = kind.identify(event, event_id) if kind.identify else None
    takes_priority = kind is ALERT and event.get("action") == "resolve" and severity.by != "priority"
    return Incoming(
        kind=kind,
        body=raw,
        source=source,
        tenant=tenant,
        event_id=event_id,
        severity=severity,
        delay=_delay(event),
        user=(_name(event, kind.user_field) or "") if kind.user_field else "",
        callback=_callback(event, kind.callback_field),
        ordering_key=(_name(event, kind.ordering_field) or "") if kind.ordering_field else "",
        identity=identity.parts if identity else (),
        window=identity.window if identity else 0,
        repeat=identity.says if identity else "",
        resolves=problem_of(tenant, source, event) if takes_priority else "",
        warnings=warnings,
    )


def _kind(event: Mapping[str, Any], ways: Ways) -> Kind:
    name = event.get("kind")
    if name is None:
        return KINDS[ways.kind]
    if ways.one_kind and name != ways.kind:
        raise Invalid("kind", "unknown_kind", f"kind must be {ways.kind} here, or be left out.")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or (kind.internal and not ways.internal):
        known = ", ".join(name for name, each in KINDS.items() if ways.internal or not each.internal)
        raise Invalid("kind", "unknown_kind", f"kind must be one of {known}.")
    return kind


def _event_id(event: Mapping[str, Any], field: str) -> str | None:
    """The client's id, by the kind's own field or by `id`."""
    if field != "id" and event.get(field) is not None:
        if event.get("id") not in (None, event[field]):
            raise Invalid("id", "conflict", f"Only one of {field} and id may be given.")
    else:
        field = "id"
    event_id = _name(event, field)
    if event_id == "":
        raise Invalid(field, "invalid_value", f"{field} must not be empty; leave it out to have one made.")
    return event_id


def _text(event: Mapping[str, Any], field: str, length: int) -> str | None:
    value = event.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(field, "wrong_type", f"{field} must be a text.")
    if len(value) > length:
        raise Invalid(field, "too_long", f"{field} may have {length:,} characters, not {len(value):,}.", limit=length)
    return value


def _name(event: Mapping[str, Any], field: str) -> str | None:
    """A text that goes into keys, logs and pages: short, and without control characters."""
    value = _text(event, field, NAME_LENGTH)
    if value is not None and _CONTROL.search(value):
        raise Invalid(field, "invalid_value", f"{field} must not hold control characters.")
    return value


def _object(event: Mapping[str, Any], field: str) -> None:
    value = event.get(field)
    if value is not None and not isinstance(value, dict):
        raise Invalid(field, "wrong_type", f"{field} must be an object.")


def _callback(event: Mapping[str, Any], own_field: str) -> str:
    """A URL, in `callback_url` or the kind's own field: functions of ours are named by code of ours alone."""
    field = own_field if own_field and event.get(own_field) is not None else "callback_url"
    url = _text(event, field, targets.LENGTH)
    if url is None:
        return ""
    if event.get("callback_url") not in (None, url):
        raise Invalid(field, "conflict", f"Only one of {field} and callback_url may be given.")
    try:
        targets.check_url(url)
    except CallbackRefused as refused:
        raise Invalid(field, "invalid_value", f"{field} {refused}.") from None
    return url


def _time(event: Mapping[str, Any], field: str) -> datetime | None:
    value = event.get(field)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            at: datetime = msgspec.convert(value, datetime)
            if at.tzinfo is not None:
                return at.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        pass
    example = "2026-11-22T08:00:00Z"
    raise Invalid(field, "invalid_time", f"{field} must be an RFC 3339 time with a zone, such as {example}.")


def _occurred_at(event: Mapping[str, Any]) -> None:
    at = _time(event, "occurred_at")
    if at is not None and at > datetime.now(UTC) + AHEAD:
        hours = int(AHEAD.total_seconds()) // 3600
        raise Invalid("occurred_at", "in_the_future", f"occurred_at may be at most {hours} hours ahead.", limit=hours)


def _delay(event: Mapping[str, Any]) -> float:
    """Seconds from now on, by `delay_seconds` or `run_at`; a time that has passed means now."""
    seconds = event.get("delay_seconds")
    run_at = _time(event, "run_at")
    longest = LONGEST_DELAY.total_seconds()
    if seconds is None:
        if run_at is None:
            return 0.0
        delay = (run_at - datetime.now(UTC)).total_seconds()
        if delay > longest:
            raise Invalid(
                "run_at", "too_far", f"run_at may be {LONGEST_DELAY.days} days ahead.", limit=LONGEST_DELAY.days
            )
        return max(delay, 0.0)
    if run_at is not None:
        raise Invalid("run_at", "conflict", "Only one of run_at and delay_seconds may be given.")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= longest:
        raise Invalid(
            "delay_seconds",
            "invalid_value",
            f"delay_seconds must be a number from 0 to {int(longest):,}.",
            limit=int(longest),
        )
    return float(seconds)


def _fault(event: Mapping[str, Any]) -> None:
    payload = event.get("payload")
    nested = payload.get("fault") if isinstance(payload, dict) else None
    for field, fault in (("fault", event.get("fault")), ("payload.fault", nested)):
        if isinstance(fault, str) and (why := refused_fault(fault)) is not None:
            raise Invalid(field, "fault_refused", why)


def _severity(
    event: Mapping[str, Any], source: str, sender: Sender, ways: Ways, kind: Kind
) -> tuple[Severity, tuple[dict[str, str], ...]]:
    """The event's priority and how it came about: an explicit word wins over the severity."""
    raw = event.get("severity")
    if raw is not None and (isinstance(raw, bool) or not isinstance(raw, str | int | float)):
        raise Invalid("severity", "wrong_type", "severity must be a word or a number.")
    if len(str(raw)) > SEVERITY_LENGTH:
        detail = f"severity may have {SEVERITY_LENGTH} characters, not {len(str(raw)):,}."
        raise Invalid("severity", "too_long", detail, limit=SEVERITY_LENGTH)
    default = ways.default_priority or kind.default_priority
    if event.get("action") == "resolve":
        default = Priority.LOW
    severity = classify(raw, source=ways.scale or source, default=default)
    said = ways.mappings.priority(raw, (source, vendor(source), ways.scale), sender.key_id)
    if said is not None:
        severity = replace(severity, mapped=said, by="mapping", unknown=False)
    explicit = event.get("priority")
    if explicit is not None:
        priority = kind.priority_of(explicit)
        if priority is None:
            more = ", normal, or a number from 3 to 0" if kind.name == TASK.name else ""
            raise Invalid("priority", "invalid_value", f"priority must be one of {', '.join(PRIORITIES)}{more}.")
        return Severity(severity.raw, priority, "priority"), ()
    if not severity.unknown:
        return severity, ()
    detail = f"No table knows this severity; the event is {severity.mapped}."
    return severity, ({"code": "severity_unmapped", "detail": detail, "value": severity.raw or ""},)


def cap(severity: Severity, highest: Priority | None) -> tuple[Severity, tuple[dict[str, str], ...]]:
    """What a key lets through of a priority, however it came about, and the warning about it."""
    if highest is None or PRIORITIES.index(severity.mapped) >= PRIORITIES.index(highest):
        return severity, ()
    detail = f"The key's events are {highest} at most; this one would have been {severity.mapped}."
    warning = {"code": "priority_capped", "detail": detail, "value": str(severity.mapped)}
    return replace(severity, mapped=highest), (warning,)


def _shown_id(event: Mapping[str, Any]) -> str | None:
    """The client's id for the answer, as far as it is one."""
    value = event.get("id", event.get("task_id"))
    return value if isinstance(value, str) and len(value) <= NAME_LENGTH else None


def _shown_source(event: Mapping[str, Any]) -> str:
    value = event.get("source")
    return value if isinstance(value, str) and not _CONTROL.search(value) else ""


def rejection(invalid: Invalid) -> Problem:
    """The answer to a field that breaks a rule."""
    extra: dict[str, Any] = {"field": invalid.field}
    if invalid.limit is not None:
        extra["limit"] = f"{invalid.field}_{'length' if invalid.code == 'too_long' else 'max'}"
        extra["limit_value"] = invalid.limit
    return Problem(422, invalid.code, "A field breaks a rule", invalid.detail, **extra)
