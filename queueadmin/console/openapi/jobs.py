"""Looking jobs up, and moving them."""

from typing import Any

from django.conf import settings

from ingest.kinds import KINDS
from ingest.reading import lists as listed
from queueadmin.console.api import lists
from queueadmin.console.filters import KEYS
from queueadmin.console.job_address import LONGEST
from queueadmin.console.job_lists import budget
from queueadmin.console.openapi.lists import paging
from queueadmin.console.openapi.parts import (
    Operations,
    body,
    example,
    job_links,
    json_answer,
    operation,
    parameter,
    ref,
)
from queueadmin.console.openapi.reasons import reason

_JOB = "0192f0c4b7a87d3e9a51c2d3e4f50617"


def jobs() -> Operations:
    job_id = parameter(
        "job_id",
        "path",
        "Ours. A stock client's may be any string: one with a slash, a space or the like, or with over 200 characters, "
        f"stands here as `~` and its UTF-8 in base64url, as `links` have it: up to {LONGEST:,} characters.",
        # No maxLength: it counts characters of which each may be twelve in the address, more than a server takes.
        {"type": "string", "example": _JOB},
    )
    queue = {"enum": list(settings.PRIORITIES)}
    kinds = [kind.name for kind in KINDS.values() if not kind.internal]
    found: Operations = {
        "/api/v1/jobs": {
            "get": operation(
                "getJobs",
                "Jobs",
                "Jobs by a filter, or by their ids",
                "What runs and waits comes first, what is over last. A page may hold fewer than `limit`, even none, "
                "and not be the last: go on while `next` is there. At most "
                f"{budget.LOOKED_AT:,} jobs are looked at for one, for about a tenth of a second, and `scanned` says "
                f"how many; of each queue the first {listed.DEPTH:,}: if it is longer `complete` is false. With "
                "`ids` those are answered in the order asked for, and `missing` has the ones that nobody knows.",
                scope="read",
                parameters=[
                    parameter(
                        "filter",
                        "query",
                        f"Terms with spaces between; keys are {', '.join(KEYS)}. A comma is or, `-` in front not, "
                        "double quotes keep together; words without a key are looked for in the event.",
                        {"type": "string", "example": "state:failed,queued queue:high"},
                    ),
                    *paging("Jobs"),
                    parameter(
                        "ids",
                        "query",
                        f"Instead of a filter: up to {lists.MOST} ids with commas between them.",
                        {"type": "string", "minLength": 1},
                    ),
                ],
                answers={200: json_answer("The jobs.", ref("Jobs"))},
                errors=(422,),
            )
        },
        "/api/v1/jobs/lookup": {
            "get": operation(
                "lookupJob",
                "Jobs",
                "A job by your id of its event",
                "By the id, source and kind that the event was sent with; a message by its `message_id` and where "
                "it was said.",
                scope="read",
                parameters=[
                    parameter("id", "query", "Yours.", {"type": "string", "minLength": 1, "required": True}),
                    parameter("source", "query", "As it was sent; left out when it was left out.", {"type": "string"}),
                    parameter("kind", "query", "`alert` unless said otherwise.", {"enum": kinds}),
                    parameter("tenant", "query", "A key's own wins.", {"type": "string"}),
                    *(
                        parameter(name, "query", "Of a message, as it was sent.", {"type": "string"})
                        for name in ("source_type", "source_id", "chat_id")
                    ),
                ],
                answers={200: json_answer("The job.", ref("Job"))},
                errors=(404, 422),
            )
        },
        "/api/v1/jobs/{job_id}": {
            "get": operation(
                "getJob",
                "Jobs",
                "One job",
                "Where it is, how many are ahead of it and when its turn comes, what failed, and what can be done.",
                scope="read",
                parameters=[job_id],
                answers={200: json_answer("The job.", ref("Job"))},
                errors=(404, 410),
            )
        },
        "/api/v1/batches/{batch_id}": {
            "get": operation(
                "getBatch",
                "Jobs",
                "What became of a batch",
                "Each item of it, for 24 hours.",
                scope="read",
                parameters=[parameter("batch_id", "path", "The receipt's.", {"type": "string", "maxLength": 64})],
                answers={200: json_answer("The batch, and where its jobs are now.", ref("Batch"))},
                errors=(404, 410),
            )
        },
    }
    to_any = {"queue": {"enum": [*settings.PRIORITIES, None]}}
    moves: dict[str, tuple[str, str, str, dict[str, Any], int]] = {
        "retry": ("retryJob", "Retry a job", "A dead letter back into its queue, or another one.", to_any, 202),
        "run-now": ("runJobNow", "Run a job now", "A delayed job or a retry to the back of its queue.", {}, 200),
        "cancel": (
            "cancelJob",
            "Cancel a job",
            "One that waits, which is kept for 24 hours; one that runs for an effect handler is asked to end, and is "
            "ended if it goes on for 5 s (202).",
            {},
            200,
        ),
        "discard": ("discardJob", "Discard a job", "Into the trash, where it is kept for 24 hours.", {}, 200),
        "restore": ("restoreJob", "Restore a job", "Out of the trash, to where it came from.", {}, 200),
        "move": ("moveJob", "Move a job", "To the back of another queue.", {"queue": queue}, 200),
        "mark-permanent": (
            "markJob",
            "Mark a dead letter permanent",
            "It will never succeed: replays and retries of many leave it. A retry of the job takes the mark off.",
            {},
            200,
        ),
        "unmark-permanent": ("unmarkJob", "Take the mark off", "Replays may retry it again.", {}, 200),
        "duplicate": ("duplicateJob", "Send a job's event again", "As a new job, which is answered.", {}, 200),
    }
    found |= _payloads(job_id)
    links = job_links("getJob", *(operation_id for operation_id, *_ in moves.values()))
    for verb, (operation_id, summary, description, more, status) in moves.items():
        needed = ["queue"] if verb == "move" else []
        shape = {"type": "object", "properties": {**more, "reason": reason()}, "required": needed}
        sent = {"reason": "the disk was replaced", **({"queue": "low"} if more else {})}
        found[f"/api/v1/jobs/{{job_id}}/{verb}"] = {
            "post": operation(
                operation_id,
                "Jobs",
                summary,
                f"{description} It is in the audit log. 409 `already_moved` says where it was instead, and by whom.",
                scope="admin",
                parameters=[job_id],
                request=body("Why.", shape, examples={"why": example(sent)}, required=bool(needed)),
                answers={
                    status: json_answer("The job, as it is now.", ref("Job"), links=links),
                    **({202: json_answer("It runs, and was asked to end.", ref("Job"))} if verb == "cancel" else {}),
                },
                errors=(404, 409, 410, 413, 415, 422),
            )
        }
    return found


