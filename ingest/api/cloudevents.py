"""CloudEvents 1.0 over HTTP, in all three modes, as events of ours.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md

`id`, `source` and `time` are the event's own, `type` and all further attributes are labels, the fields of
`data` are the event's fields, `queueadminkind` is its kind. Data that is no object goes into `payload`.
What was sent is copied as text and not written anew, so that numbers stay exact.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import msgspec

from ingest.api.decode import Item, Refused, parse
from ingest.api.problems import Problem

#: Content types of the structured and the batched mode.
STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
#: The header whose presence means binary mode.
BINARY: Final = "ce-specversion"
#: The attribute that names the kind.
KIND: Final = "queueadminkind"

Raw = dict[str, msgspec.Raw]
_FIELDS: Final = msgspec.json.Decoder(Raw)
_TEXT: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()

_REQUIRED: Final = ("specversion", "id", "source", "type")
#: Those that become a field of ours, and its name.
_OURS: Final = {"id": "id", "source": "source", "time": "occurred_at", KIND: "kind"}
_NOT_LABELS: Final = frozenset({*_OURS, "specversion", "data", "data_base64", "datacontenttype"})


def read_structured(item: Item) -> Item:
    """One structured CloudEvent as an event of ours. Raises Refused."""
    parse(item.raw)  # strict: what it lets through, the copies below may keep as it is
    event = _FIELDS.decode(item.raw)
    attributes: Raw = {name: value for name, value in event.items() if bytes(value) != b"null"}
    data = attributes.get("data")
    if data is None and "data_base64" in attributes:
        data = _from_base64(_word("data_base64", attributes["data_base64"]), _content_type(attributes))
    return Item(_event(attributes, data), item.line)


def read_binary(headers: Mapping[str, str], body: bytes) -> Item:
    """A CloudEvent in binary mode: attributes in `ce-` headers, data as the body. Raises Refused."""
    attributes: Raw = {
        name[3:]: msgspec.Raw(_ENCODER.encode(unquote(value)))
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    data = _data(body, headers.get("content-type", "")) if body else None
    return Item(_event(attributes, data))


def _event(attributes: Raw, data: msgspec.Raw | None) -> bytes:
    for name in _REQUIRED:
        if name not in attributes or not _word(name, attributes[name]):
            raise _refused(name, "missing", f"A CloudEvent needs {name}.")
    if (version := _word("specversion", attributes["specversion"])) != "1.0":
        raise _refused("specversion", "invalid_value", f"specversion must be 1.0, not {version[:20]!r}.")
    fields: Raw = {}
    if data is not None:
        is_object = bytes(data).lstrip()[:1] == b"{"
        fields = _FIELDS.decode(data) if is_object else {"payload": data}
    labels = {name: _label(name, value) for name, value in attributes.items() if name not in _NOT_LABELS}
    given = fields.get("labels")
    if given is None:
        fields["labels"] = msgspec.Raw(_ENCODER.encode(labels))
    elif bytes(given).lstrip()[:1] == b"{":  # anything else is refused where events are checked
        fields["labels"] = msgspec.Raw(_ENCODER.encode({**_FIELDS.decode(given), **labels}))
    fields |= {ours: attributes[name] for name, ours in _OURS.items() if name in attributes}
    return _ENCODER.encode(fields)


def _data(body: bytes, content_type: str) -> msgspec.Raw:
    """JSON as it is, text as a text, anything else as base64."""
    media, _, _ = content_type.partition(";")
    media = media.strip().lower()
    if not media or media == "application/json" or media.endswith("+json"):
        if body.lstrip(b" \t\r\n")[:1] == b"{":
            parse(body)
        else:
            parse(b'{"data":' + body + b"}")
        return msgspec.Raw(body)
    try:
        return msgspec.Raw(_ENCODER.encode(body.decode()))
    except UnicodeDecodeError:
        return msgspec.Raw(_ENCODER.encode(base64.b64encode(body).decode()))


def _from_base64(text: str, content_type: str) -> msgspec.Raw:
    try:
        return _data(base64.b64decode(text, validate=True), content_type or "application/octet-stream")
    except (binascii.Error, ValueError):
        raise _refused("data_base64", "invalid_value", "data_base64 must be base64.") from None


def _content_type(attributes: Raw) -> str:
    given = attributes.get("datacontenttype")
    return _word("datacontenttype", given) if given is not None else ""


def _word(name: str, value: msgspec.Raw) -> str:
    """An attribute that must be a text."""
    try:
        return _TEXT.decode(value)
    except msgspec.ValidationError:
        raise _refused(name, "wrong_type", f"{name} must be a text.") from None


def _label(name: str, value: msgspec.Raw) -> msgspec.Raw:
    """Attributes are texts, whole numbers or true and false (the spec's types in JSON)."""
    if bytes(value).lstrip()[:1] in (b"{", b"["):
        raise _refused(name, "wrong_type", f"{name} must be a text, a number, or true or false.")
    return value


def _refused(field: str, code: str, detail: str) -> Refused:
    return Refused(Problem(422, code, "Not a CloudEvent", detail, field=field))
