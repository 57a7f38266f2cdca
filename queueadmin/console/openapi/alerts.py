"""Problems: listed, looked at, acknowledged and resolved."""

from ingest.kinds.alerts import ACTIONS
from ingest.models import Alert
from ingest.priorities import PRIORITIES
from queueadmin.console.alerts import VOCABULARY
from queueadmin.console.openapi.lists import page_of, paging
from queueadmin.console.openapi.parts import (
    MOMENT,
    Operations,
    Schema,
    json_answer,
    members,
    nullable,
    operation,
    parameter,
    ref,
    text,
)
from queueadmin.console.openapi.reasons import why

_ALERT = "9f2c4e1ab7d84c60a1f35e7720c9d4b8"


def alert_shapes() -> dict[str, Schema]:
    """Components: Alert, Alerts."""
    name = {"type": ["string", "null"]}
    report: dict[str, Schema] = {
        "at": MOMENT,
        "action": {"enum": list(ACTIONS)},
        "by": {**name, "description": "The person; null: an alert said so."},
        "job": {**name, "description": "The alert's job."},
    }
    alert: dict[str, Schema] = {
        "id": text("Ours; the same for all alerts about the problem."),
        "state": {"enum": list(Alert.State.values)},
        "changed_at": {**MOMENT, "description": "Since when it is in this state."},
        "severity": {"enum": list(map(str, PRIORITIES)), "description": "The newest trigger's."},
        "source": name,
        "tenant": name,
        "title": text("The newest trigger's."),
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "occurrences": {"type": "integer", "minimum": 0, "description": "How often it was triggered."},
        "first_seen": MOMENT,
        "last_seen": MOMENT,
        "opened_at": {**nullable(MOMENT), "description": "The first trigger after the newest resolve; null: not open."},
        "triggered_at": {**nullable(MOMENT), "description": "The newest trigger."},
        "acknowledged_at": {**nullable(MOMENT), "description": "The newest acknowledgement."},
        "resolved_at": {**nullable(MOMENT), "description": "The newest resolve."},
        "reports": {
            "type": "array",
            "items": members(report),
            "description": "Of one problem: what was said about it, the newest first.",
        },
    }
    return {
        "Alert": members(alert, required=[each for each in alert if each != "reports"]),
        "Alerts": page_of("Alert"),
    }


def alerts() -> Operations:
    alert_id = parameter("alert_id", "path", "Ours.", {"type": "string", "maxLength": 64, "example": _ALERT})
    found: Operations = {
        "/api/v1/alerts": {
            "get": operation(
                "getAlerts",
                "Alerts",
                "Problems by a filter",
                "The one whose state changed last comes first; `since`, `until` and `older` mean that change.",
                scope="read",
                parameters=[
                    parameter(
                        "filter",
                        "query",
                        f"Terms with spaces between; keys are {', '.join(VOCABULARY.keys)}. A comma is or, `-` in "
                        "front not, double quotes keep together; words without a key are looked for in title and "
                        "labels.",
                        {"type": "string", "example": "state:open severity:critical,high label.team:payments"},
                    ),
                    *paging("Problems"),
                ],
                answers={200: json_answer("The problems.", ref("Alerts"))},
                errors=(422,),
            )
        },
        "/api/v1/alerts/{alert_id}": {
            "get": operation(
                "getAlert",
                "Alerts",
                "One problem",
                "Its state, and the newest reports on it, each with the job that brought it.",
                scope="read",
                parameters=[alert_id],
                answers={200: json_answer("The problem.", ref("Alert"))},
                errors=(404,),
            )
        },
    }
    for verb, operation_id, summary, description in (
        (
            "acknowledge",
            "acknowledgeAlert",
            "Acknowledge a problem",
            "Somebody sees to it. Not of one that is resolved.",
        ),
        ("resolve", "resolveAlert", "Resolve a problem", "It is over; the next trigger opens it anew."),
    ):
        found[f"/api/v1/alerts/{{alert_id}}/{verb}"] = {
            "post": operation(
                operation_id,
                "Alerts",
                summary,
                f"{description} It is in the audit log. Saying it again changes nothing.",
                scope="admin",
                parameters=[alert_id],
                request=why("the disk was replaced"),
                answers={200: json_answer("The problem, as it is now.", ref("Alert"))},
                errors=(404, 409, 413, 415, 422) if verb == "acknowledge" else (404, 413, 415, 422),
            )
        }
    return found
