"""Replays: many dead letters moved as one background operation."""

from typing import Any, Final

from django.conf import settings

from queueadmin.console.models import Replay
from queueadmin.console.openapi.parts import (
    COUNT,
    LINKS,
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
    ref,
    text,
)
from queueadmin.console.openapi.reasons import reason, why
from queueadmin.console.replays import options

_TAG: Final = "Dead letters"
_REASON: Final = "For the audit log; needed for more than 100 jobs."
_FILTER: Final = text(
    "Terms with spaces between, as in lists of jobs; an empty one chooses all.",
    maxLength=2_000,
    pattern=NO_NUL,
)


def replay_shapes() -> dict[str, Schema]:
    """Components: Replay, ReplayOptions."""
    error = {
        "type": "object",
        "properties": {
            "group": text("In filters `group:<id>`."),
            "type": text("The exception's."),
            "message": text("An example."),
            "count": COUNT,
            "new": {"type": "boolean", "description": "No job of the set had failed so before."},
            "accepted": {"type": "boolean", "description": "Somebody let it go on nevertheless."},
        },
    }
    stretch = {
        "type": "object",
        "properties": {
            "at": MOMENT,
            "seconds": {**COUNT, "description": "How long it is."},
            "released": COUNT,
            "succeeded": COUNT,
            "failed_again": COUNT,
        },
    }
    replay: dict[str, Schema] = {
        "id": {"type": "integer", "description": "Its number; in filters `replay:<id>`."},
        "kind": {"enum": list(Replay.Kind.values)},
        "state": {"enum": list(Replay.State.values), "description": "`stopped`: by one of its own rules."},
        "why": nullable(text("Why it stopped itself.")),
        "outcome": text("What came of it so far, in a sentence."),
        "filter": text("What it was chosen by, with moments in the place of `2h`."),
        "undoes": nullable(text("The operation of the audit log whose jobs it brings back, in the place of a filter.")),
        "queue": nullable(text("Where the jobs go; null: each into its own.")),
        "include_poison": {"type": "boolean"},
        "include_permanent": {"type": "boolean"},
        "actor": text("Who began it."),
        "reason": nullable(text("Why.")),
        "created_at": {**MOMENT, "description": "What failed later is not in it."},
        "frozen_at": {**nullable(MOMENT), "description": "When the whole set was written down; null: it still is."},
        "ended_at": nullable(MOMENT),
        "settled": {"type": "boolean", "description": "Nothing is left to do, and nothing in flight."},
        "size": {**COUNT, "description": "Jobs of the set, as far as it is written down."},
        "poison_left": {**COUNT, "description": "Jobs left out that matched, being poison."},
        "permanent_left": {**COUNT, "description": "Jobs left out that matched, marked permanent."},
        "waiting": {**COUNT, "description": "Their turn has not come."},
        "given_back": {
            **COUNT,
            "description": "Of those waiting: released once, and taken back before they began, by a stop or a cancel.",
        },
        "in_flight": {**COUNT, "description": "Released, and not ended yet."},
        "succeeded": COUNT,
        "failed_again": {**COUNT, "description": "Back among the dead letters."},
        "already_moved": {**COUNT, "description": "Had moved, or failed anew, before their turn came."},
        "moved_by_others": {**COUNT, "description": "Retried, canceled or discarded by somebody after their turn."},
        "lost": {**COUNT, "description": "Nothing is left of them."},
        "errors": {"type": "array", "items": error, "description": "What failed again, the most frequent first."},
        "step": {"type": "integer", "description": "Place in the ramp, from 0; -1: the canary."},
        "pace": {"type": "array", "items": stretch, "description": "How it went over time, at most 120 stretches."},
        **_options(null=False),
        "links": LINKS,
    }
    return {
        "Replay": members(replay),
        "ReplayOptions": {
            "type": "object",
            "required": ["filter"],
            "properties": {
                "filter": _FILTER,
                "reason": reason(_REASON),
                "queue": {"enum": [*settings.PRIORITIES, "", None], "description": "Retry into this queue."},
                "include_poison": {
                    "type": ["boolean", "null"],
                    "description": "Also those that crashed their worker three times, each claimed alone.",
                },
                "include_permanent": {
                    "type": ["boolean", "null"],
                    "description": "Also those that somebody marked permanent.",
                },
                **_options(null=True),
            },
        },
    }


