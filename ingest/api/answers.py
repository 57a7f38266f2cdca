"""Receipts → the answer to a request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import uuid_utils
from django.conf import settings

from ingest.accept import CALL_BYTES, CALL_JOBS, Incoming, Receipt, Unavailable
from ingest.api.intake import ALERT, ENQUEUE, TASKS, Endpoint, Taken
from ingest.api.preferences import Preferences
from ingest.api.problems import PROBLEM_TYPE, Problem, ProblemError
from ingest.api.schema import Rejected

#: Outcomes that are worth another try.
_AGAIN: Final = frozenset({"full", "unavailable", "unknown"})


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch of which something was stored."""

    id: str
    durability: str
    counts: dict[str, int]
    #: As the answer shows them.
    items: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, before a face puts it on the wire."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    #: Sending the same again may get another one.
    again: bool = False
    batch: Batch | None = None


def check_strict(taken: Taken, prefer: Preferences) -> None:
    """With handling=strict nothing is stored when an item is bad, or when they are more than one call.

    Raises ProblemError 422, or 503 when it is only that the sender should try again.
    """
    if not prefer.strict or taken.single:
        return
    events = taken.events
    if len(events) < len(taken.items):
        raise ProblemError(_whole(taken, [Receipt(event, "", "withheld", "") for event in events]))
    for what, number, most in (
        ("events", len(events), CALL_JOBS),
        ("bytes", sum(len(event.body) for event in events), CALL_BYTES),
    ):
        if number > most:
            detail = f"With handling=strict a request may bring {most:,} {what}, not {number:,}. Nothing was stored."
            title, limit = "Too large for all or nothing", f"strict_{what}"
            raise ProblemError(Problem(422, "strict_too_large", title, detail, limit=limit, limit_value=most))


def answer(
    endpoint: Endpoint,
    taken: Taken,
    receipts: Sequence[Receipt],
    prefer: Preferences = Preferences(),  # noqa: B008
    *,
    position: int | str | None = None,
) -> Answer:
    """The response to a request whose good events got these receipts; `position` is that of a single one."""
    if taken.single:
        return _single(endpoint, taken.items[0], receipts, position)
    if endpoint.hook is not None and not taken.items:
        return _nothing(taken)
    if prefer.strict and not all(receipt.stored for receipt in receipts):
        return problem_answer(_whole(taken, receipts))
    if endpoint.stream:
        return _points(taken, receipts, prefer)
    # A vendor takes 207 for a failure, or for success, as it likes: with one event stored it is told 202.
    return _batch(taken, receipts, prefer, mixed=207 if endpoint.hook is None else 202)


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
    return Answer(problem.status, problem.body(), PROBLEM_TYPE, problem.headers, again=problem.retryable)


def _single(
    endpoint: Endpoint, item: Incoming | Rejected, receipts: Sequence[Receipt], position: int | str | None
) -> Answer:
    refused = item.problem if isinstance(item, Rejected) else _refusal(receipts[0])
    if refused is not None:
        return problem_answer(refused)
    receipt = receipts[0]
    shown = _receipt(receipt)
    if endpoint is ALERT:
        shown["alert_id"] = receipt.event.event_id or receipt.id
        if not settings.REDIS:
            shown["status"] = "processing"
    if endpoint.kind:
        shown["position"] = position
    if endpoint is TASKS:
        shown["task_id"] = receipt.event.event_id or receipt.id
        shown["task_type"] = receipt.event.kind.type
    if endpoint is ENQUEUE:
        shown["dedup_key"] = msgspec.json.decode(receipt.event.body)["dedup_key"]
    return Answer(
        202, msgspec.json.encode(shown), headers={"Location": f"{settings.SCRIPT_NAME}/api/v1/jobs/{receipt.id}"}
    )


