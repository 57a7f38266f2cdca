"""The components: events and receipts by hand, what is read by the dataclasses that it is made from."""

from dataclasses import fields
from typing import Any, Final

import msgspec
from django.conf import settings

from ingest.api import limits, schema
from ingest.callbacks import targets
from ingest.kinds import KINDS, tasks
from ingest.kinds.alerts import ACTIONS, FINGERPRINT_LENGTH
from ingest.kinds.points import STREAMS
from ingest.reading.shapes import Job, JobError
from queueadmin.console import snapshot
from queueadmin.console.openapi import hooks, messages, tracking
from queueadmin.console.openapi.parts import Schema, nullable, ref, text

#: The contract's words.
JOB_STATES: Final = (
    "spooled", "queued", "scheduled", "retrying", "started", "finished", "failed", "trash", "canceled",
)  # fmt: skip

#: Neither control characters, nor NUL.
_NAME: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_NO_NUL: Final = r"^[^\u0000]*$"
_ID: Final = {"type": "string", "pattern": "^[0-9a-f]{32}$"}

_JOB_FIELDS: Final = {
    "id": "Ours.",
    "event_id": "The sender's.",
    "position": "Its place in its queue: 1 is next; `>10000` past the cap; null once started.",
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
    "waits_for": "Of one that waits for its turn: the job of its ordering key that has it.",
    "stopping": "It runs and was asked to end: it will be canceled, or finished if it is faster.",
    "eta_seconds": "Seconds until its turn comes, at the present rate.",
    "eta_basis": "What that rests on.",
    "links": "What can be done with it now, by name, and its page.",
}


def components() -> dict[str, Schema]:
    """Every named schema."""
    own = hooks.components() | tracking.components() | messages.components()
    return {**_events(), **_receipts(), **own, **_read()}


def _either_case(words: tuple[str, ...]) -> str:
    return "^(" + "|".join("".join(f"[{c.upper()}{c}]" for c in word) for word in words) + ")$"


def _events() -> dict[str, Schema]:
    name = {"type": "string", "maxLength": schema.NAME_LENGTH, "pattern": _NAME}
    time = {"type": "string", "format": "date-time"}
    longest = int(schema.LONGEST_DELAY.total_seconds())
    fields: dict[str, Schema] = {
        "kind": {
            "enum": [*(kind.name for kind in KINDS.values() if not kind.internal), None],
            "description": "What it is, and so who handles it: `alert` unless said otherwise.",
        },
        "id": nullable({**name, "minLength": 1, "description": "Yours: the same id of a source is stored once."}),
        "source": nullable({**name, "description": "Who sends it."}),
        "tenant": nullable({**name, "description": "Whose it is; the key's wins."}),
        "title": nullable({"type": "string", "maxLength": schema.TITLE_LENGTH, "pattern": _NO_NUL}),
        "severity": {
            "type": ["string", "number", "null"],
            "maxLength": schema.SEVERITY_LENGTH,
            "pattern": _NO_NUL,
            "description": "In the source's own words or numbers; it is mapped to a priority.",
        },
        "priority": nullable(
            text(
                f"One of {', '.join(settings.PRIORITIES)}; wins over the severity, and a key may cap it.",
                pattern=_either_case(settings.PRIORITIES),
            )
        ),
        "dedup_key": nullable({**name, "description": "Which problem an alert is about."}),
        "fingerprint": {
            "type": ["string", "null"],
            "maxLength": FINGERPRINT_LENGTH,
            "description": "The vendor's own name of the problem, used where there is no `dedup_key`.",
        },
        "action": {"enum": [*ACTIONS, None], "description": "What an alert does to its problem: `trigger` by default."},
        "occurred_at": nullable({**time, "description": "RFC 3339 with a zone, at most 24 hours ahead."}),
        "labels": nullable({"type": "object", "description": "Any names and values."}),
        "payload": {"description": "Anything; it is kept as it is sent."},
        "delay_seconds": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": longest,
            "description": "Run it so much later; or give `run_at`.",
        },
        "run_at": nullable({**time, "description": "Run it then; a time that has passed means now."}),
        "callback_url": nullable(
            text("Is told what becomes of it.", format="uri", maxLength=targets.LENGTH, pattern=_NO_NUL)
        ),
    }
    cloud = {
        "specversion": {"const": "1.0"},
        "id": {**name, "minLength": 1},
        "source": {**name, "minLength": 1},
        "type": {"type": "string", "minLength": 1, "pattern": _NO_NUL},
        "time": time,
        "subject": {"type": "string", "pattern": _NO_NUL},
        "datacontenttype": {"type": "string", "pattern": _NO_NUL},
        "data": {"description": "The event's fields; anything but an object becomes its `payload`."},
        "data_base64": {"type": "string", "contentEncoding": "base64"},
        "queueadminkind": {"enum": fields["kind"]["enum"]},
    }
    return {
        "Event": {
            "type": "object",
            "description": "Every field may be left out, or be null; others are kept as they are.",
            "properties": fields,
        },
        "Events": {"type": "array", "minItems": 1, "maxItems": limits.ITEMS, "items": ref("Event")},
        "CloudEvent": {
            "type": "object",
            "description": "CloudEvents 1.0 in structured mode. Further attributes become labels.",
            "required": ["specversion", "id", "source", "type"],
            "properties": cloud,
        },
        "CloudEvents": {"type": "array", "minItems": 1, "maxItems": limits.ITEMS, "items": ref("CloudEvent")},
        "Task": _task(fields),
    }


