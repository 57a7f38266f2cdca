"""Undo, and the trash deleted for good."""

from django.conf import settings

from queueadmin.console.api import base
from queueadmin.console.openapi.parts import (
    COUNT,
    MOMENT,
    NO_NUL,
    Operations,
    Schema,
    body,
    example,
    json_answer,
    members,
    nullable,
    operation,
    parameter,
    text,
)
from queueadmin.console.openapi.reasons import why
from queueadmin.console.operations import MOST_PURGED


def trash() -> Operations:
    done = text("What it did, in a sentence.")
    reason = text("For the audit log.", maxLength=base.MAX_REASON, pattern=NO_NUL)
    left = members(
        {
            "id": text("The job's."),
            "state": text("Where it is, or `gone`."),
            "moved_by": nullable(text("Who moved it last.")),
            "moved_at": nullable(MOMENT),
        }
    )
    undone = members(
        {
            "restored": COUNT,
            "left": {"type": "array", "items": left, "description": "Those that could not come back, and why."},
            "replay": {"type": ["integer", "null"], "description": "The replay that brings them back step by step."},
            "done": done,
        }
    )
    named: Schema = {"enum": list(settings.PRIORITIES)}
    wanted = members(
        {
            "queue": {**named, "description": "Whose trash."},
            "confirm": {**named, "description": "Its name once more."},
            "reason": {**reason, "minLength": 1},
        },
        required=["queue", "confirm"],
    )
    purged = members(
        {
            "queue": named,
            "deleted": COUNT,
            "left": {**COUNT, "description": "More that were there then: ask again."},
            "done": done,
        }
    )
    sent = {"queue": "low", "confirm": "low", "reason": "the probe was sold"}
    return {
        "/api/v1/audit/{operation}/undo": {
            "post": operation(
                "undoOperation",
                "Audit",
                "Undo what an operation discarded",
                "Brings back what a discard, an emptied queue or a replay put into the trash within the last 24 hours, "
                "each job to where it was; what somebody moved since is left, and named. More than 10,000 come back "
                "step by step, as a replay. 409 `nothing_to_undo` once nothing is left to bring back. It is in the "
                "audit log.",
                scope="admin",
                parameters=[
                    parameter(
                        "operation",
                        "path",
                        "Its id in the audit log, or `replay-17` for what replay 17 discarded.",
                        {"type": "string", "maxLength": 32, "example": "5f0c9a1be27d4c5f8a3e6b7d90c1e2f3"},
                    )
                ],
                request=why("the wrong filter"),
                answers={
                    200: json_answer("Brought back.", undone),
                    202: json_answer(
                        "Begun.",
                        undone,
                        headers={"Location": {"description": "Where the replay is.", "schema": {"type": "string"}}},
                    ),
                },
                errors=(404, 409, 413, 415, 422),
            )
        },
        "/api/v1/dlq/purge": {
            "post": operation(
                "purgeTrash",
                "Dead letters",
                "Delete a queue's trash for good",
                f"What is in the trash of the queue now, the longest there first, up to {MOST_PURGED:,} jobs. There is "
                "no way back. It needs a reason, and is in the audit log.",
                scope="admin",
                request=body("Which, and why.", wanted, examples={"default": example(sent)}, required=True),
                answers={200: json_answer("Deleted.", purged)},
                errors=(413, 415, 422),
            )
        },
    }
