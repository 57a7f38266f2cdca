"""What the counts were and how long jobs took, and marks."""

from typing import Any, Final

from django.conf import settings

from queueadmin.console.figures import history, latencies, marks
from queueadmin.console.openapi.parts import Operations, body, example, json_answer, operation, parameter, text

_WORDS: Final = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"


def history_and_marks() -> Operations:
    number = {"type": "number"}
    mark: dict[str, Any] = {
        "type": "object",
        "required": ["at", "text", "what"],
        "properties": {
            "at": {**number, "description": "Unix time."},
            "text": text("What happened.", maxLength=marks.LENGTH),
            "what": {"enum": ["deploy", "operator"]},
        },
    }
    answer: dict[str, Any] = {
        "type": "object",
        "required": ["window", "step", "columns", "rows", "marks"],
        "properties": {
            "window": {"type": "integer", "description": "Seconds, up to now."},
            "step": {"type": "integer", "description": "Seconds of one row."},
            "columns": {"type": "array", "items": {"type": "string"}, "description": "What stands where in a row."},
            "rows": {
                "type": "array",
                "maxItems": history.POINTS + 1,
                "items": {"type": "array", "items": number},
                "description": "The oldest first: means, of waits the longest. Rows of an older version are shorter.",
            },
            "marks": {"type": "array", "items": mark},
        },
    }
    window = parameter(
        "window", "query", "How far back: `15m`, `24h`, `30d`, or seconds; 15m when left out.",
        {"type": "string", "pattern": r"^[0-9]{1,8}[smhd]?$", "example": "24h"},
    )  # fmt: skip
    rows = parameter("rows", "query", "`0`: the marks alone.", {"enum": ["0", "1"]})
    lasted = {
        "type": "object",
        "required": ["window", "step", "queue", "columns", "rows"],
        "properties": {
            "window": answer["properties"]["window"],
            "step": answer["properties"]["step"],
            "queue": {"type": ["string", "null"], "description": "null: all together."},
            "columns": {"type": "array", "items": {"enum": list(latencies.COLUMNS)}},
            "rows": {
                "type": "array",
                "maxItems": latencies.POINTS + 1,
                "items": {"type": "array", "items": {"type": ["number", "null"]}},
                "description": "The oldest first, in seconds; null: none was claimed, or none ended. "
                "A time in which neither happened has no row.",
            },
        },
    }
    queue = parameter("queue", "query", "Of one queue; left out: of all together.", {"enum": list(settings.PRIORITIES)})
    wanted = {
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": text(
                "Shown on the charts.",
                minLength=1,
                maxLength=marks.LENGTH,
                pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
            ),
            "at": {"type": ["number", "null"], "description": "Unix time of the last 30 days; left out: now."},
        },
    }
    return {
        "/api/v1/history": {
            "get": operation(
                "getHistory",
                "Queues",
                "What the counts were",
                "Depths, rates and waits: by seconds for 15 minutes, by 10 s for a day, by minutes for 30 days.",
                scope="read",
                parameters=[window, rows],
                answers={200: json_answer("The rows.", answer)},
                errors=(422,),
            )
        },
        "/api/v1/latencies": {
            "get": operation(
                "getLatencies",
                "Queues",
                "How long jobs waited and ran",
                "Percentiles of the wait for a claim and of the run, from histograms: by 10 s for a day, by 10 minutes "
                "for 30 days.",
                scope="read",
                parameters=[window, queue],
                answers={200: json_answer("The rows.", lasted)},
                errors=(422,),
            )
        },
        "/api/v1/marks": {
            "post": operation(
                "addMark",
                "Queues",
                "Mark the charts",
                "A line on every chart, such as a deploy. It is in the audit log.",
                scope="admin",
                request=body(
                    "What happened.", wanted, examples={"deploy": example({"text": "deploy 4f2c91e"})}, required=True
                ),
                answers={200: json_answer("It is there.", mark)},
                errors=(413, 415, 422),
            )
        },
    }
