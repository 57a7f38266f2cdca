"""CloudEvents 1.0: structured, batched and binary, with the official SDK and by hand."""

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import redis
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import http as v1

from ingest.api.intake import EVENTS
from ingest.queue import keys
from ingest.queue.payload import Payload, decode
from tests.ingest.api.conftest import Post, Response

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "ce-1",
    "source": "/sensors/7",
    "type": "com.example.hot",
    "time": "2026-11-22T10:00:00Z",
    "subject": "rack 7",
    "datacontenttype": "application/json",
    "data": {"title": "too hot", "severity": "critical", "labels": {"rack": "7"}, "n": 12345678901234567890},
}


@pytest.fixture
def stored(empty_redis: redis.Redis) -> Any:
    """The one event that waits."""

    def read() -> tuple[Payload, dict[str, Any]]:
        (name,) = empty_redis.scan_iter(f"{keys.job('')}*")
        payload = decode(empty_redis.hget(name, "data") or b"", name.decode().removeprefix(keys.job("")))
        return payload, json.loads(payload.body)

    return read


def refusal(answer: Response) -> tuple[int, str, str]:
    return answer.status, answer.json["code"], answer.json["field"]


def test_structured(post: Post, stored: Any) -> None:
    answer = post(EVENTS.path, EVENT, content_type=f"{STRUCTURED}; charset=utf-8")
    assert (answer.status, answer.json["event_id"], answer.json["priority"]) == (202, "ce-1", "critical")
    payload, event = stored()
    assert (payload.source, payload.event_id, payload.kind) == ("/sensors/7", "ce-1", "alert")
    assert event["labels"] == {"rack": "7", "type": "com.example.hot", "subject": "rack 7"}
    assert (event["title"], event["occurred_at"]) == ("too hot", "2026-11-22T10:00:00Z")
    assert b'"n":12345678901234567890' in payload.body


def test_batched(post: Post, empty_redis: redis.Redis) -> None:
    bad = {name: value for name, value in EVENT.items() if name != "type"}
    answer = post(EVENTS.path, [EVENT, {**EVENT, "id": "ce-2"}, bad], content_type=BATCH)
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 2, 1)
    assert answer.json["items"][2]["error"]["field"] == "type"


def test_binary(post: Post, stored: Any) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "ce%2D1",
        "ce-source": "/sensors/7",
        "ce-type": "com.example.hot",
        "ce-note": "Euro%20%E2%82%AC",
    }
    answer = post(EVENTS.path, EVENT["data"], headers=headers)
    assert (answer.status, answer.json["event_id"]) == (202, "ce-1")
    _, event = stored()
    assert event["labels"]["note"] == "Euro €"
    assert event["title"] == "too hot"


@pytest.mark.parametrize(
    ("content_type", "body", "payload"),
    [
        ("application/json", b'[1, 2.50, "x"]', [1, 2.5, "x"]),
        ("application/json", b"17", 17),
        ("text/plain", "zu heiß".encode(), "zu heiß"),
        ("application/octet-stream", b"\xff\xfe", "//4="),
    ],
)
def test_data_that_is_no_object_is_the_payload(
    post: Post, stored: Any, content_type: str, body: bytes, payload: object
) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}
    assert post(EVENTS.path, body, headers=headers, content_type=content_type).status == 202
    assert stored()[1]["payload"] == payload


def test_data_in_base64(post: Post, stored: Any) -> None:
    event = {**EVENT, "data_base64": "eyJ0aXRsZSI6ICJwYWNrZWQifQ=="}
    del event["data"]
    assert post(EVENTS.path, event, content_type=STRUCTURED).status == 202
    assert stored()[1]["title"] == "packed"


def test_the_kind_is_an_attribute(post: Post) -> None:
    answer = post(EVENTS.path, {**EVENT, "queueadminkind": "nonsense"}, content_type=STRUCTURED)
    assert refusal(answer) == (422, "unknown_kind", "kind")


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
@pytest.mark.parametrize("value", ["", None, 7])
def test_what_is_required_is_named(post: Post, empty_redis: redis.Redis, name: str, value: object) -> None:
    answer = post(EVENTS.path, {**EVENT, name: value}, content_type=STRUCTURED)
    assert answer.status == 422
    assert answer.json["field"] == name


