"""What both faces of taking in have in common: a request's bytes → events, receipts → the answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
import uuid_utils
from django.conf import settings

from ingest.accept import Incoming, Receipt, Unavailable
from ingest.api import cloudevents, decode, limits
from ingest.api.inflate import check_encoding
from ingest.api.keys import Sender
from ingest.api.problems import PROBLEM_TYPE, Problem, ProblemError
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


#: Outcomes that are worth another try.
_AGAIN: Final = frozenset({"full", "unavailable", "unknown"})


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, before a face puts it on the wire."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


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


def answer(endpoint: Endpoint, taken: Taken, receipts: Sequence[Receipt], *, prefer: str = "") -> Answer:
    """The response to a request whose good events got these receipts."""
    if taken.single:
        return _single(endpoint, taken.items[0], receipts)
    return _batch(taken, receipts, wants_items="return=representation" in prefer.replace(" ", "").lower().split(","))


def unavailable(error: Unavailable) -> Problem:
    """503: nothing can be stored now."""
    return Problem(
        503,
        "outcome_unknown" if error.unknown else "no_durable_store",
        "Events cannot be stored now",
        error.detail,
        retryable=True,
        headers={"Retry-After": "2"},
    )


def problem_answer(problem: Problem) -> Answer:
    return Answer(problem.status, problem.body(), PROBLEM_TYPE, problem.headers)


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
        event = Rejected(None, refused.problem)
    if isinstance(event, Rejected) and item.line is not None:
        event.problem.extra["line"] = item.line
    return event


def _single(endpoint: Endpoint, item: Incoming | Rejected, receipts: Sequence[Receipt]) -> Answer:
    refused = item.problem if isinstance(item, Rejected) else _refusal(receipts[0])
    if refused is not None:
        return problem_answer(refused)
    receipt = receipts[0]
    shown = _receipt(receipt)
    if endpoint is ALERT:
        shown["alert_id"] = receipt.event.event_id or receipt.id
        if not settings.REDIS:
            shown["status"] = "processing"
    return Answer(202, msgspec.json.encode(shown), headers={"Location": f"/api/v1/jobs/{receipt.id}"})


def _batch(taken: Taken, receipts: Sequence[Receipt], *, wants_items: bool) -> Answer:
    """202 when all were accepted, 207 when some were; else 422, or 503 when the sender should try again."""
    of_event = iter(receipts)
    items = [
        _rejected(index, item.event_id, item.problem) if isinstance(item, Rejected) else _item(index, next(of_event))
        for index, item in enumerate(taken.items)
    ]
    duplicates = sum(receipt.outcome == "duplicate" for receipt in receipts)
    accepted = sum(receipt.outcome == "accepted" for receipt in receipts)
    stored = accepted + duplicates
    counts: dict[str, Any] = {
        "received": len(items),
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": len(items) - stored,
    }
    if not stored:
        again = next((receipt for receipt in receipts if receipt.outcome in _AGAIN), None)
        if again is not None:
            return problem_answer(_away(again, **counts, items=items))
        if shed := next((item.problem for item in _refused(taken) if item.problem.retryable), None):
            shed.extra = shed.extra | counts | {"items": items}
            return problem_answer(shed)
        return problem_answer(
            Problem(422, "all_rejected", "No event was accepted", "Each item says why.", **counts, items=items)
        )
    shown: dict[str, Any] = {"batch_id": uuid_utils.uuid7().hex, "durability": _durability(receipts), **counts}
    all_stored = stored == len(items)
    if wants_items or not all_stored:
        shown["items"] = items
    return Answer(
        202 if all_stored else 207,
        msgspec.json.encode(shown),
        headers={"Preference-Applied": "return=representation"} if wants_items else {},
    )


def _refused(taken: Taken) -> Iterator[Rejected]:
    return (item for item in taken.items if isinstance(item, Rejected))


def _durability(receipts: Sequence[Receipt]) -> str:
    """Of a batch: `database` when any of it is there."""
    return "database" if any(receipt.stored and receipt.durability == "database" for receipt in receipts) else "redis"


def _receipt(receipt: Receipt) -> dict[str, Any]:
    event = receipt.event
    priority = event.severity.mapped
    return {
        "id": receipt.id,
        "event_id": event.event_id,
        "status": receipt.state,
        "duplicate": receipt.outcome == "duplicate",
        "durability": receipt.durability,
        "kind": event.kind.name,
        "priority": priority,
        "queue": priority,
        "severity": {"raw": event.severity.raw, "mapped": priority, "by": event.severity.by},
        "warnings": event.warnings,
    }


def _item(index: int, receipt: Receipt) -> dict[str, Any]:
    event = receipt.event
    refused = _refusal(receipt)
    if refused is not None:
        return _rejected(index, event.event_id, refused)
    return {
        "index": index,
        "status": 202,
        "id": receipt.id,
        "event_id": event.event_id,
        "priority": event.severity.mapped,
        "duplicate": receipt.outcome == "duplicate",
        "warnings": event.warnings,
    }


def _rejected(index: int, event_id: str | None, problem: Problem) -> dict[str, Any]:
    return {
        "index": index,
        "status": problem.status,
        "event_id": event_id,
        "error": problem.as_error(),
        "retryable": problem.retryable,
    }


def _refusal(receipt: Receipt) -> Problem | None:
    """Why this event was not stored; None when it was."""
    if receipt.outcome == "id_reused":
        return Problem(
            409,
            "id_reused",
            "The id is taken",
            "Another event with this id was taken in from this source, with another body.",
            field="id",
            id=receipt.id,
        )
    return _away(receipt) if receipt.outcome in _AGAIN else None


def _away(receipt: Receipt, **extra: Any) -> Problem:
    """503 for what its queue has no room for, and for what no store was there for any more."""
    if receipt.outcome == "full":
        queue = receipt.event.severity.mapped
        limit = settings.QUEUE_LIMITS[queue]
        return Problem(
            503,
            "queue_full",
            "The queue is full",
            f"{limit:,} jobs wait in {queue}, which is its limit; the event was not stored.",
            retryable=True,
            headers={"Retry-After": "10"},
            **{"limit": limit, "queue": queue, **extra},
        )
    error = Unavailable("No durable store was there at this event's turn.", unknown=receipt.outcome == "unknown")
    problem = unavailable(error)
    problem.extra.update(extra)
    return problem
