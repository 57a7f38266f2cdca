"""Vendors' webhooks, and the endpoints that take another one's place."""

from typing import Any, Final

from ingest.api.hooks import HOOKS
from queueadmin.console.openapi.parts import Operations, Schema, example, json_answer, operation, parameter, ref

_GROUP: Final = {
    "version": "4",
    "status": "firing",
    "receiver": "queueadmin",
    "truncatedAlerts": 0,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "DiskWillFill", "severity": "critical"},
            "annotations": {"summary": "Disk of db-04 is full in 4 hours"},
            "startsAt": "2026-11-27T08:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "6f1b7a0c2d9e4a53",
        }
    ],
}
_ENQUEUED: Final = {
    "routing_key": "R0UT1NGK3Y",
    "event_action": "trigger",
    "dedup_key": "host7/raid",
    "payload": {"summary": "RAID of host7 is degraded", "source": "host7", "severity": "error"},
}
_POSTED: Final = [
    {
        "labels": {"alertname": "InstanceDown", "instance": "web-2:9100", "severity": "critical"},
        "annotations": {"summary": "web-2 is down"},
        "startsAt": "2026-11-27T08:00:00Z",
        "endsAt": "2026-11-27T08:30:00Z",
    }
]
_ANYTHING: Final[Schema] = {"description": "As the vendor sends it."}


def hooks() -> Operations:
    hook = operation(
        "sendHook",
        "Sending",
        "A vendor's webhook, as it is",
        "How each vendor is told to send here: docs/vendors.md. Each alert of a group is an event; one that is stored "
        "is enough for 202, and then the items say what became of the others. A repeat of the vendor's is a duplicate. "
        "A vendor that can set no header has its key in `?key=`; it may have the scope ingest alone.",
        scope="ingest",
        parameters=[
            parameter("vendor", "path", "Who sends.", {"enum": list(HOOKS)}),
            parameter("key", "query", "A key, where no header can be set.", {"type": "string"}),
            parameter("Prefer", "header", "As for `/api/v1/events`.", {"type": "string"}),
        ],
        request=_request(_ANYTHING, {"alertmanager": example(_GROUP, "A group of Alertmanager's")}),
        answers={
            202: json_answer(
                "At least one event is stored, or the body is well and says nothing.",
                {"oneOf": [ref("Receipt"), ref("BatchReceipt"), ref("NothingReceipt")]},
            )
        },
        errors=(400, 404, 408, 409, 413, 415, 422, 431),
    )
    enqueue = operation(
        "enqueueEvent",
        "Sending",
        "In the place of PagerDuty's Events API v2",
        "PagerDuty's clients work with their URL changed: `routing_key` is the API key, the answers are PagerDuty's.",
        scope="open",
        request=_request(_ANYTHING, {"trigger": example(_ENQUEUED)}),
        answers={
            202: json_answer("The event is stored.", ref("Enqueued"), examples={"stored": example(_said_yes())}),
            **{
                status: json_answer(what, ref("EnqueueError"))
                for status, what in (
                    (400, "It breaks a rule, or the key is wrong."),
                    (429, "Too many events. Worth another try after `Retry-After`."),
                    (500, "A fault of ours. Worth another try."),
                    (503, "Not now. Worth another try after `Retry-After`."),
                )
            },
        },
        errors=(408, 413, 431),
    )
    text: Schema = {"type": "string", "description": "What is wrong with which alert."}
    posted = operation(
        "postAlerts",
        "Sending",
        "In the place of an Alertmanager",
        "Prometheus can send here as to an Alertmanager. An alert is resolved once its `endsAt` has passed.",
        scope="ingest",
        request=_request(_ANYTHING, {"alerts": example(_POSTED)}),
        answers={
            200: {"description": "At least one alert is stored."},
            400: json_answer("None is good.", text),
        },
        errors=(408, 409, 413, 431),
    )
    return {
        "/api/v1/hooks/{vendor}": {"post": hook},
        "/v2/enqueue": {"post": enqueue},
        "/api/v2/alerts": {"post": posted},
    }


def components() -> dict[str, Schema]:
    counts: dict[str, Schema] = {name: {"const": 0} for name in ("received", "accepted", "duplicates", "rejected")}
    status: Schema = {"type": "string"}
    return {
        "NothingReceipt": {
            "type": "object",
            "description": "The body is well and says nothing: a test of the connection, a comment.",
            "required": [*counts, "warnings"],
            "properties": {**counts, "warnings": {"type": "array", "items": ref("Warning")}},
        },
        "Enqueued": {
            "type": "object",
            "required": ["status", "message", "dedup_key"],
            "properties": {"status": {"const": "success"}, "message": status, "dedup_key": {"type": "string"}},
        },
        "EnqueueError": {
            "type": "object",
            "required": ["status", "message", "errors"],
            "properties": {
                "status": {"enum": ["invalid event", "throttle exceeded", "unavailable"]},
                "message": status,
                "errors": {"type": "array", "items": {"type": "string"}},
            },
        },
    }


def _request(schema: Schema, examples: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}


def _said_yes() -> dict[str, str]:
    return {"status": "success", "message": "Event processed", "dedup_key": "host7/raid"}
