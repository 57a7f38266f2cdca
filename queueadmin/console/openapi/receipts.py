"""What a sender is told of what was sent."""

from typing import Final

from django.conf import settings

from queueadmin.console.openapi.lists import items
from queueadmin.console.openapi.parts import COUNT, ID, JOB_STATES, Schema, members, ref, text

#: Of a job in its queue.
POSITION: Final = "Its place in its queue: 1 is next; `>10000` past the cap; null once started."


def receipt_shapes() -> dict[str, Schema]:
    """Components: receipts of one event and of many, what was refused and why."""
    priority = {"enum": list(settings.PRIORITIES)}
    durability = {"enum": ["redis", "database"], "description": "Where it is safe: fsynced, or committed."}
    event_id = {"type": ["string", "null"], "description": "Yours."}
    receipt: dict[str, Schema] = {
        "id": {**ID, "description": "Ours: the job's."},
        "event_id": event_id,
        "status": {"enum": list(JOB_STATES), "description": "A duplicate has its first copy's state."},
        "duplicate": {"type": "boolean", "description": "It was stored before."},
        "durability": durability,
        "kind": {"type": "string"},
        "priority": priority,
        "queue": priority,
        "severity": members(
            {"raw": {"type": ["string", "null"]}, "mapped": priority, "by": {"type": "string"}},
            description="What was said, what it became, and by what.",
        ),
        "warnings": {"type": "array", "items": ref("Warning")},
    }
    counts: dict[str, Schema] = dict.fromkeys(("received", "accepted", "duplicates", "rejected"), COUNT)
    stored: dict[str, Schema] = {
        "index": COUNT,
        "status": {"const": 202},
        "id": ID,
        "event_id": event_id,
        "priority": priority,
        "duplicate": {"type": "boolean"},
        "warnings": {"type": "array", "items": ref("Warning")},
    }
    refused: dict[str, Schema] = {
        "index": COUNT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "event_id": event_id,
        "error": ref("ItemError"),
        "retryable": {"type": "boolean"},
    }
    error: dict[str, Schema] = {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "detail": {"type": "string", "description": "For people: what is wrong, and what would be right."},
        "code": {"type": "string", "description": "For programs; docs/ingest.md has them all."},
    }
    problem = {
        **error,
        "status": {"type": "integer"},
        "retryable": {"type": "boolean", "description": "Whether the same may work later."},
        "field": {"type": "string", "description": "Where."},
        "limit": {"description": "Which limit, or how much it is."},
        "limit_value": {"type": "number"},
        "items": items("Item"),
    }
    alert_id = text("Your id of the event, else ours.")
    position = {"type": ["integer", "string", "null"], "description": POSITION}
    return {
        "TaskReceipt": members(
            {
                **receipt,
                "task_id": text("Your id of the task, else ours."),
                "task_type": {"type": "string"},
                "position": position,
            }
        ),
        "Receipt": members(receipt, description="What became of one event."),
        "AlertReceipt": members(
            {
                **receipt,
                "status": {"enum": [*JOB_STATES, "processing"], "description": "`processing` without Redis."},
                "alert_id": alert_id,
            }
        ),
        "MessageReceipt": members(
            {
                **receipt,
                "position": {
                    "type": ["integer", "string", "null"],
                    "description": "Its place in its queue: 1 is next; `>10000` past the cap; null: it does not wait.",
                },
            }
        ),
        "BatchReceipt": members(
            {
                "batch_id": ID,
                "durability": durability,
                **counts,
                "items": items("Item"),
                "warnings": {"type": "array", "items": ref("Warning"), "description": "About all of it, on hooks."},
            },
            required=["batch_id", "durability", *counts],
            description="`items` on 207, and when `Prefer: return=representation` asks for them.",
        ),
        "Item": {
            "oneOf": [
                members(stored, title="stored"),
                members(
                    {**refused, "points": {**COUNT, "description": "Of a job of points that was refused."}},
                    required=list(refused),
                    title="refused",
                ),
            ]
        },
        "Warning": members(
            {"code": {"type": "string"}, "detail": {"type": "string"}, "value": {"type": "string"}},
            description="It was taken, though not quite as it was sent.",
        ),
        "ItemError": members(error),
        "Problem": {
            "type": "object",
            "description": "RFC 9457, with further members by code.",
            "required": [*error, "status", "retryable"],
            "properties": problem,
        },
    }
