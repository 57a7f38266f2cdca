"""Contract section 3: bad events and limits, each refused alone and by name (rules 3, 6, 7), on both faces."""

import json

import pytest
import redis

from ingest.api import limits
from ingest.kinds import KINDS, Kind
from ingest.queue.payload import body_of
from tests.ingest.api.conftest import ALERT, EVENTS, NDJSON, Post, ndjson, stored_ids

BAD = {
    "nan": (b'{"a":NaN}', 400, "not_a_number"),
    "infinity": (b'{"a":-Infinity}', 400, "not_a_number"),
    "1e999": (b'{"a":1e999}', 422, "number_out_of_range"),
    "5,000 digits": (b'{"a":' + b"9" * 5000 + b"}", 422, "number_out_of_range"),
    "NUL": (b'{"a":"x\\u0000"}', 422, "nul_character"),
    "NUL in a key": (b'{"a\\u0000":1}', 422, "nul_character"),
    "raw NUL": (b'{"a":"\x00"}', 400, "malformed_json"),
    "lone surrogate": (b'{"a":"\\ud800"}', 422, "lone_surrogate"),
    "swapped surrogates": (b'{"a":"\\udc00\\ud800"}', 422, "lone_surrogate"),
    "surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', 400, "invalid_utf8"),
    "not UTF-8": (b'{"a":"\xff"}', 400, "invalid_utf8"),
    "duplicate key": (b'{"a":1,"a":2}', 422, "duplicate_key"),
    "duplicate key deep inside": (b'{"p":{"l":[{"a" :1,"\\u0061": 2}]}}', 422, "duplicate_key"),
    "too deep": (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", 413, "too_deep"),
    "too many keys": (b'{"a":{' + b",".join(b'"%d":1' % n for n in range(2001)) + b"}}", 413, "too_many_keys"),
    "too large": (b'{"a":"' + b"x" * limits.ITEM_BYTES + b'"}', 413, "item_too_large"),
    "no object": (b'"text"', 422, "wrong_type"),
    "a number": (b"7", 422, "wrong_type"),
    "leading zero": (b'{"a":01}', 400, "malformed_json"),
    "unknown escape": (b'{"a":"\\x"}', 400, "malformed_json"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_event_alone_is_refused(post: Post, empty_redis: redis.Redis, name: str) -> None:
    """Rule 7."""
    raw, status, code = BAD[name]

    for path in (EVENTS, ALERT):
        answer = post(path, raw)
        assert (answer.status, answer.json["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
    assert stored_ids(empty_redis) == set()


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("form", ["array", "ndjson"])
def test_a_bad_event_harms_no_neighbour(post: Post, empty_redis: redis.Redis, name: str, form: str) -> None:
    """Rule 3."""
    raw, status, code = BAD[name]
    first, last = b'{"id":"first"}', b'{"id":"last","title":"[,{\\"}"}'
    if form == "array":
        answer = post(EVENTS, b" [ " + b" , ".join((first, raw, last)) + b" ] ")
    else:
        answer = post(EVENTS, ndjson(first, raw, last), content_type=NDJSON)

    assert answer.status == 207
    assert [item["status"] for item in answer.json["items"]] == [202, status, 202]
    assert answer.json["items"][1]["error"]["code"] == code
    assert len(stored_ids(empty_redis)) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"{", b'{"a":1}}', b'[{"a":1},', b'[{"a":1},]', b'[{"a":1}}', b'[{"a":1]}', b'[{"a":1}] 2'],
)
def test_a_body_that_is_not_json_stores_nothing(post: Post, empty_redis: redis.Redis, body: bytes) -> None:
    answer = post(EVENTS, body)

    assert (answer.status, answer.json["code"], answer.json["retryable"]) == (400, "malformed_json", False)
    assert set(answer.json) >= {"type", "title", "status", "detail", "code", "retryable"}
    assert stored_ids(empty_redis) == set()


@pytest.mark.parametrize(("body", "content_type"), [(b"[]", "application/json"), (b"\n \n", NDJSON)])
def test_no_event_at_all_is_refused(post: Post, body: bytes, content_type: str) -> None:
    answer = post(EVENTS, body, content_type=content_type)

    assert (answer.status, answer.json["code"]) == (422, "no_events")


def test_a_kind_for_code_in_the_project_only_is_unknown_to_the_api(
    post: Post, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Kind(name="inner", validate=lambda event: None, handler=lambda events: None, internal=True)
    monkeypatch.setitem(KINDS, "inner", inner)
    answer = post(EVENTS, {"title": "x", "kind": "inner"})
    assert (answer.status, answer.json["code"]) == (422, "unknown_kind")
    assert answer.json["detail"] == "kind must be one of alert, point, task, message."
    assert stored_ids(empty_redis) == set()


def test_the_alert_endpoint_takes_one_object_only(post: Post, empty_redis: redis.Redis) -> None:
    assert post(ALERT, [{"title": "x"}]).json["code"] == "wrong_type"
    assert post(ALERT, b'{"title":"x"}', content_type=NDJSON).status == 415
    assert stored_ids(empty_redis) == set()


@pytest.mark.parametrize(
    ("event", "field", "code"),
    [
        ({"kind": "poem"}, "kind", "unknown_kind"),
        ({"kind": 7}, "kind", "unknown_kind"),
        ({"id": 7}, "id", "wrong_type"),
        ({"id": ""}, "id", "invalid_value"),
        ({"id": "x" * 256}, "id", "too_long"),
        ({"id": "a\nb"}, "id", "invalid_value"),
        ({"source": ["keep"]}, "source", "wrong_type"),
        ({"source": "x" * 256}, "source", "too_long"),
        ({"tenant": 1}, "tenant", "wrong_type"),
        ({"title": "x" * 1025}, "title", "too_long"),
        ({"severity": {}}, "severity", "wrong_type"),
        ({"severity": True}, "severity", "wrong_type"),
        ({"severity": "x" * 101}, "severity", "too_long"),
        ({"priority": "urgent"}, "priority", "invalid_value"),
        ({"priority": 1}, "priority", "invalid_value"),
        ({"dedup_key": 1}, "dedup_key", "wrong_type"),
        ({"action": "close"}, "action", "invalid_value"),
        ({"action": ["resolve"]}, "action", "invalid_value"),
        ({"occurred_at": "yesterday"}, "occurred_at", "invalid_time"),
        ({"occurred_at": "2026-11-22T08:00:00"}, "occurred_at", "invalid_time"),
        ({"occurred_at": 1700000000}, "occurred_at", "invalid_time"),
        ({"occurred_at": "0001-01-01T00:00:00+23:59"}, "occurred_at", "invalid_time"),
        ({"occurred_at": "9999-01-01T00:00:00Z"}, "occurred_at", "in_the_future"),
        ({"labels": []}, "labels", "wrong_type"),
        ({"delay_seconds": -1}, "delay_seconds", "invalid_value"),
        ({"delay_seconds": "5"}, "delay_seconds", "invalid_value"),
        ({"delay_seconds": True}, "delay_seconds", "invalid_value"),
        ({"delay_seconds": 1e12}, "delay_seconds", "invalid_value"),
        ({"delay_seconds": 1, "run_at": "2026-11-22T08:00:00Z"}, "run_at", "conflict"),
        ({"run_at": "9999-01-01T00:00:00Z"}, "run_at", "too_far"),
        ({"callback_url": "ftp://example.org"}, "callback_url", "invalid_value"),
        ({"callback_url": "http://["}, "callback_url", "invalid_value"),
        ({"fault": "crash"}, "fault", "fault_refused"),
        ({"payload": {"fault": "segfault"}}, "payload.fault", "fault_refused"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(
    post: Post, empty_redis: redis.Redis, event: dict[str, object], field: str, code: str
) -> None:
    answer = post(EVENTS, event)

    assert answer.status == 422
    assert (answer.json["field"], answer.json["code"]) == (field, code)
    assert field.rpartition(".")[2] in answer.json["detail"]
    assert stored_ids(empty_redis) == set()


def test_null_means_left_out_and_unknown_fields_are_kept(post: Post, empty_redis: redis.Redis) -> None:
    names = "kind id source tenant title severity priority dedup_key action occurred_at labels payload delay_seconds"
    event: dict[str, object] = dict.fromkeys(f"{names} run_at callback_url fault".split()) | {"more": [1]}

    answer = post(EVENTS, event)

    assert answer.status == 202
    assert json.loads(body_of(empty_redis.hget(f"rq:job:{answer.json['id']}", "data"))) == event


def test_a_limit_is_named_with_its_number(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 6."""
    too_long = post(EVENTS, b'{"a":"' + b"x" * limits.WIRE_BYTES + b'"}')
    array = post(EVENTS, b"[" + b",".join([b"{}"] * 1001) + b"]")
    lines = post(EVENTS, b"{}\n" * 1001, content_type=NDJSON)
    empty_lines = post(EVENTS, b"\n" * 100_000, content_type=NDJSON)
    dense = post(EVENTS, b"[" + b"1," * 1_000_000 + b"1]")

    shown = [(a.status, a.json["limit"], a.json["limit_value"]) for a in (too_long, array, lines, empty_lines, dense)]
    assert shown == [(413, "wire_bytes", limits.WIRE_BYTES)] + [(413, "items", 1000)] * 4
    assert stored_ids(empty_redis) == set()


def test_what_a_field_broke_is_named_with_its_number(post: Post) -> None:
    answer = post(EVENTS, {"title": "x" * 1025})

    assert (answer.json["limit"], answer.json["limit_value"]) == ("title_length", 1024)


def test_an_event_at_its_limits_is_taken(post: Post) -> None:
    deep = b'{"a":' + b"[" * 31 + b'"[[[{{{::: \\""' + b"]" * 31 + b"}"
    many = b'{"a":{' + b",".join(b'"%d":1' % number for number in range(1999)) + b"}}"
    large = b'{"a":"' + b"x" * (limits.ITEM_BYTES - 8) + b'"}'

    assert [post(EVENTS, body).status for body in (deep, many, large)] == [202, 202, 202]
