"""What became of jobs so far."""

from typing import Final

from ingest.kinds import KINDS
from queueadmin.console.openapi.parts import (
    COUNT,
    Operations,
    Schema,
    example,
    json_answer,
    members,
    operation,
    parameter,
    ref,
)

_COUNTS: Final = {
    "pending": "Wait to be claimed, or for the first time that they may run.",
    "processing": "Run now.",
    "retrying": "Wait for another try.",
    "completed": "Came to their end, ever.",
    "dead": "Dead letters now.",
    "total": "All of these together.",
}
_SAMPLE: Final = {"pending": 4, "processing": 1, "retrying": 0, "completed": 95, "dead": 5, "total": 105,
                  "success_rate": 95.0}  # fmt: skip
_WORKERS: Final = {"workers": 2, "busy": 1, "utilisation": 41.5}


def statistics() -> Operations:
    shown = {"kind": "task", "task_type": None, **_SAMPLE, "workers": _WORKERS, "task_types": {"review": _SAMPLE}}
    return {
        "/api/v1/statistics": {
            "get": operation(
                "getStatistics",
                "Jobs",
                "What became of jobs so far",
                "Of all, of one kind or of one task type, and how busy the workers are. With `kind=task` also of each "
                "task type. Jobs in the trash and canceled ones are in none of the numbers.",
                scope="read",
                parameters=[
                    parameter("kind", "query", "Of this kind alone.", {"enum": list(KINDS)}),
                    parameter("task_type", "query", "Of tasks of this type alone.", {"type": "string"}),
                ],
                answers={
                    200: json_answer("The numbers.", ref("Statistics"), examples={"tasks": example(shown)}),
                },
                errors=(422,),
            )
        }
    }


def statistics_shapes() -> dict[str, Schema]:
    counts: dict[str, Schema] = {name: {**COUNT, "description": said} for name, said in _COUNTS.items()}
    percent: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
    counts["success_rate"] = {**percent, "description": "Of those that ended, the ones that completed; null: none did."}
    workers: dict[str, Schema] = {
        "workers": {**COUNT, "description": "That are alive; of a type with workers of its own, those."},
        "busy": COUNT,
        "utilisation": {**percent, "description": "The part of their lives in which they ran something, in percent."},
    }
    of_type: Schema = members(counts)
    return {
        "TaskTypeStatistics": of_type,
        "Statistics": {
            "type": "object",
            "required": ["kind", "task_type", *counts, "workers"],
            "properties": {
                "kind": {"type": ["string", "null"]},
                "task_type": {"type": ["string", "null"]},
                **counts,
                "workers": members(workers),
                "task_types": {"type": "object", "additionalProperties": ref("TaskTypeStatistics")},
            },
        },
    }
