"""What both faces of taking in have in common: a request's bytes → events. `answers` has the way back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ingest.accept import Incoming
from ingest.api import cloudevents, decode, limits
from ingest.api.inflate import check_encoding
from ingest.api.keys import Sender
from ingest.api.problems import Problem, ProblemError
from ingest.api.schema import Rejected, read_event
from ingest.priorities import Priority

Format = Literal["json", "ndjson", "cloudevent", "cloudevents", "binary"]

_FORMATS: Final[dict[str, Format]] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    cloudevents.STRUCTURED: "cloudevent",
    cloudevents.BATCH: "cloudevents",
}
#: What an answer names, one for each format.
_OFFERED: Final = ("application/json", "application/x-ndjson", cloudevents.STRUCTURED, cloudevents.BATCH)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path that takes events in by POST."""

    path: str
    #: Takes many events as well, as an array or as NDJSON; else one object.
    batch: bool
    #: The priority of an event that names neither priority nor severity; None: its kind's.
    default_priority: Priority | None = None
    #: What a key over its rate is answered: 429, or 503 where senders are known never to repeat after a 429.
    over_rate: Literal[429, 503] = 429


EVENTS: Final = Endpoint("/api/v1/events", batch=True)
ALERT: Final = Endpoint("/api/alerts/event", batch=False, default_priority=Priority.LOW)
ENDPOINTS: Final = {endpoint.path: endpoint for endpoint in (EVENTS, ALERT)}


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's headers say about its body."""

    format: Format
    #: "" for none.
    encoding: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """A request's events, read: in their order, the good ones and the refused ones."""

    items: tuple[Incoming | Rejected, ...]
    #: One object, so the answer is one receipt.
    single: bool

    @property
    def events(self) -> list[Incoming]:
        return [item for item in self.items if isinstance(item, Incoming)]


def check_head(endpoint: Endpoint, headers: Mapping[str, str]) -> Head:
    """Refuses what can be refused without reading the body. Raises ProblemError 413 or 415."""
    encoding = check_encoding(headers.get("content-encoding", ""))
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.WIRE_BYTES:
        raise limits.body_too_large()
    return Head(_format(endpoint, headers), encoding, headers)


def read_body(endpoint: Endpoint, head: Head, body: bytes, sender: Sender) -> Taken:
    """The events of a body that is unpacked. Raises ProblemError when the body as a whole cannot be read."""
    read: Callable[[decode.Item], decode.Item] | None = None
    match head.format:
        case "ndjson":
            items, single = decode.split_lines(body), False
        case "binary":
            items, single = [decode.Item(body)], True
            read = lambda item: cloudevents.read_binary(head.headers, item.raw)  # noqa: E731
        case _:
            items, many = decode.split_json(body)
            single = not many
            if many != (head.format == "cloudevents") and head.format != "json":
                raise _wrong_shape(
                    f"{_OFFERED[2 + (head.format == 'cloudevents')]} is one object, and the batch an array."
                )
            if many and not endpoint.batch:
                raise _wrong_shape(f"{endpoint.path} takes one JSON object, not an array.")
            if head.format != "json":
                read = cloudevents.read_structured
    if not items:
        raise ProblemError(Problem(422, "no_events", "No events", "The body holds no event."))
    return Taken(tuple(_read(endpoint, item, sender, read) for item in items), single)


def _wrong_shape(detail: str) -> ProblemError:
    return ProblemError(Problem(422, "wrong_type", "Not the right shape", detail))


def _format(endpoint: Endpoint, headers: Mapping[str, str]) -> Format:
    content_type = headers.get("content-type", "")
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if endpoint.batch and cloudevents.BINARY in headers and media not in (cloudevents.STRUCTURED, cloudevents.BATCH):
        return "binary"
    found = _FORMATS.get(media or "application/json")
    if charset in {"", "utf-8", "utf8", "us-ascii"} and found and (endpoint.batch or found == "json"):
        return found
    possible = _OFFERED if endpoint.batch else _OFFERED[:1]
    raise ProblemError(
        Problem(
            415,
            "unsupported_media_type",
            "Media type not supported",
            f"Content-Type must be {' or '.join(possible)}, in UTF-8, not {content_type[:100]!r}.",
            headers={"Accept-Post": ", ".join(possible)},
            field="Content-Type",
        )
    )


def _read(
    endpoint: Endpoint, item: decode.Item, sender: Sender, read: Callable[[decode.Item], decode.Item] | None
) -> Incoming | Rejected:
    try:
        event = read_event((read(item) if read else item).raw, sender, default_priority=endpoint.default_priority)
    except decode.Refused as refused:
        event = Rejected(None, refused.problem, sender.source)
    if isinstance(event, Rejected) and item.line is not None:
        event.problem.extra["line"] = item.line
    return event
