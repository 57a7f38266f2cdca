"""What travels in a job: one event and what acceptance fixed about it.

The form is that of RQ's JSON serializer, `["ingest.jobs.process_event", null, [envelope], {}]`, so
a stock RQ worker can run the job too. The event inside is the client's own bytes: it is never
re-encoded, so integers stay exact and unknown fields stay as sent. The job's id is not in it: the job's
key has it already, and a million queued alerts would take 27 MB more.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from isal import isal_zlib

#: The version of the envelope that this code writes, and the only one that it reads.
VERSION: Final = 1
#: The one function that a job of ours may name.
FUNCTION: Final = "ingest.jobs.process_event"

#: Bytes of one event as it is sent, of most kinds.
ITEM_BYTES: Final = 256 * 1024
#: Below this size zlib saves little and is not worth its time; 1 KB becomes 0.6.
COMPRESS_FROM: Final = 400
#: A job is at most some MiB; a small compressed field that unfolds to more is an attack.
MAX_DATA: Final = 64 * 1024 * 1024


class Payload(msgspec.Struct, frozen=True, gc=False):
    """One event on its way to its handler."""

    #: The job's id and the event's id of ours.
    id: str
    kind: str
    #: Aware, UTC, microseconds. Fixed at acceptance: it is part of the row's key.
    received_at: datetime
    priority: str
    source: str
    tenant: str
    #: The client's id.
    event_id: str | None
    #: The event exactly as it was sent: one JSON object.
    body: bytes


class Unreadable(Exception):
    """This data is no job of ours; `reason` is the dead letter's reason."""

    #: It will be no more readable the next time.
    retry = False

    def __init__(self, message: str, reason: Literal["unreadable", "not_allowed"] = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason


class _Head(msgspec.Struct):
    v: int
    kind: str
    received_at: datetime
    priority: str
    source: str
    tenant: str = ""
    event_id: str | None = None
    #: Only where it is not the job's: a stock client that enqueues one event twice gives its jobs other ids.
    id: str = ""


class _Envelope(_Head, kw_only=True, omit_defaults=True):
    event: msgspec.Raw


class _NoKeywords(msgspec.Struct, forbid_unknown_fields=True):
    pass


_OURS: Final = msgspec.json.Decoder(tuple[Literal["ingest.jobs.process_event"], None, tuple[_Envelope], _NoKeywords])
_ANY_CALL: Final = msgspec.json.Decoder(tuple[str, msgspec.Raw, msgspec.Raw, msgspec.Raw])
_ANY_VERSION: Final = msgspec.json.Decoder(tuple[str, msgspec.Raw, tuple[dict[str, msgspec.Raw]], msgspec.Raw])
_ENCODER: Final = msgspec.json.Encoder()


def encode(payload: Payload) -> bytes:
    """RQ's `data` field; zlib-compressed, as RQ does, from COMPRESS_FROM bytes on.

    `payload.body` must be one valid JSON object: it goes in as it is.
    """
    envelope = _Envelope(
        VERSION,
        payload.kind,
        payload.received_at,
        payload.priority,
        payload.source,
        payload.tenant,
        payload.event_id,
        event=msgspec.Raw(payload.body),
    )
    data = _ENCODER.encode((FUNCTION, None, (envelope,), {}))
    if len(data) < COMPRESS_FROM:
        return data
    # Half of what taking an alert in costs was zlib: 29 µs. ISA-L writes the same format in 11, for 2 % more bytes.
    return isal_zlib.compress(data, 1)


def decode(data: bytes, job_id: str) -> Payload:
    """Read the `data`, compressed or not, of the job with this id. Raises Unreadable."""
    envelope = _read(data)
    return _payload(job_id, envelope, bytes(envelope.event))


def body_of(data: bytes) -> bytes:
    """The event in `data` exactly as it was sent. Raises Unreadable."""
    return bytes(_read(data).event)


def from_envelope(envelope: Mapping[str, Any], job_id: str) -> Payload:
    """The payload as a stock RQ worker hands it over: already parsed by `json`. Raises Unreadable.

    The body is written anew here: the same JSON value, though not byte for byte the client's text.
    """
    try:
        head = msgspec.convert(dict(envelope), _Head)
        event = envelope["event"]
        if not isinstance(event, dict):
            raise Unreadable("the event is not an object")
        body = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (msgspec.MsgspecError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"the job's envelope cannot be read: {error}") from None
    _check(head)
    return _payload(job_id, head, body)


def _read(data: bytes) -> _Envelope:
    plain = inflated(data)
    try:
        ((envelope,)) = _OURS.decode(plain)[2]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _why(plain, error) from None
    _check(envelope)
    return envelope


def _check(head: _Head) -> None:
    if head.v != VERSION:
        raise Unreadable(f"the job's payload has version {head.v}; this worker reads {VERSION}")
    if head.received_at.tzinfo is None:
        raise Unreadable("the job's received_at has no time zone")


def _payload(job_id: str, head: _Head, body: bytes) -> Payload:
    return Payload(
        head.id or job_id, head.kind, head.received_at, head.priority, head.source, head.tenant, head.event_id, body
    )


def inflated(data: bytes) -> bytes:
    """A job's `data` as JSON: RQ compresses it, and reads both forms; so do we, but with a bound. Raises Unreadable."""
    if data[:1] in (b"[", b""):  # no zlib stream begins so
        return data
    try:
        reader = isal_zlib.decompressobj()
        plain = reader.decompress(data, MAX_DATA)
    except isal_zlib.error:  # type: ignore[misc] # its stubs have an instance here
        return data
    if not reader.eof:
        raise Unreadable("the job's data is cut off or too large")
    return plain


def _why(plain: bytes, error: Exception) -> Unreadable:
    """The reason, found the slow way, when the one fast pass failed."""
    try:
        function = _ANY_CALL.decode(plain)[0]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return Unreadable(f"the job's data cannot be read: {error}")
    if function != FUNCTION:
        return Unreadable(f"the function {function[:200]!r} is not allowed", "not_allowed")
    try:
        version = bytes(_ANY_VERSION.decode(plain)[2][0].get("v", msgspec.Raw(b"none"))).decode()
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        version = str(VERSION)
    if version != str(VERSION):
        return Unreadable(f"the job's payload has version {version[:20]}; this worker reads {VERSION}")
    return Unreadable(f"the job's envelope cannot be read: {error}")