def _points(taken: Taken, receipts: Sequence[Receipt], prefer: Preferences) -> Answer:
    """As a batch, counted in points: `queued` of them, the jobs that carry them, and each point that was refused."""
    jobs = [{**_item(place, receipt), "points": receipt.event.points} for place, receipt in enumerate(receipts)]
    queued = sum(receipt.event.points for receipt in receipts if receipt.stored)
    # A refused point has its own place in the body, a chunk only that among the jobs.
    refused = [_rejected(int(str(item.problem.extra["index"])), None, item.problem) for item in _refused(taken)]
    received = len(refused) + sum(receipt.event.points for receipt in receipts)
    counts: dict[str, Any] = {"received": received, "queued": queued, "rejected": received - queued}
    items = refused + [job for job in jobs if "error" in job]
    if not queued:
        if away := next((receipt for receipt in receipts if receipt.outcome in _AGAIN), None):
            return problem_answer(_away(away, **counts, items=items))
        return problem_answer(
            Problem(422, "all_rejected", "No point was accepted", "Each item says why.", **counts, items=items)
        )
    durability = _durability(receipts)
    totals = {"received": received, "accepted": queued, "duplicates": 0, "rejected": received - queued}
    batch = Batch(uuid_utils.uuid7().hex, durability, totals, jobs + refused)
    stored = [{"id": receipt.id, "points": receipt.event.points} for receipt in receipts if receipt.stored]
    shown = {"status": "queued", **counts, "durability": durability, "batch_id": batch.id, "jobs": stored}
    headers = {"Location": f"{settings.SCRIPT_NAME}/api/v1/batches/{batch.id}"}
    if prefer.applied:
        headers["Preference-Applied"] = prefer.applied
    return Answer(
        202 if queued == received else 207,
        msgspec.json.encode(shown | {"items": items} if items else shown),
        headers=headers,
        again=any(item.get("retryable", False) for item in items),
        batch=batch,
    )


def _nothing(taken: Taken) -> Answer:
    """To a body that is well and says nothing: a test of the connection, a comment, a group without alerts."""
    counts = dict.fromkeys(("received", "accepted", "duplicates", "rejected"), 0)
    return Answer(202, msgspec.json.encode({**counts, "warnings": taken.warnings}))


def _batch(taken: Taken, receipts: Sequence[Receipt], prefer: Preferences, mixed: int) -> Answer:
    """202 when all were accepted, `mixed` when some were; else 422, or 503 when the sender should try again."""
    items = _items(taken, receipts)
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
    batch = Batch(uuid_utils.uuid7().hex, _durability(receipts), counts, items)
    shown: dict[str, Any] = {"batch_id": batch.id, "durability": batch.durability, **counts}
    all_stored = stored == len(items)
    if prefer.items or not all_stored:
        shown["items"] = items
    if taken.warnings:
        shown["warnings"] = taken.warnings
    headers = {"Location": f"{settings.SCRIPT_NAME}/api/v1/batches/{batch.id}"}
    if prefer.applied:
        headers["Preference-Applied"] = prefer.applied
    return Answer(
        202 if all_stored else mixed,
        msgspec.json.encode(shown),
        headers=headers,
        again=any(item.get("retryable", False) for item in items),
        batch=batch,
    )


def _items(taken: Taken, receipts: Sequence[Receipt]) -> list[dict[str, Any]]:
    of_event = iter(receipts)
    return [
        _rejected(index, item.event_id, item.problem) if isinstance(item, Rejected) else _item(index, next(of_event))
        for index, item in enumerate(taken.items)
    ]


def _whole(taken: Taken, receipts: Sequence[Receipt]) -> Problem:
    """All or nothing, and it is nothing: 503 when trying again may help with all that was refused, else 422."""
    items = _items(taken, receipts)
    refusals = [item.problem for item in _refused(taken)]
    refusals += (each for receipt in receipts if (each := _refusal(receipt)) and receipt.outcome != "withheld")
    counts: dict[str, Any] = {"received": len(items), "accepted": 0, "duplicates": 0, "rejected": len(items)}
    if all(problem.retryable for problem in refusals):
        first = refusals[0]
        extra = first.extra | counts | {"items": items}
        return Problem(
            first.status, first.code, first.title, first.detail, retryable=True, headers=first.headers, **extra
        )
    detail = f"{len(refusals):,} of {len(items):,} were refused, so none was stored. Each item says why."
    return Problem(422, "strict_refused", "Not all could be stored", detail, **counts, items=items)


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
    if receipt.outcome == "withheld":
        return Problem(424, "withheld", "Not stored", "Another item was refused, and it was to be all or none.")
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