def test_another_version_is_named(post: Post) -> None:
    answer = post(EVENTS.path, {**EVENT, "specversion": "0.3"}, content_type=STRUCTURED)
    assert refusal(answer) == (422, "invalid_value", "specversion")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"specversion":"1.0","id":"1","id":"2","source":"s","type":"t"}', "duplicate_key"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":"\\u0000"}}', "nul_character"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":NaN}}', "not_a_number"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":', "malformed_json"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","x":{"a":1}}', "wrong_type"),
        (b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"?"}', "invalid_value"),
        (b'"text"', "wrong_type"),
        (b"[]", "wrong_type"),
    ],
)
def test_bad_input_is_refused_as_elsewhere(post: Post, body: bytes, code: str) -> None:
    answer = post(EVENTS.path, body, content_type=STRUCTURED)
    assert answer.status in (400, 422)
    assert answer.json["code"] == code


@pytest.mark.parametrize("body", [b"{", b"[1", b'{"a":1,"a":2}', b"\xff"])
def test_bad_data_in_binary_mode_is_refused(post: Post, body: bytes) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}
    assert post(EVENTS.path, body, headers=headers).status in (400, 422)


def test_a_repeated_cloudevent_is_a_duplicate(post: Post) -> None:
    first = post(EVENTS.path, EVENT, content_type=STRUCTURED)
    again = post(EVENTS.path, EVENT, content_type=STRUCTURED)
    assert (again.status, again.json["duplicate"], again.json["id"]) == (202, True, first.json["id"])


# --- the official SDK, unchanged --------------------------------------------------------------------

ATTRIBUTES = {"id": "ce-1", "source": "/sensors/7", "type": "com.example.hot", "subject": 'Grüße "%" €'}
WRITERS = {
    "structured": lambda attributes, data: to_structured_event(CloudEvent(attributes, data)),
    "binary": lambda attributes, data: to_binary_event(CloudEvent(attributes, data)),
}
Write = Callable[[dict[str, Any], Any], HTTPMessage]


def through(post: Post, message: HTTPMessage) -> Response:
    headers = {name.lower(): value for name, value in message.headers.items()}
    return post(EVENTS.path, bytes(message.body), headers=headers, content_type=headers.pop("content-type", ""))


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_sdk_s_events_come_in_as_they_were(post: Post, stored: Any, write: Write) -> None:
    data = {"title": "too hot", "severity": "critical", "labels": {"rack": "7"}, "ö": [1, None, True]}
    answer = through(post, write({**ATTRIBUTES, "shelf": "3"}, data))
    assert (answer.status, answer.json["event_id"], answer.json["priority"]) == (202, "ce-1", "critical")
    payload, event = stored()
    assert (payload.source, payload.event_id) == ("/sensors/7", "ce-1")
    labels = {"type": "com.example.hot", "subject": ATTRIBUTES["subject"], "rack": "7", "shelf": "3"}
    assert {name: event["labels"][name] for name in labels} == labels
    assert (event["title"], event["ö"]) == ("too hot", [1, None, True])


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(
    ("content_type", "data", "payload"),
    [
        ("text/plain", "zu heiß", "zu heiß"),
        ("application/octet-stream", b"\xff\xfe", "//4="),
        ("application/json", [1, 2.5], [1, 2.5]),
    ],
)
def test_the_sdk_s_data_of_any_type_is_the_payload(
    post: Post, stored: Any, write: Write, content_type: str, data: Any, payload: Any
) -> None:
    answer = through(post, write({**ATTRIBUTES, "datacontenttype": content_type}, data))
    assert answer.status == 202, answer.body
    assert stored()[1]["payload"] == payload


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_the_sdk_s_event_without_data_comes_in(post: Post, stored: Any, write: Write) -> None:
    assert through(post, write(ATTRIBUTES, None)).status == 202
    assert stored()[1]["labels"]["type"] == "com.example.hot"


@pytest.mark.parametrize("write", [v1.to_structured, v1.to_binary], ids=["structured", "binary"])
def test_the_first_sdk_s_events_come_in_too(post: Post, stored: Any, write: Callable[..., Any]) -> None:
    """Version 1, which most programs still have."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        headers, body = write(
            v1.CloudEvent({**ATTRIBUTES, "subject": "rack 7", "time": EVENT["time"]}, {"title": "too hot"})
        )
    assert through(post, HTTPMessage(headers, body)).status == 202
    payload, event = stored()
    assert (payload.event_id, event["title"], event["labels"]["subject"]) == ("ce-1", "too hot", "rack 7")
