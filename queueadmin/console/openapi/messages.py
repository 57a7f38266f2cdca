"""Taking messages in."""

from typing import Any, Final

from ingest.callbacks import targets
from ingest.kinds.messages import NAME_LENGTH, TOKEN_LENGTH
from queueadmin.console.openapi.parts import (
    Operations,
    Schema,
    body,
    example,
    job_links,
    json_answer,
    nullable,
    operation,
    parameter,
    ref,
)

_SAID: Final = {
    "user_id": "user123",
    "message": "Hello, world!",
    "source_type": "telegram",
    "source_id": "chat123",
    "chat_id": "chat123",
    "chat_type": "private",
    "message_id": "msg123",
    "ordering_key": "chat123",
}
_WHAT: Final = {
    "user_id": "Who said it; the user's latest message is found by it.",
    "source_type": "Where it came from, such as telegram; the source, where `source` is not given.",
    "source_id": "Which bot or channel of that.",
    "chat_id": "The conversation.",
    "chat_type": "Such as private or group.",
    "message_id": "The sender's id: by it, `source_type`, `source_id` and `chat_id` copies are told.",
    "ordering_key": "Messages of one key are answered one at a time, in their order.",
}
_NO_NUL: Final = r"^[^\u0000]+$"
_NO_CONTROLS: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"


def messages() -> Operations:
    key = parameter("Idempotency-Key", "header", "As for `/api/v1/events`.", {"type": "string"})
    receipt = {
        "id": "0192f0c4b7a87d3e9a51c2d3e4f50617",
        "event_id": "msg123",
        "status": "queued",
        "duplicate": False,
        "durability": "redis",
        "kind": "message",
        "priority": "medium",
        "queue": "medium",
        "severity": {"raw": None, "mapped": "medium", "by": "default"},
        "warnings": [],
        "position": 1,
    }
    return {
        "/api/messages": {
            "post": operation(
                "sendMessage",
                "Sending",
                "Send one message",
                "It waits for the function that MESSAGE_HANDLER names. Without a `message_id` the same said again by "
                "the same user in the same place is a copy for 60 seconds (MESSAGE_DEDUP_SECONDS).",
                scope="ingest",
                parameters=[key],
                request=body("The message.", ref("Message"), examples={"message": example(_SAID)}, required=True),
                answers={
                    202: json_answer(
                        "It is stored.",
                        ref("MessageReceipt"),
                        examples={"message": example(receipt)},
                        links=job_links("getJob", "cancelJob", "discardJob", "runJobNow", "moveJob"),
                    )
                },
                errors=(400, 408, 409, 413, 415, 422, 429, 431),
            )
        }
    }


def components() -> dict[str, Schema]:
    names: dict[str, Any] = {
        name: nullable(
            {"type": "string", "maxLength": NAME_LENGTH, "pattern": _NO_CONTROLS, "description": description}
        )
        for name, description in _WHAT.items()
    }
    names["user_id"] |= {"type": "string", "minLength": 1}
    names["message_id"] |= {"minLength": 1}
    return {
        "Message": {
            "type": "object",
            "description": "What somebody said. The fields of an event may stand beside these; others are kept.",
            "required": ["user_id", "message"],
            "properties": {
                **names,
                "message": {"type": "string", "minLength": 1, "pattern": _NO_NUL},
                "response_token": nullable(
                    {
                        "type": "string",
                        "format": "password",
                        "maxLength": TOKEN_LENGTH,
                        "pattern": _NO_CONTROLS,
                        "description": "What the handler answers with: a credential, shown to nobody.",
                        "writeOnly": True,
                    }
                ),
                "callback": nullable(
                    {
                        "type": "string",
                        "format": "uri",
                        "maxLength": targets.LENGTH,
                        "description": "Is told what becomes of it, as `callback_url`.",
                    }
                ),
            },
        },
    }
