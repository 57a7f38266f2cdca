"""What the counts were, and marks."""

from typing import Any, Final

from queueadmin.console import history, marks
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
    answer = {
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
