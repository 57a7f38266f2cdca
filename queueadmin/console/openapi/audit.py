"""The audit log."""

from queueadmin.console import audit
from queueadmin.console.openapi.lists import page_of, paging
from queueadmin.console.openapi.parts import (
    LINKS,
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


def audit_shapes() -> dict[str, Schema]:
    """Components: AuditEntry, AuditEntries."""
    number = {"type": ["integer", "null"], "minimum": 0}
    entry: dict[str, Schema] = {
        "id": text("The operation's."),
        "at": MOMENT,
        "actor": text("A user's name, `key:` and a key's, `cli:` and that of the machine's user, or maintenance."),
        "action": text("Such as pause, retry, discard, recover_stalled."),
        "target": text("What it is about: job ids (the first ten), a queue, a filter."),
        "asked": {**number, "description": "How many it was asked of, where that is known."},
        "count": {**number, "description": "How many were really touched; null without an outcome."},
        "reason": nullable(text("Why.")),
        "state": {"enum": list(audit.STATES), "description": "`died`: no outcome for more than a minute."},
        "outcome": nullable(text("What it really did, in a sentence.")),
        "ended_at": nullable(MOMENT),
        "links": {**LINKS, "description": "`undo`, while it can be undone."},
    }
    return {
        "AuditEntry": members(entry),
        "AuditEntries": page_of("AuditEntry"),
    }


def audit_log() -> Operations:
    return {
        "/api/v1/audit": {
            "get": operation(
                "getAudit",
                "Audit",
                "The audit log by a filter",
                "Who did what, to what, how many, why, and with what outcome; the newest first. For everybody who is "
                "signed in, and for keys with scope admin.",
                scope="insider",
                parameters=[
                    parameter(
                        "filter",
                        "query",
                        f"Terms with spaces between; keys are {', '.join(audit.VOCABULARY.keys)}. A comma is or, `-` "
                        "in front not, double quotes keep together; words without a key are looked for in all texts.",
                        {"type": "string", "example": "by:ada action:pause,resume since:7d"},
                    ),
                    *paging("Entries"),
                ],
                answers={200: json_answer("The entries.", ref("AuditEntries"))},
                errors=(422,),
            )
        }
    }
