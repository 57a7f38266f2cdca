"""What is read: by the dataclasses that answers are made from."""

from dataclasses import fields
from typing import Final

import msgspec

from ingest.kinds.points import STREAMS
from ingest.reading.shapes import Job, JobError
from queueadmin.console.figures import snapshot
from queueadmin.console.openapi.lists import NEXT, all_of, items
from queueadmin.console.openapi.parts import COUNT, ID, JOB_STATES, LINKS, Schema, members, nullable, ref, text
from queueadmin.console.openapi.receipts import POSITION

_JOB: Final = {
    "id": "Ours.",
    "event_id": "The sender's.",
    "position": POSITION,
    "ahead": "Jobs that come before it, those of higher queues included.",
    "ahead_by_queue": "`ahead` by queue.",
    "attempts": "Executions of its whole life.",
    "attempts_left": "Executions that may follow; a requeue resets it.",
    "crashes": "Executions that ended with their worker.",
    "next_attempt_at": "When a delayed job or a retry is due.",
    "error": "The last failure.",
    "moved_by": "The operator who moved it last.",
    "trashed_from": "Where it was before it was discarded: queued, scheduled or failed.",
    "progress": "What its handler last said of it.",
    "result": "What its handler returned, while that is kept.",
    "task_type": "Of a task.",
    "replay": "The replay that put it back into its queue last, unless somebody else did since.",
    "permanent": "Somebody marked it so: it will never succeed, and replays leave it.",
    "waits_for": "Of one that waits for its turn: the job of its ordering key that has it.",
    "stopping": "It runs and was asked to end: it will be canceled, or finished if it is faster.",
    "eta_seconds": "Seconds until its turn comes, at the present rate.",
    "eta_basis": "What that rests on.",
    "links": "What can be done with it now, by name, and its page.",
}


def read_shapes() -> dict[str, Schema]:
    """Components: jobs, their lists, payloads and batches, queues, health."""
    _, made = msgspec.json.schema_components(
        [Job, JobError, snapshot.QueueState, snapshot.RedisState, snapshot.DatabaseState, snapshot.Spool,
         snapshot.Workers, snapshot.Maintenance],
        ref_template="#/components/schemas/{name}",
    )  # fmt: skip
    for name, each in made.items():
        each["required"] = list(each["properties"])  # an answer has them all
        for field in each["properties"].values():
            field.pop("default", None)
        if not each.get("description"):
            each["description"] = name
    job = made["Job"]["properties"]
    job |= {
        "eta_seconds": {"type": ["number", "null"]},
        "eta_basis": {"type": ["string", "null"]},
        "links": LINKS,
    }
    made["Job"]["required"] = list(job)
    job["state"] = {"enum": list(JOB_STATES)}
    for name in (field.name for field in fields(Job) if field.name.endswith("_at")):
        job[name] = {"type": ["string", "null"], "format": "date-time"}
    made["Job"]["description"] = "One job. Times are RFC 3339, in UTC."
    for name, described in _JOB.items():
        job[name] = {**job[name], "description": described}
    return {**made, **_lists()}


def _lists() -> dict[str, Schema]:
    item: dict[str, Schema] = {
        "index": COUNT,
        "status": {"type": "integer"},
        "id": ID,
        "event_id": {"type": ["string", "null"]},
        "duplicate": {"type": "boolean"},
        "state": {"enum": [*JOB_STATES, None], "description": "Now; null: nothing is kept of it any more."},
        "queue": {"type": ["string", "null"]},
    }
    refused: dict[str, Schema] = {
        "index": COUNT,
        "status": {"type": "integer"},
        "event_id": {"type": ["string", "null"]},
        "error": members({"code": {"type": "string"}, "detail": {"type": "string"}}),
        "retryable": {"type": "boolean"},
    }
    return {
        "Jobs": members(
            {
                "items": items("Job"),
                "missing": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "With `ids`: those that nobody knows.",
                },
                "next": NEXT,
                "scanned": {**COUNT, "description": "Jobs that were looked at for this page."},
                "complete": {
                    "type": "boolean",
                    "description": "False: a queue is longer than is looked through, and more may match.",
                },
            },
            required=["items", "next"],
        ),
        "Payload": members(
            {
                "id": ID,
                "payload": {"description": "The event, any JSON value; null: it cannot be read."},
                "masked": {**COUNT, "description": "Values that may be credentials, and are covered."},
                "size": {**COUNT, "description": "Bytes of the event as it was sent."},
            }
        ),
        "Batch": members(
            {
                "batch_id": ID,
                "durability": {"enum": ["redis", "database"]},
                **dict.fromkeys(("received", "accepted", "duplicates", "rejected"), COUNT),
                "states": {"type": "object", "additionalProperties": COUNT, "description": "Jobs by their state now."},
                "items": {"type": "array", "items": {"oneOf": [members(item), members(refused)]}},
            }
        ),
        "Queues": all_of("QueueState", next={"type": "null"}),
        "Health": members(
            {
                "status": {"enum": ["healthy", "degraded", "unhealthy"]},
                "redis": ref("RedisState"),
                "database": ref("DatabaseState"),
                "spool": ref("Spool"),
                "queues": {"type": "object", "additionalProperties": ref("QueueState")},
                "workers": ref("Workers"),
                "maintenance": ref("Maintenance"),
                "reasons": {"type": "array", "items": {"type": "string"}},
                "next": text("What to do."),
            },
            required=["status"],
            description="Without the right to read, `status` alone.",
        ),
        "QueueStatus": members(
            {
                "queues": {
                    "type": "object",
                    "additionalProperties": members(
                        {
                            "paused": {"type": "boolean"},
                            **dict.fromkeys(
                                ("pending", "parked", "scheduled", "processing", "stalled", "failed", "trash"), COUNT
                            ),
                        }
                    ),
                },
                "total_pending": COUNT,
                **{
                    f"{stream}_points": {
                        "oneOf": [
                            members(
                                {
                                    "pending": {
                                        **nullable(COUNT),
                                        "description": "Jobs, of up to 1,000 points each, that are not done yet; "
                                        "null without Redis.",
                                    },
                                    **dict.fromkeys(("inserted", "duplicates", "rejected"), COUNT),
                                }
                            ),
                            {"type": "null"},
                        ],
                        "description": "Points so far; null: the database does not answer.",
                    }
                    for stream in STREAMS
                },
                "processor": members(
                    {
                        **dict.fromkeys(("processed", "failed", "workers", "busy"), COUNT),
                        "in_per_second": {"type": "number"},
                        "out_per_second": {"type": "number"},
                    }
                ),
            }
        ),
        "QueueHealth": members(
            {
                "redis_available": {"type": "boolean"},
                "queue_status": {"enum": ["healthy", "backlogged", "errors", "unavailable"]},
                "metrics": {"type": "object", "additionalProperties": COUNT},
            }
        ),
    }
