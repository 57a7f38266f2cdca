"""Reading and operating the queues."""

from typing import Any

from django.conf import settings

from queueadmin.console.api import queues as views
from queueadmin.console.openapi.parts import (
    COUNT,
    MOMENT,
    Operations,
    body,
    example,
    json_answer,
    members,
    nullable,
    operation,
    parameter,
    ref,
    text,
)
from queueadmin.console.openapi.reasons import reason
from queueadmin.console.operations import MAX_MINUTES


def queues() -> Operations:
    name = parameter("name", "path", "Its priority.", {"enum": list(settings.PRIORITIES)})
    minutes = {
        "minutes": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "maximum": MAX_MINUTES,
            "description": "Until then; left out: until resumed.",
        }
    }
    named = {"type": ["string", "null"], "description": "null: all of them."}
    done = text("What it did, in a sentence.")

    paused = members({"queue": named, "paused": {"const": True}, "paused_until": nullable(MOMENT), "done": done})
    resumed = members(
        {
            "queue": named,
            "paused": {"type": "boolean"},
            "still_paused": {"type": "array", "items": {"type": "string"}},
            "done": done,
        }
    )
    emptied = members({"queue": {"type": "string"}, "trashed": COUNT, "done": done})
    by_queue = {"type": "object", "additionalProperties": {"type": "integer"}, "description": "By queue."}
    recovered = members({"recovered_alerts": COUNT, "requeued": by_queue, "dead_letters": COUNT})

    def write(
        operation_id: str,
        summary: str,
        description: str,
        answer: dict[str, Any],
        *,
        of_one: bool = True,
        more: dict[str, Any] | None = None,
        sent: dict[str, Any] | None = None,
        parameters: tuple[dict[str, Any], ...] = (),
    ) -> dict[str, dict[str, Any]]:
        wanted = {"type": "object", "properties": {**(more or {}), "reason": reason()}}
        made = operation(
            operation_id,
            "Queues",
            summary,
            f"{description} It is in the audit log.",
            scope="admin",
            parameters=[name, *parameters] if of_one else parameters,
            request=body(
                "Why, and how.", wanted, examples={"why": example({"reason": "the database is slow", **(sent or {})})}
            ),
            answers={200: json_answer("Done.", answer)},
            errors=(404, 413, 415, 422) if of_one else (413, 415, 422),
        )
        return {"post": made}

    older = {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": views.MAX_PROCESSING_TIME,
    }
    return {
        "/api/v1/queues": {
            "get": operation(
                "getQueues",
                "Queues",
                "The queues",
                "What waits in each, how fast it moves, whether it is paused or starved.",
                scope="read",
                answers={200: json_answer("All of them, the most urgent first.", ref("Queues"))},
                errors=(),
            )
        },
        "/api/v1/queues/pause": write(
            "pauseAllQueues", "Pause all queues", "Nothing is claimed.", paused, of_one=False, more=minutes,
            sent={"minutes": 30},
        ),
        "/api/v1/queues/resume": write(
            "resumeAllQueues", "Resume all queues", "Pauses of single queues stay.", resumed, of_one=False
        ),
        "/api/v1/queues/{name}/pause": write(
            "pauseQueue", "Pause a queue", "Nothing of it is claimed.", paused, more=minutes, sent={"minutes": 30}
        ),
        "/api/v1/queues/{name}/resume": write("resumeQueue", "Resume a queue", "It is claimed from again.", resumed),
        "/api/v1/queues/{name}/empty": write(
            "emptyQueue",
            "Empty a queue",
            "What waits in it goes to the trash for 24 hours; more than 100 jobs need a reason.",
            emptied,
        ),
        "/api/admin/queue/recover-stalled": write(
            "recoverStalled",
            "Recover stalled jobs",
            "Jobs whose worker died go back into their queues now, and not only when maintenance gets there.",
            recovered,
            of_one=False,
            more={"max_processing_time": {**older, "type": ["number", "null"], "description": "As the parameter."}},
            parameters=(
                parameter("max_processing_time", "query", "Also those that run for so many seconds.", dict(older)),
            ),
        ),
    }  # fmt: skip
