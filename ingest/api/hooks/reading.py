"""From a vendor's body to events of ours: each alert is judged alone, and one bad one harms no other.

An adapter says what an alert means; here its event is written, with the alert itself as payload, copied and not
written anew, so that its numbers stay exact. The event's id is derived from fingerprint, start and status, so that the
vendor's repeats are duplicates.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from ingest.api import decode, limits
from ingest.api.hooks import values
from ingest.api.hooks.hook import KEY_LENGTH, Hook, Report
from ingest.api.problems import Problem, ProblemError
from ingest.kinds.errors import Invalid
from ingest.priorities import Priority

#: Characters of a title, as `schema.TITLE_LENGTH`, and of a severity.
TITLE_LENGTH: Final = 1_024
SEVERITY_LENGTH: Final = 100
#: Alerts left out are counted up to so many at a time: the number is the sender's word.
MOST_TRUNCATED: Final = 1_000_000
#: A time that is further ahead is not believed.
AHEAD: Final = timedelta(hours=24)

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Written:
    """One alert as an event of ours, and what its fields do not say."""

    raw: bytes
    #: Whose words its severity is in.
    scale: str
    #: Without a severity; None: its kind's.
    default: Priority | None
    #: What a second copy under its id has in common with it; "": there is no id.
    repeat: str
    warnings: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """All that a body says."""

    #: In their order: events, and why one is refused.
    alerts: tuple[Written | Problem, ...]
    #: The body is one alert, and not a group of them.
    single: bool
    #: About the body as a whole.
    warnings: tuple[dict[str, str], ...] = ()
    #: Alerts that the vendor left out of it.
    truncated: int = 0


#: A source → the field mapping that an operator made for it, empty without one.
Paths: TypeAlias = Callable[[str], Mapping[str, str]]


def read(hook: Hook, body: bytes, *, form: bool = False, source: str = "", paths: Paths = lambda source: {}) -> Found:
    """The events of a body; `source` is the key's, which wins. Raises ProblemError when it cannot be read at all."""
    reader = _Reader(hook, source, paths)
    body = _from_form(body) if form else body.strip(b" \t\r\n")
    if body[:1] == b"[":
        if not hook.arrays:
            raise _whole(422, "wrong_type", "Not the right shape", f"{hook.vendor} sends an object, not an array.")
        items, _ = decode.split_json(body)
        return Found(tuple(_judged(reader, (item.raw for item in items), {}, {})), single=False)
    if hook.each:
        return _group(reader, body)
    return Found(tuple(_judged(reader, (body,), {}, {})), single=True)


@dataclass(frozen=True, slots=True)
class _Reader:
    hook: Hook
    source: str
    paths: Paths

    def report(self, alert: Mapping[str, Any], group: Mapping[str, Any]) -> Report | None:
        if self.hook.mapped is not None:
            source = self.source or values.first(alert.get("source")) or self.hook.vendor
            if paths := self.paths(source):
                alert = self.hook.mapped(alert, paths)
        return self.hook.read(alert, group)


def _group(reader: _Reader, body: bytes) -> Found:
    hook = reader.hook
    try:
        inside = getattr(_decoder(hook).decode(body), hook.each)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Something in an alert may be no JSON, which is then that one's trouble.
        inside = decode.array_of(body, hook.each) if body[:1] == b"{" else None
        if inside is None:
            raise ProblemError(_why(body)) from None
    if inside is msgspec.UNSET:
        return Found(tuple(_judged(reader, (body,), {}, {})), single=True)
    array = bytes(inside)
    if array[:1] != b"[":
        raise _whole(422, "wrong_type", "Not the right shape", f"{hook.each} must be an array.", field=hook.each)
    items, _ = decode.split_json(array)
    envelope = body.replace(array, b"[]", 1)
    try:
        group = decode.parse(envelope)
    except decode.Refused as refused:
        raise ProblemError(refused.problem) from None
    beside = {name: value for name, value in _FIELDS.decode(envelope).items() if name in hook.beside}
    found = tuple(_judged(reader, (item.raw for item in items), group, beside))
    truncated = group.get("truncatedAlerts")
    if isinstance(truncated, bool) or not isinstance(truncated, int) or truncated <= 0:
        return Found(found, single=False)
    truncated = min(truncated, MOST_TRUNCATED)
    detail = f"The vendor left {truncated:,} alerts out of this group; raise max_alerts where it is configured."
    warning = _warning("truncated_alerts", detail, str(truncated))
    return Found(found, single=False, warnings=(warning,), truncated=truncated)


