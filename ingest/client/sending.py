"""Events into the queue."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ingest import accept
from ingest.accept import Incoming, Receipt
from ingest.api.keys import Sender
from ingest.api.schema import Rejected, Ways, read_event
from ingest.callbacks import CallbackRefused, targets
from ingest.client.errors import IdReused, Unavailable

#: Code in this project: nothing is set for it.
_US: Final = Sender("client", frozenset({"ingest"}), None)
#: Kinds that only code of this project sends are known to it.
INTERNAL: Final = Ways(internal=True)
#: Not a field of an event.
_CALLBACK: Final = "callback"


def enqueue(kind: str = "alert", /, **fields: Any) -> Receipt:
    """Take one event in; returns when it is stored durably, with the job's id, or the first copy's if it is one.

    The fields are the contract's: `id` (the idempotency key), `source`, `tenant`, `priority`, `severity`,
    `delay_seconds`, `run_at` (may be a datetime), `callback_url`, `payload` and those of the kind; others are kept.
    `callback` is a function of CALLBACKS, or its dotted path, that is told what becomes of the job.

    Raises ValueError, which names the field and its limit; IdReused; Unavailable, also for a full queue.
    """
    return stored(accepted(accept.accept, [event_of({"kind": kind, **fields})]))[0]


def enqueue_many(events: Iterable[Mapping[str, Any]]) -> list[Receipt]:
    """Take many events in, each with the fields that `enqueue` takes and its `kind` (alert); a receipt for each.

    All are checked first: ValueError says which one is wrong, and none is stored then. Returns when all are stored;
    IdReused and Unavailable have the receipts of those that were, where not all were. They go in the order given, a
    hundred a call, the next one being encoded meanwhile: over 10,000 a second.
    """
    incoming = []
    for number, event in enumerate(events):
        try:
            incoming.append(event_of(event))
        except ValueError as error:
            raise ValueError(f"event {number}: {error}") from None
    return stored(accepted(accept.accept, incoming)) if incoming else []


def event_of(fields: Mapping[str, Any]) -> Incoming:
    """The event as the other ways in would read it. Raises ValueError."""
    sent = {name: value for name, value in fields.items() if name != _CALLBACK}
    read = read_event(as_json(sent), _US, INTERNAL)
    if isinstance(read, Rejected):
        raise ValueError(read.problem.detail)
    callback = fields.get(_CALLBACK)
    return read if callback is None else replace(read, callback=_path(callback))


def as_json(event: Mapping[str, Any]) -> bytes:
    """One JSON object; datetimes become RFC 3339. Raises ValueError for what JSON cannot say."""
    try:
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("A text holds half of a surrogate pair.") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"The event cannot be sent as JSON: {error}") from None


def accepted(take: Callable[[Sequence[Incoming]], list[Receipt]], events: Sequence[Incoming]) -> list[Receipt]:
    """Through the one door. Raises Unavailable."""
    try:
        return take(events)
    except accept.Unavailable as error:
        raise unavailable(error) from error


def unavailable(error: accept.Unavailable) -> Unavailable:
    return Unavailable(error.detail, unknown=error.unknown)


def stored(receipts: list[Receipt]) -> list[Receipt]:
    """The receipts, when every event was stored. Raises Unavailable and IdReused."""
    left = [receipt for receipt in receipts if not receipt.stored]
    if not left:
        return receipts
    outcomes = {receipt.outcome for receipt in left}
    done = receipts if len(left) < len(receipts) or outcomes == {"id_reused"} else ()
    of = "" if len(receipts) == 1 else f" {len(left):,} of {len(receipts):,} events were not stored."
    if "unknown" in outcomes or "unavailable" in outcomes:
        raise Unavailable(f"Redis and the database went away.{of}", unknown="unknown" in outcomes, receipts=done)
    if "full" in outcomes:
        full = sorted({receipt.event.severity.mapped.value for receipt in left if receipt.outcome == "full"})
        raise Unavailable(f"The queue {' and '.join(full)} is full.{of}", receipts=done)
    raise IdReused(f"The id {left[0].event.event_id} is taken by an event with another body.{of}", receipts)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _path(callback: Any) -> str:
    """A callback as the job keeps it. Raises ValueError."""
    path = f"{callback.__module__}.{callback.__qualname__}" if callable(callback) else callback
    if not isinstance(path, str):
        raise ValueError("callback must be a function or its dotted path.")
    try:
        targets.check(path)
    except CallbackRefused as refused:
        raise ValueError(f"callback {refused}.") from None
    return path
