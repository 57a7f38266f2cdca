"""Dead letters by groups, and as a file."""

from typing import Final

from queueadmin.console import job_lists
from queueadmin.console.api import lists
from queueadmin.console.api.dead_letters import LOOKED_AT
from queueadmin.console.failures.triage import SORTS, TREND
from queueadmin.console.models import FailureGroup
from queueadmin.console.openapi.parts import (
    Operations,
    Schema,
    json_answer,
    nullable,
    operation,
    parameter,
    ref,
    text,
)

_TAG: Final = "Dead letters"


def dead_letter_shapes() -> dict[str, Schema]:
    """Components: DeadLetterGroup, DeadLetterGroups."""
    moment = {"type": "string", "format": "date-time"}
    count = {"type": "integer", "minimum": 0}
    counts = {"type": "object", "additionalProperties": count}
    frames = {"type": "array", "items": {"type": "string", "example": "shop/orders.py:charge"}}
    kind_of_error = {
        "type": "object",
        "properties": {
            "type": nullable(text("The exception's.")),
            "message": nullable(text("Without what differs from job to job.")),
            "frames": {**frames, "description": "The application's innermost frames, the outer one first."},
        },
    }
    group: dict[str, Schema] = {
        "id": text("In filters `group:<id>`."),
        "error": kind_of_error,
        "count": count,
        "first_at": nullable(moment),
        "last_at": nullable(moment),
        "queues": {**counts, "description": "How many by queue."},
        "reasons": {**counts, "description": "How many by reason."},
        "status": {"enum": [*FailureGroup.Status.values, None], "description": "What people say of it."},
        "assignee": nullable(text("Whose it is.")),
        "note": nullable(text("What people know of it.")),
        "payloads": {"type": ["integer", "null"], "description": "How many different payloads failed so."},
        "nature": {
            "enum": ["systemic", "poison", None],
            "description": "`systemic`: one cause that many payloads meet; `poison`: few payloads that always fail.",
        },
        "trend": {
            "type": "array",
            "items": count,
            "description": f"Failures in {TREND} parts of the time since they began; empty while there is no index.",
        },
    }
    groups: dict[str, Schema] = {
        "items": {"type": "array", "items": ref("DeadLetterGroup")},
        "groups": {**count, "description": "How many there are, shown or not."},
        "scanned": {**count, "description": "Dead letters that match, as far as they were looked at."},
        "complete": {"type": "boolean", "description": "false: there are more than were looked at."},
    }
    return {
        "DeadLetterGroup": {"type": "object", "required": list(group), "properties": group},
        "DeadLetterGroups": {"type": "object", "required": list(groups), "properties": groups},
    }


def dead_letters() -> Operations:
    sort = {"type": "string", "enum": list(SORTS), "default": SORTS[0]}
    form = {"type": "string", "enum": ["csv", "jsonl"], "default": "jsonl"}
    limit = {"type": "integer", "minimum": 1, "maximum": job_lists.MAX_LIMIT, "default": lists.LIMIT}
    return {
        "/api/v1/dlq/groups": {
            "get": operation(
                "getDeadLetterGroups",
                _TAG,
                "Dead letters of one cause together",
                "Failures with the same exception, the same frames of the application and, but for numbers, ids, hosts "
                "and the like, the same message. The index counts them; without it, and with a `payload.<path>:` term, "
                f"the newest {LOOKED_AT:,} that may match are looked at. A key bound to a tenant sees its own, "
                "without what people say of them.",
                scope="read",
                parameters=[
                    parameter("filter", "query", "As in lists of jobs.", {"type": "string", "example": "queue:high"}),
                    parameter("sort", "query", "The most or the latest first; trend: what grows.", sort),
                    parameter("limit", "query", "Groups of the answer.", limit),
                ],
                answers={200: json_answer("The groups.", ref("DeadLetterGroups"))},
                errors=(422,),
            )
        },
        "/api/v1/dlq/export": {
            "get": operation(
                "exportDeadLetters",
                _TAG,
                "Dead letters as a file",
                "All that the filter chooses, the newest first, credentials masked; of CSV no cell is a formula.",
                scope="read",
                parameters=[
                    parameter("filter", "query", "As in lists of jobs.", {"type": "string", "example": "queue:high"}),
                    parameter("format", "query", "`jsonl`: a JSON object a line.", form),
                ],
                answers={
                    200: {
                        "description": "The file.",
                        "content": {
                            "application/x-ndjson": {"schema": {"type": "string"}},
                            "text/csv": {"schema": {"type": "string"}},
                        },
                    }
                },
                errors=(422,),
            )
        },
    }
