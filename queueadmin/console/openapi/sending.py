"""Sending events."""

from typing import Any

from ingest.api import idempotency, limits
from ingest.kinds import TASK
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

_JOB = "0192f0c4b7a87d3e9a51c2d3e4f50617"
_ALERT = {
    "id": "disk-db-04",
    "source": "prometheus",
    "title": "Disk 91 % full on db-04",
    "severity": "high",
    "labels": {"host": "db-04"},
}
_CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "7f3a",
    "source": "/sensors/7",
    "type": "com.example.hot",
    "data": {"title": "Too hot", "severity": "critical"},
}
_TASK = {
    "task_id": "dev_main_py",
    "task_type": "demo-report",
    "payload": {"pages": 3, "max_retries": 2, "timeout": 60},
    "priority": "high",
}
_KEY = r'^([!#-~]([ -~]*[!-~])?|"([ !#-\[\]-~]|\\["\\])+")$'
_RECEIPT = {
    "id": _JOB,
    "event_id": "disk-db-04",
    "status": "queued",
    "duplicate": False,
    "durability": "redis",
    "kind": "alert",
    "priority": "high",
    "queue": "high",
    "severity": {"raw": "high", "mapped": "high", "by": "source"},
    "warnings": [],
}
_TASK_RECEIPT = {
    **_RECEIPT,
    "event_id": "dev_main_py",
    "kind": "task",
    "severity": {"raw": None, "mapped": "high", "by": "priority"},
    "task_id": "dev_main_py",
    "task_type": "demo-report",
    "position": 1,
}
_BATCH = {
    "batch_id": _JOB,
    "durability": "redis",
    "received": 2,
    "accepted": 1,
    "duplicates": 0,
    "rejected": 1,
    "items": [
        {
            "index": 0,
            "status": 202,
            "id": _JOB,
            "event_id": "disk-db-04",
            "priority": "high",
            "duplicate": False,
            "warnings": [],
        },
        {
            "index": 1,
            "status": 422,
            "event_id": None,
            "error": {
                "type": "/problems/wrong-type",
                "title": "A field breaks a rule",
                "detail": "title must be a text.",
                "code": "wrong_type",
                "field": "title",
            },
            "retryable": False,
        },
    ],
}


def sending() -> Operations:
    errors = (400, 408, 409, 413, 415, 422, 429, 431)
    headers = [
        parameter(
            "Idempotency-Key",
            "header",
            "The same request under the same key stores nothing twice, and gets the first one's answer for 24 hours. "
            f"1 to {idempotency.LENGTH} printable characters, bare or in double quotes.",
            {"type": "string", "pattern": _KEY},
        ),
        parameter(
            "X-Request-Id",
            "header",
            "Is answered, and in the log: up to 64 letters, digits and . _ -; else one is made.",
            {"type": "string"},
        ),
    ]
    prefer = parameter(
        "Prefer",
        "header",
        "`handling=strict`: all events of the request or none. `return=representation`: every item on 202, too.",
        {"type": "string", "examples": ["handling=strict", "return=representation"]},
    )
    plain = {"type": "string"}
    answered = {
        "X-Request-Id": {"description": "The request's id in the log.", "schema": plain},
        "Location": {"description": "Where to ask what became of it.", "schema": {**plain, "format": "uri-reference"}},
        "Idempotency-Replayed": {"description": "`true`: the first one's answer.", "schema": {"const": "true"}},
        "Preference-Applied": {"description": "What of `Prefer` was followed.", "schema": plain},
    }
    to_job = job_links("getJob", "cancelJob", "discardJob", "runJobNow", "moveJob")
    one_or_many = {"oneOf": [ref("Receipt"), ref("BatchReceipt")]}
    batch = {"getBatch": {"operationId": "getBatch", "parameters": {"batch_id": "$response.body#/batch_id"}}}
    events = operation(
        "sendEvents",
        "Sending",
        "Send events",
        f"One event, an array, or one a line; up to {limits.ITEMS:,}, {limits.WIRE_BYTES // 2**20} MiB on the wire, "
        "compressed with gzip or zstd (`Content-Encoding`) or not. Of many, a bad one is refused alone. "
        "CloudEvents 1.0 come in structured, batched and binary mode (attributes as `ce-` headers, the body is the "
        "data).",
        scope="ingest",
        parameters=[*headers, prefer],
        request={
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [ref("Event"), ref("Events")]},
                    "examples": {
                        "one": example(_ALERT, "One alert"),
                        "several": example([_ALERT, {"title": "No id, so it is never a duplicate"}], "Several"),
                        "later": example({"title": "Remind me", "priority": "low", "delay_seconds": 3600}, "Later"),
                        "resolved": example({**_ALERT, "id": "disk-db-04-ok", "action": "resolve"}, "A resolve"),
                    },
                },
                "application/x-ndjson": {
                    "schema": {"type": "string", "description": "An event a line."},
                    "examples": {"lines": example('{"id": "a-1", "title": "one"}\n{"id": "a-2", "title": "two"}\n')},
                },
                "application/cloudevents+json": {
                    "schema": ref("CloudEvent"),
                    "examples": {"structured": example(_CLOUD_EVENT)},
                },
                "application/cloudevents-batch+json": {
                    "schema": ref("CloudEvents"),
                    "examples": {"batch": example([_CLOUD_EVENT])},
                },
            },
        },
        answers={
            202: json_answer(
                "All are stored.",
                one_or_many,
                examples={"one": example(_RECEIPT), "several": example(_all_stored())},
                headers=answered,
                links={**to_job, **batch},
            ),
            207: json_answer(
                "Some are stored; each item says what became of it.",
                ref("BatchReceipt"),
                examples={"mixed": example(_BATCH)},
                headers=answered,
                links=batch,
            ),
        },
        errors=errors,
    )
    alert = operation(
        "sendAlert",
        "Sending",
        "Send one alert",
        "As `/api/v1/events`, of one object. Without severity and priority it is low.",
        scope="ingest",
        parameters=headers,
        request=body("The alert.", ref("Event"), examples={"alert": example(_ALERT)}, required=True),
        answers={
            202: json_answer(
                "It is stored.",
                ref("AlertReceipt"),
                examples={"alert": example({**_RECEIPT, "alert_id": "disk-db-04"})},
                headers=answered,
                links=to_job,
            )
        },
        errors=errors,
    )
    task = operation(
        "sendTask",
        "Sending",
        "Send one task",
        "Its `task_id` is the idempotency key, for a week: the same task again is the first one. At most "
        f"{TASK.item_bytes // 2**20} MiB.",
        scope="ingest",
        parameters=headers,
        request=body("The task.", ref("Task"), examples={"task": example(_TASK)}, required=True),
        answers={
            202: json_answer(
                "It is stored.",
                ref("TaskReceipt"),
                examples={"task": example(_TASK_RECEIPT)},
                headers=answered,
                links=to_job,
            )
        },
        errors=errors,
    )
    return {
        "/api/v1/events": {"post": events},
        "/api/alerts/event": {"post": alert},
        "/api/tasks": {"post": task},
    }


def _all_stored() -> dict[str, Any]:
    return {"batch_id": _JOB, "durability": "redis", "received": 2, "accepted": 2, "duplicates": 0, "rejected": 0}
