"""Dead letters by groups, and as a file."""

from typing import Final

from queueadmin.console.api.dead_letters import LOOKED_AT
from queueadmin.console.failures.triage import SORTS, TREND
from queueadmin.console.models import FailureGroup
from queueadmin.console.openapi.lists import all_of, limit
from queueadmin.console.openapi.parts import (
    COUNT,
    MOMENT,
    Operations,
    Schema,
    json_answer,
    members,
    nullable,
    operation,
    parameter,
    ref,
    text,
)

_TAG: Final = "Dead letters"


def dead_letter_shapes() -> dict[str, Schema]:
    """Components: DeadLetterGroup, DeadLetterGroups."""
    counts = {"type": "object", "additionalProperties": COUNT}
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
        "count": COUNT,
        "first_at": nullable(MOMENT),
        "last_at": nullable(MOMENT),
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
            "items": COUNT,
            "description": f"Failures in {TREND} parts of the time since they began; empty while there is no index.",
        },
    }
    return {
        "DeadLetterGroup": members(group),
        "DeadLetterGroups": all_of(
            "DeadLetterGroup",
            groups={**COUNT, "description": "How many there are, shown or not."},
            scanned={**COUNT, "description": "Dead letters that match, as far as they were looked at."},
            complete={"type": "boolean", "description": "false: there are more than were looked at."},
        ),
    }


def dead_letters() -> Operations:
    sort = {"type": "string", "enum": list(SORTS), "default": SORTS[0]}
    form = {"type": "string", "enum": ["csv", "jsonl"], "default": "jsonl"}
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
                    limit("Groups of the answer."),
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
