"""What both faces of taking in have in common: a request's bytes → events. `answers` has the way back."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import parse_qs

from ingest.accept import Incoming
from ingest.api import cloudevents, decode, hooks, keys, limits, mappings, tracking
from ingest.api.hooks import Hook, Written
from ingest.api.inflate import check_encoding
from ingest.api.keys import Sender
from ingest.api.mappings import Mappings
from ingest.api.problems import Problem, ProblemError
from ingest.api.schema import Rejected, Ways, read_event
from ingest.kinds import TASK
from ingest.priorities import Priority

Format = Literal["json", "ndjson", "cloudevent", "cloudevents", "binary", "form", "points"]

_FORMATS: Final[dict[str, Format]] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    cloudevents.STRUCTURED: "cloudevent",
    cloudevents.BATCH: "cloudevents",
}
_CHARSETS: Final = frozenset({"", "utf-8", "utf8", "us-ascii"})
#: What an answer names, one for each format.
_FORM: Final = "application/x-www-form-urlencoded"
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
    #: The one kind of all its events, whose answers tell the position as well; "": they say it themselves.
    kind: str = ""
    #: A vendor's own webhook.
    hook: Hook | None = None
    #: Takes points, in any of their formats, and this is how they come; "": it takes events.
    stream: str = ""

    @property
    def vendor(self) -> str:
        return self.hook.vendor if self.hook is not None else ""

    @property
    def key_member(self) -> str:
        """The member of the body that holds the key; "": the headers do."""
        return self.hook.key_member if self.hook is not None else ""


EVENTS: Final = Endpoint("/api/v1/events", batch=True)
ALERT: Final = Endpoint("/api/alerts/event", batch=False, default_priority=Priority.LOW)
TASKS: Final = Endpoint("/api/tasks", batch=False, kind=TASK.name)
MESSAGES: Final = Endpoint("/api/messages", batch=False, kind="message")
#: PagerDuty's Events API v2.
ENQUEUE: Final = Endpoint("/v2/enqueue", batch=False, hook=hooks.ENQUEUED)
#: What Prometheus posts to an Alertmanager.
POSTED: Final = Endpoint("/api/v2/alerts", batch=True, over_rate=503, hook=hooks.POSTED)
#: By path.
ENDPOINTS: Final = {endpoint.path: endpoint for endpoint in (EVENTS, ALERT, MESSAGES, TASKS, ENQUEUE, POSTED)}
#: Trackers never heard of 429.
TRACKING: Final = {
    path: Endpoint(path, batch=True, over_rate=503, stream=stream)
    for path, stream in (
        ("/tracking/live", "live"),
        ("/tracking/upload", "upload"),
        ("/tracking/flymaster/upload/file", "flymaster"),
        ("/scoring/batch", "scoring"),
    )
}
HOOKS_PATH: Final = "/api/v1/hooks/"
#: Alertmanager and SNS never repeat what was answered 429, so hooks say 503.
HOOKS: Final = {
    f"{HOOKS_PATH}{vendor}": Endpoint(f"{HOOKS_PATH}{vendor}", batch=True, over_rate=503, hook=hook)
    for vendor, hook in hooks.HOOKS.items()
}


def endpoint_at(path: str) -> Endpoint | None:
    return ENDPOINTS.get(path) or HOOKS.get(path) or TRACKING.get(path)


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's headers say about its body."""

    format: Format
    #: "" for none.
    encoding: str
    headers: Mapping[str, str]
    #: Whose points these are, where they do not say so themselves: the URL's `device_id`. "": nobody's.
    device_id: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A request's events, read: in their order, the good ones and the refused ones."""

    items: tuple[Incoming | Rejected, ...]
    #: One object, so the answer is one receipt.
    single: bool
    #: About the request as a whole.
    warnings: tuple[dict[str, str], ...] = ()
    #: Alerts that the vendor left out of a group.
    truncated: int = 0

    @property
    def events(self) -> list[Incoming]:
        return [item for item in self.items if isinstance(item, Incoming)]