def _payloads(job_id: dict[str, Any]) -> Operations:
    change = {
        "type": "object",
        "properties": {
            "payload": {"type": "object", "description": "The whole new event. What stays `•••` keeps its value."},
            "reason": reason(),
            "retry": {"type": "boolean", "default": True, "description": "A dead letter goes back into its queue."},
        },
        "required": ["payload"],
    }
    sent = {"payload": {"title": "Disk full on db-2", "severity": "high"}, "reason": "it named the wrong host"}
    return {
        "/api/v1/jobs/{job_id}/payload": {
            "get": operation(
                "getJobPayload",
                "Jobs",
                "What a job carries",
                "The event as it was sent; what may be a credential is `•••`.",
                scope="read",
                parameters=[job_id],
                answers={200: json_answer("The event.", ref("Payload"))},
                errors=(404, 410),
            ),
            "put": operation(
                "changeJobPayload",
                "Jobs",
                "Change what a job carries, then retry it",
                "While it waits or is a dead letter, which then goes back into its queue (202). Its kind, id, source "
                "and tenant stay. It is in the audit log, with what changed. 409 `already_moved` for one that runs or "
                "is over.",
                scope="admin",
                parameters=[job_id],
                request=body("The event.", change, examples={"event": example(sent)}, required=True),
                answers={
                    200: json_answer("The job, which waits as before.", ref("Job")),
                    202: json_answer("The job, which was put back into its queue.", ref("Job")),
                },
                errors=(404, 409, 410, 413, 415, 422),
            ),
        },
        "/api/v1/jobs/{job_id}/payload/reveal": {
            "post": operation(
                "revealJobPayload",
                "Jobs",
                "What a job carries, credentials included",
                "For admins and keys with the scope `admin`; each time is in the audit log.",
                scope="admin",
                parameters=[job_id],
                request=body("Why.", {"type": "object", "properties": {"reason": reason()}}),
                answers={200: json_answer("The event.", ref("Payload"))},
                errors=(404, 410, 413, 415, 422),
            )
        },
    }