def _task(event: dict[str, Schema]) -> Schema:
    hints: dict[str, Schema] = {
        "max_retries": {"type": ["integer", "null"], "minimum": 0, "maximum": tasks.MOST_RETRIES},
        "timeout": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": tasks.LONGEST_TIMEOUT,
            "description": "Seconds that one execution may take.",
        },
    }
    words = _either_case(("critical", "high", "normal", "medium", "low"))
    same = ("source", "tenant", "title", "labels", "delay_seconds", "run_at", "callback_url")
    return {
        "type": "object",
        "description": "One task. Other fields are kept as they are.",
        "required": ["task_type"],
        "properties": {
            "task_id": {**event["id"], "description": "Yours, and the idempotency key."},
            "task_type": {
                **({"enum": sorted(tasks.TYPES)} if tasks.TYPES else {"type": "string"}),
                "description": "Which handler runs it, with that type's retries, timeout and the rest.",
            },
            "payload": {
                "type": ["object", "null"],
                "description": "What the handler gets, with hints that win over the type's.",
                "properties": hints,
            },
            "priority": {
                "anyOf": [
                    {"type": "string", "pattern": words},
                    {"type": "integer", "minimum": 0, "maximum": 3},
                    {"type": "null"},
                ],
                "description": "critical, high, normal (medium) or low, or 3 to 0; normal by default.",
            },
            **{name: event[name] for name in same},
        },
    }


def _receipts() -> dict[str, Schema]:
    priority = {"enum": list(settings.PRIORITIES)}
    durability = {"enum": ["redis", "database"], "description": "Where it is safe: fsynced, or committed."}
    count = {"type": "integer", "minimum": 0}
    event_id = {"type": ["string", "null"], "description": "Yours."}
    receipt: dict[str, Schema] = {
        "id": {**_ID, "description": "Ours: the job's."},
        "event_id": event_id,
        "status": {"enum": list(JOB_STATES), "description": "A duplicate has its first copy's state."},
        "duplicate": {"type": "boolean", "description": "It was stored before."},
        "durability": durability,
        "kind": {"type": "string"},
        "priority": priority,
        "queue": priority,
        "severity": _object(
            {"raw": {"type": ["string", "null"]}, "mapped": priority, "by": {"type": "string"}},
            description="What was said, what it became, and by what.",
        ),
        "warnings": {"type": "array", "items": ref("Warning")},
    }
    counts: dict[str, Schema] = dict.fromkeys(("received", "accepted", "duplicates", "rejected"), count)
    stored: dict[str, Schema] = {
        "index": count,
        "status": {"const": 202},
        "id": _ID,
        "event_id": event_id,
        "priority": priority,
        "duplicate": {"type": "boolean"},
        "warnings": {"type": "array", "items": ref("Warning")},
    }
    refused: dict[str, Schema] = {
        "index": count,
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
        "items": {"type": "array", "items": ref("Item")},
    }
    alert_id = text("Your id of the event, else ours.")
    position = {"type": ["integer", "string", "null"], "description": _JOB_FIELDS["position"]}
    return {
        "TaskReceipt": _object(
            {
                **receipt,
                "task_id": text("Your id of the task, else ours."),
                "task_type": {"type": "string"},
                "position": position,
            }
        ),
        "Receipt": _object(receipt, description="What became of one event."),
        "AlertReceipt": _object(
            {
                **receipt,
                "status": {"enum": [*JOB_STATES, "processing"], "description": "`processing` without Redis."},
                "alert_id": alert_id,
            }
        ),
        "MessageReceipt": _object(
            {
                **receipt,
                "position": {
                    "type": ["integer", "string", "null"],
                    "description": "Its place in its queue: 1 is next; `>10000` past the cap; null: it does not wait.",
                },
            }
        ),
        "BatchReceipt": _object(
            {
                "batch_id": _ID,
                "durability": durability,
                **counts,
                "items": {"type": "array", "items": ref("Item")},
                "warnings": {"type": "array", "items": ref("Warning"), "description": "About all of it, on hooks."},
            },
            required=["batch_id", "durability", *counts],
            description="`items` on 207, and when `Prefer: return=representation` asks for them.",
        ),
        "Item": {
            "oneOf": [
                _object(stored, title="stored"),
                _object(
                    {**refused, "points": {**count, "description": "Of a job of points that was refused."}},
                    required=list(refused),
                    title="refused",
                ),
            ]
        },
        "Warning": _object(
            {"code": {"type": "string"}, "detail": {"type": "string"}, "value": {"type": "string"}},
            description="It was taken, though not quite as it was sent.",
        ),
        "ItemError": {"type": "object", "required": list(error), "properties": error},
        "Problem": {
            "type": "object",
            "description": "RFC 9457, with further members by code.",
            "required": [*error, "status", "retryable"],
            "properties": problem,
        },
    }