def check_head(endpoint: Endpoint, headers: Mapping[str, str], query: str = "") -> Head:
    """Refuses what can be refused without reading the body. Raises ProblemError 413 or 415."""
    encoding = check_encoding(headers.get("content-encoding", ""))
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.WIRE_BYTES:
        raise limits.body_too_large()
    device_id = parse_qs(query).get("device_id", [""])[0] if endpoint.stream else ""
    return Head(_format(endpoint, headers), encoding, headers, device_id)


def url_key(endpoint: Endpoint, query: str) -> keys.Elsewhere:
    """The key that a hook's URL carries; others take none from there."""
    return keys.in_url(query) if endpoint.path in HOOKS else keys.NOWHERE


def body_key(endpoint: Endpoint, body: bytes) -> keys.Elsewhere:
    """The key that a body carries, as far as it can be read."""
    try:
        found = decode.parse(body.strip()).get(endpoint.key_member)
    except decode.Refused:
        return keys.NOWHERE
    return keys.Elsewhere(in_body=found.strip() if isinstance(found, str) else None)


def read_body(endpoint: Endpoint, head: Head, body: bytes, sender: Sender, said: Mappings = mappings.NONE) -> Taken:
    """The events of a body that is unpacked. Raises ProblemError when the body as a whole cannot be read."""
    ways = Ways(endpoint.default_priority, mappings=said)
    if endpoint.kind:
        ways = replace(ways, kind=endpoint.kind, one_kind=True)
    if endpoint.hook is not None:
        return _read_hook(endpoint.hook, head, body, sender, ways)
    if endpoint.stream:
        points = tracking.Body(body, head.headers.get("content-type", ""), head.device_id)
        return Taken(tracking.read_points(endpoint.stream, points, sender), single=False)
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
    return Taken(tuple(_read(item, sender, ways, read) for item in items), single)


def _read_hook(hook: Hook, head: Head, body: bytes, sender: Sender, ways: Ways) -> Taken:
    paths = functools.partial(ways.mappings.fields_of, key_id=sender.key_id)
    found = hooks.read(hook, body, form=head.format == "form", source=sender.source, paths=paths)
    items = tuple(_read_alert(hook, each, sender, ways) for each in found.alerts)
    return Taken(items, found.single and bool(items), found.warnings, found.truncated)


def _read_alert(hook: Hook, alert: Written | Problem, sender: Sender, ways: Ways) -> Incoming | Rejected:
    if isinstance(alert, Problem):
        return Rejected(None, alert, sender.source or hook.vendor)
    default = alert.default or ways.default_priority
    event = read_event(alert.raw, sender, replace(ways, default_priority=default, scale=alert.scale))
    if isinstance(event, Rejected):
        return event
    return replace(event, repeat=alert.repeat, warnings=alert.warnings + event.warnings)


def _wrong_shape(detail: str) -> ProblemError:
    return ProblemError(Problem(422, "wrong_type", "Not the right shape", detail))


def _format(endpoint: Endpoint, headers: Mapping[str, str]) -> Format:
    content_type = headers.get("content-type", "")
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if endpoint.stream and charset in _CHARSETS:
        # A file's content says what it is; senders call it text/plain, octet-stream, or nothing.
        return "points"
    if endpoint.hook is not None and charset in _CHARSETS:
        # Vendors say what they like about their JSON: SNS calls it text/plain.
        return "form" if media == _FORM else "json"
    if endpoint.batch and cloudevents.BINARY in headers and media not in (cloudevents.STRUCTURED, cloudevents.BATCH):
        return "binary"
    found = _FORMATS.get(media or "application/json")
    if charset in _CHARSETS and found and (endpoint.batch or found == "json"):
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
    item: decode.Item, sender: Sender, ways: Ways, read: Callable[[decode.Item], decode.Item] | None
) -> Incoming | Rejected:
    try:
        event = read_event((read(item) if read else item).raw, sender, ways)
    except decode.Refused as refused:
        event = Rejected(None, refused.problem, sender.source)
    if isinstance(event, Rejected) and item.line is not None:
        event.problem.extra["line"] = item.line
    return event
