"""How long dead letters are kept."""

from queueadmin.console.openapi.lists import all_of
from queueadmin.console.openapi.parts import (
    LINKS,
    MOMENT,
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
from queueadmin.console.policies import MOST_COUNT, MOST_DAYS

_TAG = "Dead letters"
_GROUP = "The cause that it is for; null: all that have no policy of their own."
_DAYS = "Kept for so many days after the failure."
_COUNT = "Of each cause so many are kept, the newest."


def policy_shapes() -> dict[str, Schema]:
    """Components: Policy, Policies."""
    cause = members(
        {
            "group": text("In filters `group:<id>`."),
            "count": {"type": "integer", "description": "Its dead letters."},
            "leave_in_24h": {"type": "integer"},
            "first_leaves_at": nullable(MOMENT),
        }
    )
    policy: dict[str, Schema] = {
        "id": {"type": "integer"},
        "group": nullable(text(_GROUP)),
        "keep_days": {"type": ["integer", "null"], "description": _DAYS},
        "keep_count": {"type": ["integer", "null"], "description": _COUNT},
        "kept": text("The same in words."),
        "starts_at": MOMENT | {"description": "Nothing goes by it before."},
        "leave_in_24h": {"type": "integer", "description": "How many go to the trash within 24 hours."},
        "first_leaves_at": nullable(MOMENT)
        | {"description": "When the first of them may; null: none leaves, or too many causes have too many."},
        "near": {
            "type": "array",
            "items": cause,
            "description": "Up to 20 causes that have nine tenths of `keep_count` or more, those with most first.",
        },
        "set_by": text("Who set it."),
        "set_at": MOMENT,
        "reason": text("Why."),
        "links": LINKS,
    }
    return {
        "Policy": members(policy | {"done": text("What was done, in a sentence.")}, required=list(policy)),
        "Policies": all_of("Policy"),
    }


def policies() -> Operations:
    wanted: Schema = {
        "type": "object",
        "required": ["reason"],
        "properties": {
            "group": nullable(text(_GROUP, maxLength=12)),
            "keep_days": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_DAYS, "description": _DAYS},
            "keep_count": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_COUNT, "description": _COUNT},
            "reason": text("Why, for the audit log.", minLength=1, maxLength=500),
        },
    }
    number = parameter("policy", "path", "Its number.", {"type": "string", "maxLength": 18, "example": "3"})
    sent = {"keep_days": 30, "reason": "nobody looks at older ones"}
    return {
        "/api/v1/dlq/policies": {
            "get": operation(
                "listPolicies",
                _TAG,
                "Policies",
                "How long dead letters are kept. Without a policy they stay until a person removes them.",
                scope="read",
                answers={200: json_answer("The policies.", ref("Policies"))},
                errors=(),
            ),
            "post": operation(
                "setPolicy",
                _TAG,
                "Set a policy",
                "In place of the one before for the same cause, or for all. Nothing goes within the first 24 hours;"
                " what goes then is in the trash for 24 hours. A cause without days and count is kept.",
                scope="admin",
                request=body("The policy.", wanted, examples={"default": example(sent)}, required=True),
                answers={200: json_answer("Set.", ref("Policy"))},
                errors=(413, 415, 422),
            ),
        },
        "/api/v1/dlq/policies/{policy}": {
            "get": operation(
                "getPolicy",
                _TAG,
                "A policy",
                "One of them.",
                scope="read",
                parameters=[number],
                answers={200: json_answer("The policy.", ref("Policy"))},
                errors=(404,),
            ),
            "delete": operation(
                "removePolicy",
                _TAG,
                "Remove a policy",
                "Nothing goes by it any more. What a policy for all then says of its cause goes after 24 hours.",
                scope="admin",
                parameters=[number],
                answers={200: json_answer("The policy, which is removed.", ref("Policy"))},
                errors=(404, 413, 415, 422),
            ),
        },
    }