def _options(*, null: bool) -> dict[str, Schema]:
    def whole(description: str, least: int, most: int, *, or_null: bool = null) -> Schema:
        kind: Any = ["integer", "null"] if or_null else "integer"
        return {"type": kind, "minimum": least, "maximum": most, "description": description}

    flag: Any = ["boolean", "null"] if null else "boolean"
    rate = {"type": "integer", "minimum": 0, "maximum": options.MOST_RATE}
    return {
        "canary": whole("Jobs that go first, all at once; the rest waits until they ended.", 0, options.MOST_CANARY),
        "ramp": {
            "type": ["array", "null"] if null else "array",
            "items": rate,
            "minItems": 1,
            "maxItems": options.MOST_STEPS,
            "description": "Rates one after the other, in jobs a second; 0, as the last: as fast as it goes.",
        },
        "step_seconds": whole("Seconds that each rate but the last holds.", 1, options.MOST_STEP_SECONDS),
        "stop_percent": whole(
            "It stops when more than this share of the last 200 fail again. 100, or null in an answer: never.",
            0,
            100,
            or_null=True,
        ),
        "stop_new_errors": whole(
            "It stops when so many fail with errors that the set did not have; 0: never.", 0, options.MOST_NEW_ERRORS
        ),
        "stop_wait": {"type": flag, "description": "It stops when a queue waits longer than its target."},
    }


def replays() -> Operations:
    number = parameter("replay", "path", "Its number.", {"type": "string", "maxLength": 19, "example": "17"})
    begun = json_answer(
        "Begun.",
        ref("Replay"),
        headers={"Location": {"description": "Where it is.", "schema": {"type": "string"}}},
    )
    chosen = {"type": "object", "required": ["filter"], "properties": {"filter": _FILTER, "reason": reason(_REASON)}}
    tuned = {name: schema for name, schema in _options(null=True).items() if name != "canary"}

    def start(operation_id: str, summary: str, description: str, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "post": operation(
                operation_id,
                _TAG,
                summary,
                f"{description} Maintenance does it step by step, each job once; what fails later is never in it. "
                "It is in the audit log.",
                scope="admin",
                request=request,
                answers={202: begun},
                errors=(404, 413, 415, 422),
            )
        }

    def steer(operation_id: str, summary: str, description: str) -> dict[str, Any]:
        return {
            "post": operation(
                operation_id,
                _TAG,
                summary,
                f"{description} It is in the audit log.",
                scope="admin",
                parameters=[number],
                request=why("the receiver is down again", said=_REASON),
                answers={200: json_answer("The replay, as it is now.", ref("Replay"))},
                errors=(404, 409, 413, 415, 422),
            )
        }

    which = {"filter": "queue:high -kind:point", "reason": "the probe was sold"}
    few = body("Which.", chosen, examples={"which": example(which)}, required=True)
    return {
        "/api/v1/dlq/retry": start(
            "retryDeadLetters",
            "Replay dead letters",
            "Exactly those that match now go back into their queues: a canary first, then faster and faster, each with "
            "one attempt. It stops itself when too many fail again, a new error appears, or a queue waits too long.",
            body(
                "Which, and how.",
                ref("ReplayOptions"),
                examples={
                    "default": example({"filter": "queue:high since:2h", "reason": "the receiver is back"}),
                    "gently": example(
                        {"filter": "queue:high kind:alert", "canary": 5, "ramp": [1, 5], "stop_percent": 2}
                    ),
                },
                required=True,
            ),
        ),
        "/api/v1/dlq/discard": start(
            "discardDeadLetters", "Discard dead letters", "Exactly those that match now go to the trash, for 24 h.", few
        ),
        "/api/v1/dlq/restore": start(
            "restoreDeadLetters",
            "Restore discarded dead letters",
            "Exactly those in the trash that match now, and were dead letters, are dead letters again.",
            few,
        ),
        "/api/v1/replays/{replay}": {
            "get": operation(
                "getReplay",
                _TAG,
                "A replay",
                "How far it is, what failed again, and why it stopped, if it did.",
                scope="read",
                parameters=[number],
                answers={200: json_answer("The replay.", ref("Replay"))},
                errors=(404,),
            )
        },
        "/api/v1/replays/{replay}/pause": steer(
            "pauseReplay", "Pause a replay", "Nothing more is released; what is in flight ends."
        ),
        "/api/v1/replays/{replay}/resume": steer(
            "resumeReplay",
            "Let a replay go on",
            "Where it was paused or stopped itself; what it stopped for counts no more.",
        ),
        "/api/v1/replays/{replay}/tune": {
            "post": operation(
                "tuneReplay",
                _TAG,
                "Change a replay that is under way",
                "Another pace from now on, and other rules that stop it; what is not named stays as it is. "
                "It is in the audit log.",
                scope="admin",
                parameters=[number],
                request=body(
                    "What changes.",
                    {"type": "object", "properties": {**tuned, "reason": reason(_REASON)}},
                    examples={"faster": example({"ramp": [20, 0], "step_seconds": 60, "stop_percent": 10})},
                ),
                answers={200: json_answer("The replay, as it is now.", ref("Replay"))},
                errors=(404, 409, 413, 415, 422),
            )
        },
        "/api/v1/replays/{replay}/cancel": steer(
            "cancelReplay",
            "Cancel a replay",
            "What waits stays where it is, what is queued and has not begun goes back, and what runs ends.",
        ),
    }
