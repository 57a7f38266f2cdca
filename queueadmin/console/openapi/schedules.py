"""Schedules: listed, made, changed, paused, fired at once, ended."""

from typing import Any, Final

from django.conf import settings

from ingest.kinds import KINDS
from ingest.models import LONGEST_INTERVAL, Schedule
from queueadmin.console.openapi.lists import page_of, paging
from queueadmin.console.openapi.parts import (
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

_EXAMPLE: Final = {
    "name": "nightly-report",
    "kind": "alert",
    "cron": "15 3 * * *",
    "timezone": "Europe/Berlin",
    "body": {"title": "Nightly report"},
}


def schedule_shapes() -> dict[str, Schema]:
    """Components: Schedule, Schedules, ScheduleFields."""
    schedule: dict[str, Schema] = {
        "name": text("Its own."),
        "enabled": {"type": "boolean", "description": "false: it is paused."},
        "cron": nullable(text("Five fields, as Debian's cron; null where it has an interval.")),
        "interval_seconds": {"type": ["integer", "null"], "minimum": 1},
        "timezone": text("Whose clock a cron expression means."),
        "anchor": {**MOMENT, "description": "An interval counts from here."},
        "words": text("When it is due, in plain English."),
        "kind": text("Of the event that it sends."),
        "source": nullable(text("The event's.")),
        "tenant": nullable(text("The event's.")),
        "priority": {"enum": list(settings.PRIORITIES)},
        "body": {"type": "object", "description": "The event's other fields; credentials are masked."},
        "catch_up": {
            "enum": list(Schedule.CatchUp.values),
            "description": "Due times that passed while nothing ran: `skip` them, or send the last of them `once`.",
        },
        "upcoming": {"type": "array", "items": MOMENT, "description": "The next five times; none while it is paused."},
        "last_due": {**nullable(MOMENT), "description": "The due time that was fired last."},
        "last_job": nullable(text("Its job.")),
        "problem": nullable(text("Why it did not fire at its last due time.")),
        "created_at": MOMENT,
    }
    return {
        "Schedule": members(schedule),
        "Schedules": page_of("Schedule"),
        "ScheduleFields": {
            "type": "object",
            "description": "Either a cron expression or an interval. null is as if it were left out.",
            "properties": _fields(),
        },
    }


def _fields() -> dict[str, Schema]:
    def word(description: str, length: int, **more: Any) -> Schema:
        return nullable(text(description, maxLength=length, pattern=NO_NUL, **more))

    kinds = [kind.name for kind in KINDS.values() if not kind.internal]
    return {
        "name": word("Its own; it stands in addresses, so it has no slash.", 100),
        "enabled": {"type": ["boolean", "null"]},
        "cron": word("Minute, hour, day of the month, month, day of the week.", 200),
        "interval_seconds": {"type": ["integer", "null"], "minimum": 1, "maximum": LONGEST_INTERVAL},
        "timezone": word("Such as Europe/Berlin; UTC by default.", 64),
        "anchor": nullable(text("An interval counts from here; now by default.", format="date-time")),
        "kind": {"enum": [*kinds, None]},
        "source": word("The event's.", 255),
        "tenant": word("The event's.", 255),
        "priority": {"enum": [*settings.PRIORITIES, None], "description": "medium by default."},
        "body": {"type": ["object", "string", "null"], "description": "The event's other fields: an object, or JSON."},
        "catch_up": {"enum": [*Schedule.CatchUp.values, None], "description": "skip by default."},
        "reason": reason(),
    }


def schedules() -> Operations:
    name = parameter("schedule", "path", "Its name.", {"type": "string", "maxLength": 100, "example": "nightly-report"})
    done = text("What it did, in a sentence.")
    whole = json_answer("The schedule, as it is now.", ref("Schedule"))
    deleted = members({"name": text("Its."), "deleted": {"type": "boolean"}, "done": done})
    ran = members({"id": text("The job's."), "durability": {"enum": ["redis", "database"]}, "done": done})

    def button(operation_id: str, summary: str, description: str, answer: dict[str, Any]) -> dict[str, Any]:
        return {
            "post": operation(
                operation_id,
                "Schedules",
                summary,
                f"{description} It is in the audit log.",
                scope="admin",
                parameters=[name],
                request=why("the report moved"),
                answers={200: answer},
                errors=(404, 413, 415, 422),
            )
        }

    return {
        "/api/v1/schedules": {
            "get": operation(
                "getSchedules",
                "Schedules",
                "The schedules",
                "By name: when each is due in words, its next five times, and the job that it sent last.",
                scope="read",
                parameters=paging("Schedules"),
                answers={200: json_answer("The schedules.", ref("Schedules"))},
                errors=(422,),
            ),
            "post": operation(
                "createSchedule",
                "Schedules",
                "Make a schedule",
                "Its name, kind, body, and a cron expression or an interval. It is in the audit log.",
                scope="admin",
                request=body(
                    "The schedule.", ref("ScheduleFields"), examples={"cron": example(_EXAMPLE)}, required=True
                ),
                answers={200: whole},
                errors=(409, 413, 415, 422),
            ),
        },
        "/api/v1/schedules/{schedule}": {
            "get": operation(
                "getSchedule",
                "Schedules",
                "One schedule",
                "When it is due in words, its next five times, and the job that it sent last.",
                scope="read",
                parameters=[name],
                answers={200: json_answer("The schedule.", ref("Schedule"))},
                errors=(404,),
            ),
            "put": operation(
                "updateSchedule",
                "Schedules",
                "Change a schedule",
                "What is left out stays as it is; a cron expression ends an interval, and an interval an expression. "
                "It is in the audit log.",
                scope="admin",
                parameters=[name],
                request=body(
                    "What changes.",
                    ref("ScheduleFields"),
                    examples={"interval": example({"interval_seconds": 900, "reason": "too seldom"})},
                ),
                answers={200: whole},
                errors=(404, 409, 413, 415, 422),
            ),
            "delete": operation(
                "deleteSchedule",
                "Schedules",
                "Delete a schedule",
                "There is no way back; what it sent stays. It is in the audit log.",
                scope="admin",
                parameters=[name],
                answers={200: json_answer("Deleted.", deleted)},
                errors=(404, 413, 415, 422),
            ),
        },
        "/api/v1/schedules/{schedule}/pause": button(
            "pauseSchedule", "Pause a schedule", "It fires no more until it is resumed.", whole
        ),
        "/api/v1/schedules/{schedule}/resume": button(
            "resumeSchedule",
            "Resume a schedule",
            "It fires from its next due time on; those that passed are left out.",
            whole,
        ),
        "/api/v1/schedules/{schedule}/run-now": button(
            "runSchedule",
            "Run a schedule now",
            "Its event is sent at once, beside its due times, whether it is paused or not.",
            json_answer("Sent.", ran),
        ),
    }