def _decoder(hook: Hook) -> Any:
    """Finds the alerts and passes over all else: a body may bring a million members."""
    if hook.vendor not in _DECODERS:
        member = (hook.each, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET)
        _DECODERS[hook.vendor] = msgspec.json.Decoder(msgspec.defstruct(f"Group_{hook.vendor}", [member]))
    return _DECODERS[hook.vendor]


_DECODERS: Final[dict[str, Any]] = {}


def _judged(
    reader: _Reader, alerts: Iterable[bytes], group: Mapping[str, Any], beside: Mapping[str, msgspec.Raw]
) -> Iterable[Written | Problem]:
    for raw in alerts:
        try:
            report = reader.report(decode.parse(raw), group)
        except decode.Refused as refused:
            yield refused.problem
        except Invalid as invalid:
            yield Problem(422, invalid.code, "A field breaks a rule", invalid.detail, field=invalid.field)
        else:
            if report is not None:
                yield _write(reader.hook, report, raw, beside)


def _write(hook: Hook, report: Report, raw: bytes, beside: Mapping[str, msgspec.Raw]) -> Written:
    source = report.source or hook.vendor
    warnings = []
    title = report.title or source
    if len(title) > TITLE_LENGTH:
        warnings.append(_warning("title_truncated", f"The title had {len(title):,} characters.", title[:100]))
        title = title[: TITLE_LENGTH - 1] + "…"
    event: dict[str, Any] = {
        "source": source,
        "title": title,
        "action": report.action,
        "labels": report.labels,
        "payload": _payload(hook, report, raw, beside),
    }
    if (severity := values.level(report.severity)) is not None:
        event["severity"] = severity[:SEVERITY_LENGTH] if isinstance(severity, str) else severity
    if report.key:
        event["dedup_key"] = _name(report.key)
    repeat = _digest(hook.vendor, source, report.key, report.start, report.status) if report.start else ""
    if repeat:
        event["id"] = repeat[:32]
    at = values.time(report.at)
    if at is not None and at <= datetime.now(UTC) + AHEAD:
        event["occurred_at"] = at.isoformat()
    elif values.first(report.at):
        warnings.append(_warning("time_unreadable", "Its time cannot be read, or is far ahead.", str(report.at)[:100]))
    return Written(_ENCODER.encode(event), report.scale or hook.vendor, report.default, repeat, tuple(warnings))


def _payload(hook: Hook, report: Report, raw: bytes, beside: Mapping[str, msgspec.Raw]) -> Mapping[str, Any]:
    alert = report.payload if report.payload is not None else _FIELDS.decode(raw)
    kept: dict[str, Any] = {name: value for name, value in alert.items() if name not in hook.secrets}
    return {**kept, "group": beside} if beside else kept


def _name(key: str) -> str:
    """A fingerprint as a dedup_key: itself, or where that cannot be one, its digest."""
    return key if len(key) <= KEY_LENGTH and key.isprintable() else _digest(key)


def _digest(*parts: str) -> str:
    return hashlib.sha256(_ENCODER.encode(parts)).hexdigest()


def _warning(code: str, detail: str, value: str) -> dict[str, str]:
    return {"code": code, "detail": detail, "value": value}


def _from_form(body: bytes) -> bytes:
    """A form's fields as one object of texts. Raises ProblemError."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=limits.KEYS, errors="strict")
    except UnicodeDecodeError:
        raise _whole(400, "invalid_utf8", "Not UTF-8", "The form is not valid UTF-8.") from None
    except ValueError:
        raise ProblemError(limits.too_many_keys()) from None
    return _ENCODER.encode(dict(pairs))


def _why(body: bytes) -> Problem:
    """Why a body is no JSON object; it may be larger than one event may be."""
    try:
        decode.parse(body)
    except decode.Refused as refused:
        if refused.problem.status != 413:
            return refused.problem
    return Problem(400, "malformed_json", "Not JSON", "The body is not JSON; nothing was stored.")


def _whole(status: int, code: str, title: str, detail: str, **extra: Any) -> ProblemError:
    return ProblemError(Problem(status, code, title, detail, **extra))
