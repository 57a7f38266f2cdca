"""Events as they are sent."""

from typing import Final

from django.conf import settings

from ingest.api import limits, schema
from ingest.callbacks import targets
from ingest.kinds import KINDS, tasks
from ingest.kinds.alerts import ACTIONS, FINGERPRINT_LENGTH
from queueadmin.console.openapi.parts import MOMENT, Schema, nullable, ref, text

#: Neither control characters, nor NUL.
_NAME: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_NO_NUL: Final = r"^[^\u0000]*$"


def event_shapes() -> dict[str, Schema]:
    """Components: Event, Events, CloudEvent, CloudEvents, Task."""
    name = {"type": "string", "maxLength": schema.NAME_LENGTH, "pattern": _NAME}
    longest = int(schema.LONGEST_DELAY.total_seconds())
    fields: dict[str, Schema] = {
        "kind": {
            "enum": [*(kind.name for kind in KINDS.values() if not kind.internal), None],
            "description": "What it is, and so who handles it: `alert` unless said otherwise.",
        },
        "id": nullable({**name, "minLength": 1, "description": "Yours: the same id of a source is stored once."}),
        "source": nullable({**name, "description": "Who sends it."}),
        "tenant": nullable({**name, "description": "Whose it is; the key's wins."}),
        "title": nullable({"type": "string", "maxLength": schema.TITLE_LENGTH, "pattern": _NO_NUL}),
        "severity": {
            "type": ["string", "number", "null"],
            "maxLength": schema.SEVERITY_LENGTH,
            "pattern": _NO_NUL,
            "description": "In the source's own words or numbers; it is mapped to a priority.",
        },
        "priority": nullable(
            text(
                f"One of {', '.join(settings.PRIORITIES)}; wins over the severity, and a key may cap it.",
                pattern=_either_case(settings.PRIORITIES),
            )
        ),
        "dedup_key": nullable({**name, "description": "Which problem an alert is about."}),
        "fingerprint": {
            "type": ["string", "null"],
            "maxLength": FINGERPRINT_LENGTH,
            "description": "The vendor's own name of the problem, used where there is no `dedup_key`.",
        },
        "action": {"enum": [*ACTIONS, None], "description": "What an alert does to its problem: `trigger` by default."},
        "occurred_at": nullable({**MOMENT, "description": "RFC 3339 with a zone, at most 24 hours ahead."}),
        "labels": nullable({"type": "object", "description": "Any names and values."}),
        "payload": {"description": "Anything; it is kept as it is sent."},
        "delay_seconds": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": longest,
            "description": "Run it so much later; or give `run_at`.",
        },
        "run_at": nullable({**MOMENT, "description": "Run it then; a time that has passed means now."}),
        "callback_url": nullable(
            text("Is told what becomes of it.", format="uri", maxLength=targets.LENGTH, pattern=_NO_NUL)
        ),
    }
    cloud = {
        "specversion": {"const": "1.0"},
        "id": {**name, "minLength": 1},
        "source": {**name, "minLength": 1},
        "type": {"type": "string", "minLength": 1, "pattern": _NO_NUL},
        "time": MOMENT,
        "subject": {"type": "string", "pattern": _NO_NUL},
        "datacontenttype": {"type": "string", "pattern": _NO_NUL},
        "data": {"description": "The event's fields; anything but an object becomes its `payload`."},
        "data_base64": {"type": "string", "contentEncoding": "base64"},
        "queueadminkind": {"enum": fields["kind"]["enum"]},
    }
    return {
        "Event": {
            "type": "object",
            "description": "Every field may be left out, or be null; others are kept as they are.",
            "properties": fields,
        },
        "Events": {"type": "array", "minItems": 1, "maxItems": limits.ITEMS, "items": ref("Event")},
        "CloudEvent": {
            "type": "object",
            "description": "CloudEvents 1.0 in structured mode. Further attributes become labels.",
            "required": ["specversion", "id", "source", "type"],
            "properties": cloud,
        },
        "CloudEvents": {"type": "array", "minItems": 1, "maxItems": limits.ITEMS, "items": ref("CloudEvent")},
        "Task": _task(fields),
    }


def _task(event: dict[str, Schema]) -> Schema:
    hints: dict[str, Schema] = {
        "max_retries": {"type": ["integer", "null"], "minimum": 0, "maximum": tasks.MOST_RETRIES},
        "timeout": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": tasks.LONGEST_TIMEOUT,
            "description": "Seconds that one execution may take.",
        },
    }
    words = _either_case(("critical", "high", "normal", "medium", "low"))
    same = ("source", "tenant", "title", "labels", "delay_seconds", "run_at", "callback_url")
    return {
        "type": "object",
        "description": "One task. Other fields are kept as they are.",
        "required": ["task_type"],
        "properties": {
            "task_id": {**event["id"], "description": "Yours, and the idempotency key."},
            "task_type": {
                **({"enum": sorted(tasks.TYPES)} if tasks.TYPES else {"type": "string"}),
                "description": "Which handler runs it, with that type's retries, timeout and the rest.",
            },
            "payload": {
                "type": ["object", "null"],
                "description": "What the handler gets, with hints that win over the type's.",
                "properties": hints,
            },
            "priority": {
                "anyOf": [
                    {"type": "string", "pattern": words},
                    {"type": "integer", "minimum": 0, "maximum": 3},
                    {"type": "null"},
                ],
                "description": "critical, high, normal (medium) or low, or 3 to 0; normal by default.",
            },
            **{name: event[name] for name in same},
        },
    }


def _either_case(words: tuple[str, ...]) -> str:
    return "^(" + "|".join("".join(f"[{c.upper()}{c}]" for c in word) for word in words) + ")$"