def _read() -> dict[str, Schema]:
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
        "links": {"type": "object", "additionalProperties": {"type": "string", "format": "uri-reference"}},
    }
    made["Job"]["required"] = list(job)
    job["state"] = {"enum": list(JOB_STATES)}
    for name in (field.name for field in fields(Job) if field.name.endswith("_at")):
        job[name] = {"type": ["string", "null"], "format": "date-time"}
    made["Job"]["description"] = "One job. Times are RFC 3339, in UTC."
    for name, described in _JOB_FIELDS.items():
        job[name] = {**job[name], "description": described}
    return {**made, **_lists()}


def _lists() -> dict[str, Schema]:
    count = {"type": "integer", "minimum": 0}
    item: dict[str, Schema] = {
        "index": count,
        "status": {"type": "integer"},
        "id": _ID,
        "event_id": {"type": ["string", "null"]},
        "duplicate": {"type": "boolean"},
        "state": {"enum": [*JOB_STATES, None], "description": "Now; null: nothing is kept of it any more."},
        "queue": {"type": ["string", "null"]},
    }
    refused: dict[str, Schema] = {
        "index": count,
        "status": {"type": "integer"},
        "event_id": {"type": ["string", "null"]},
        "error": _object({"code": {"type": "string"}, "detail": {"type": "string"}}),
        "retryable": {"type": "boolean"},
    }
    return {
        "Jobs": _object(
            {
                "items": {"type": "array", "items": ref("Job")},
                "missing": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "With `ids`: those that nobody knows.",
                },
                "next": {"type": ["string", "null"], "description": "The next page's cursor; null: this is the last."},
                "scanned": {**count, "description": "Jobs that were looked at for this page."},
                "complete": {
                    "type": "boolean",
                    "description": "False: a queue is longer than is looked through, and more may match.",
                },
            },
            required=["items", "next"],
        ),
        "Payload": _object(
            {
                "id": _ID,
                "payload": {"description": "The event, any JSON value; null: it cannot be read."},
                "masked": {**count, "description": "Values that may be credentials, and are covered."},
                "size": {**count, "description": "Bytes of the event as it was sent."},
            }
        ),
        "Batch": _object(
            {
                "batch_id": _ID,
                "durability": {"enum": ["redis", "database"]},
                **dict.fromkeys(("received", "accepted", "duplicates", "rejected"), count),
                "states": {"type": "object", "additionalProperties": count, "description": "Jobs by their state now."},
                "items": {"type": "array", "items": {"oneOf": [_object(item), _object(refused)]}},
            }
        ),
        "Queues": _object({"items": {"type": "array", "items": ref("QueueState")}, "next": {"type": "null"}}),
        "Health": _object(
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
        "QueueStatus": _object(
            {
                "queues": {
                    "type": "object",
                    "additionalProperties": _object(
                        {
                            "paused": {"type": "boolean"},
                            **dict.fromkeys(
                                ("pending", "parked", "scheduled", "processing", "stalled", "failed", "trash"), count
                            ),
                        }
                    ),
                },
                "total_pending": count,
                **{
                    f"{stream}_points": {
                        "oneOf": [
                            _object(
                                {
                                    "pending": {
                                        **nullable(count),
                                        "description": "Jobs, of up to 1,000 points each, that are not done yet; "
                                        "null without Redis.",
                                    },
                                    **dict.fromkeys(("inserted", "duplicates", "rejected"), count),
                                }
                            ),
                            {"type": "null"},
                        ],
                        "description": "Points so far; null: the database does not answer.",
                    }
                    for stream in STREAMS
                },
                "processor": _object(
                    {
                        **dict.fromkeys(("processed", "failed", "workers", "busy"), count),
                        "in_per_second": {"type": "number"},
                        "out_per_second": {"type": "number"},
                    }
                ),
            }
        ),
        "QueueHealth": _object(
            {
                "redis_available": {"type": "boolean"},
                "queue_status": {"enum": ["healthy", "backlogged", "errors", "unavailable"]},
                "metrics": {"type": "object", "additionalProperties": count},
            }
        ),
    }


def _object(properties: dict[str, Schema], *, required: list[str] | None = None, **more: Any) -> Schema:
    """All of its members are there, unless `required` says less."""
    wanted = list(properties) if required is None else required
    return {"type": "object", "required": wanted, "properties": properties, **more}
