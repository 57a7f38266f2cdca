"""Contract section 3, rule by rule, on the fast lane and on the DRF view."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.conf import settings

from ingest.api import limits
from ingest.queue.payload import decode
from tests.ingest.api.conftest import Post, stored_ids

EVENTS = "/api/v1/events"
ALERT = "/api/alerts/event"
NDJSON = "application/x-ndjson"


def ndjson(*lines: bytes) -> bytes:
    return b"\n".join(lines)


# --- receipts --------------------------------------------------------------------------------


def test_one_event_gets_a_receipt(post: Post, empty_redis: redis.Redis) -> None:
    answer = post(EVENTS, {"id": "evt-1", "source": "prometheus/eu1", "title": "CPU", "severity": "Page"})

    assert answer.status == 202
    ours = hashlib.sha256(b"alert\0\0prometheus/eu1\0evt-1").hexdigest()[:32]
    assert answer.json == {
        "id": ours,
        "event_id": "evt-1",
        "status": "queued",
        "duplicate": False,
        "durability": "redis",
        "kind": "alert",
        "priority": "critical",
        "queue": "critical",
        "severity": {"raw": "Page", "mapped": "critical", "by": "source"},
        "warnings": [],
    }
    assert answer.headers["location"] == f"/api/v1/jobs/{ours}"
    assert stored_ids(empty_redis) == {ours}


def test_the_alert_endpoint_of_keep_says_queued_and_the_id(post: Post, empty_redis: redis.Redis) -> None:
    """A11."""
    without_id = post(ALERT, {"title": "Test Alert 1", "severity": "high", "source": "test_script"})
    with_id = post(ALERT, {"id": "mine", "title": "Test Alert 2", "severity": "high"})

    assert (without_id.status, with_id.status) == (202, 202)
    assert without_id.json["status"] == with_id.json["status"] == "queued"
    assert without_id.json["alert_id"] == without_id.json["id"]
    assert with_id.json["alert_id"] == "mine"
    assert empty_redis.llen("rq:queue:high") == 2


def test_an_event_is_kept_byte_for_byte(post: Post, empty_redis: redis.Redis) -> None:
    body = b'{ "title" : "x",\t"n": 18446744073709551617, "big": 1e400000 }'.replace(b', "big": 1e400000', b"")

    answer = post(EVENTS, b"  " + body + b"\n")

    payload = decode(empty_redis.hget(f"rq:job:{answer.json['id']}", "data"))
    assert payload.body == body


def test_a_batch_says_how_many(post: Post, empty_redis: redis.Redis) -> None:
    answer = post(EVENTS, [{"title": "a"}, {"title": "b", "id": "b"}, {"title": "b", "id": "b"}])

    assert answer.status == 202
    batch = answer.json
    assert {name: batch[name] for name in ("durability", "received", "accepted", "duplicates", "rejected")} == {
        "durability": "redis",
        "received": 3,
        "accepted": 2,
        "duplicates": 1,
        "rejected": 0,
    }
    assert batch["batch_id"]
    assert "items" not in batch
    assert len(stored_ids(empty_redis)) == 2


def test_items_are_shown_on_202_when_preferred(post: Post) -> None:
    answer = post(EVENTS, [{"title": "a"}], headers={"prefer": "wait=1, return=representation"})

    assert answer.status == 202
    assert answer.headers["preference-applied"] == "return=representation"
    [item] = answer.json["items"]
    assert item == {
        "index": 0,
        "status": 202,
        "id": item["id"],
        "event_id": None,
        "priority": "medium",
        "duplicate": False,
        "warnings": [],
    }


def test_ndjson_is_taken_line_by_line(post: Post, empty_redis: redis.Redis) -> None:
    body = ndjson(b'{"title":"a"}', b"", b'  {"title":"b"}\r', b'{"title":"c"}', b"")

    answer = post(EVENTS, body, content_type=NDJSON)

    assert (answer.status, answer.json["accepted"]) == (202, 3)
    assert len(stored_ids(empty_redis)) == 3


def test_a_thousand_events_go_at_once(post: Post, empty_redis: redis.Redis) -> None:
    body = ndjson(*(json.dumps({"title": f"alert {number}"}).encode() for number in range(1000)))

    answer = post(EVENTS, body, content_type=NDJSON)

    assert (answer.status, answer.json["accepted"]) == (202, 1000)
    assert empty_redis.llen("rq:queue:medium") == 1000


def test_mixed_is_207_and_each_item_keeps_its_index(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 2."""
    body = ndjson(b'{"id":"a1","title":"x"}', b"", b"not json", b'{"id":"a2","title":7}', b'{"id":"a1","title":"y"}')

    answer = post(EVENTS, body, content_type=NDJSON)

    assert answer.status == 207
    good, bad_line, bad_field, reused = answer.json["items"]
    assert (good["index"], good["status"], good["event_id"]) == (0, 202, "a1")
    assert (bad_line["index"], bad_line["status"], bad_line["event_id"]) == (1, 400, None)
    assert (bad_line["error"]["code"], bad_line["error"]["line"]) == ("malformed_json", 3)
    assert (bad_field["status"], bad_field["event_id"], bad_field["retryable"]) == (422, "a2", False)
    assert (bad_field["error"]["code"], bad_field["error"]["field"]) == ("wrong_type", "title")
    assert (reused["status"], reused["error"]["code"]) == (409, "id_reused")
    assert [answer.json[name] for name in ("received", "accepted", "duplicates", "rejected")] == [4, 1, 0, 3]
    assert len(stored_ids(empty_redis)) == 1


def test_a_batch_without_a_good_event_is_422(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 2."""
    answer = post(EVENTS, [{"title": 1}, 2])

    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json["code"], answer.json["retryable"]) == ("all_rejected", False)
    assert [item["status"] for item in answer.json["items"]] == [422, 422]
    assert stored_ids(empty_redis) == set()


# --- bad input -------------------------------------------------------------------------------

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


def test_the_alert_endpoint_takes_one_object_only(post: Post, empty_redis: redis.Redis) -> None:
    assert post(ALERT, [{"title": "x"}]).json["code"] == "wrong_type"
    assert post(ALERT, b'{"title":"x"}', content_type=NDJSON).status == 415
    assert stored_ids(empty_redis) == set()


@pytest.mark.parametrize(
    ("event", "field", "code"),
    [
        ({"kind": "point"}, "kind", "unknown_kind"),
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
    assert json.loads(decode(empty_redis.hget(f"rq:job:{answer.json['id']}", "data")).body) == event


# --- limits ----------------------------------------------------------------------------------


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


# --- identity --------------------------------------------------------------------------------


def test_a_second_copy_is_a_duplicate(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 4, B12."""
    event = {"id": "evt-1", "source": "edge7", "title": "disk full"}

    first, second = post(EVENTS, event), post(EVENTS, event)

    assert (first.status, second.status) == (202, 202)
    assert (first.json["duplicate"], second.json["duplicate"]) == (False, True)
    assert second.json["id"] == first.json["id"]
    assert len(stored_ids(empty_redis)) == 1


def test_the_same_id_with_another_body_is_409(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 4."""
    first = post(EVENTS, {"id": "evt-1", "action": "trigger"})
    second = post(EVENTS, {"id": "evt-1", "action": "resolve"})

    assert (second.status, second.json["code"], second.json["field"]) == (409, "id_reused", "id")
    assert second.json["id"] == first.json["id"]
    assert len(stored_ids(empty_redis)) == 1


def test_the_same_id_from_another_source_or_tenant_is_another_event(post: Post, empty_redis: redis.Redis) -> None:
    for event in ({"id": "1"}, {"id": "1", "source": "a"}, {"id": "1", "tenant": "a"}):
        assert post(EVENTS, event).json["duplicate"] is False
    assert len(stored_ids(empty_redis)) == 3


def test_events_without_an_id_are_never_duplicates(post: Post, empty_redis: redis.Redis) -> None:
    ids = {post(EVENTS, {"title": "same"}).json["id"] for _ in range(3)}

    assert stored_ids(empty_redis) == ids
    assert len(ids) == 3


# --- priority and time -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "priority", "by"),
    [
        ({"severity": "Critical"}, "critical", "word"),
        ({"severity": "P2"}, "high", "word"),
        ({"severity": 5, "source": "zabbix"}, "critical", "source"),
        ({"severity": 5, "source": "datadog/eu"}, "low", "source"),
        ({"severity": "low", "priority": "HIGH"}, "high", "priority"),
        ({"severity": "weird", "priority": "low"}, "low", "priority"),
        ({}, "medium", "default"),
        ({"action": "resolve"}, "low", "default"),
        ({"action": "resolve", "severity": "critical"}, "critical", "word"),
    ],
)
def test_priority(post: Post, empty_redis: redis.Redis, event: dict[str, object], priority: str, by: str) -> None:
    """A4, rule 9."""
    answer = post(EVENTS, event).json

    assert (answer["priority"], answer["queue"], answer["warnings"]) == (priority, priority, [])
    assert (answer["severity"]["mapped"], answer["severity"]["by"]) == (priority, by)
    assert empty_redis.llen(f"rq:queue:{priority}") == 1


@pytest.mark.parametrize("severity", ["weird", 5])
def test_an_unknown_severity_is_medium_and_warned(post: Post, severity: object) -> None:
    """Rule 9: it may be the sender's worst, so never low."""
    answer = post(ALERT, {"severity": severity}).json

    assert answer["severity"] == {"raw": str(severity), "mapped": "medium", "by": "default"}
    [warning] = answer["warnings"]
    assert (warning["code"], warning["value"]) == ("severity_unmapped", str(severity))


def test_without_severity_the_alert_endpoint_says_low(post: Post) -> None:
    """Rule 9."""
    answer = post(ALERT, {"title": "x"}).json

    assert answer["severity"] == {"raw": None, "mapped": "low", "by": "default"}


def test_a_delayed_event_is_scheduled(post: Post, empty_redis: redis.Redis) -> None:
    """B1."""
    at = datetime.now(UTC) + timedelta(hours=1)
    by_delay = post(EVENTS, {"delay_seconds": 3600.5})
    by_time = post(EVENTS, {"run_at": at.isoformat()})
    past = post(EVENTS, {"run_at": "2020-01-01T00:00:00Z"})

    assert [answer.json["status"] for answer in (by_delay, by_time, past)] == ["scheduled", "scheduled", "queued"]
    assert empty_redis.zcard("rq:scheduled:medium") == 2
    assert empty_redis.zscore("rq:scheduled:medium", by_time.json["id"]) == pytest.approx(at.timestamp(), abs=30)
    again = post(EVENTS, {"id": "d", "delay_seconds": 60}), post(EVENTS, {"id": "d", "delay_seconds": 60})
    assert (again[1].json["duplicate"], again[1].json["status"]) == (True, "scheduled")


# --- senders ---------------------------------------------------------------------------------


def test_this_machine_needs_no_key(post: Post) -> None:
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
        assert post(EVENTS, {}, headers={"host": host}).status == 202
    assert post(EVENTS, {}, peer="::1").status == 202


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Anything", "Via", "Origin"])
def test_a_proxy_or_a_page_needs_a_key(post: Post, empty_redis: redis.Redis, name: str) -> None:
    answer = post(EVENTS, {}, headers={name: "http://localhost:8000"})

    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == 'Bearer realm="queueadmin"'
    assert stored_ids(empty_redis) == set()


def test_another_machine_needs_a_key(post: Post) -> None:
    assert post(EVENTS, {}, peer="192.0.2.7").status == 401


def test_another_host_name_needs_a_key(post: Post, settings: pytest.FixtureRequest) -> None:
    settings.ALLOWED_HOSTS = ["queue.example.org"]
    assert post(EVENTS, {}, headers={"host": "queue.example.org"}).status == 401


@pytest.mark.parametrize("name", ["PROD", "INGEST_REQUIRE_KEY"])
def test_keys_can_be_required(post: Post, settings: pytest.FixtureRequest, name: str) -> None:
    setattr(settings, name, True)
    assert post(EVENTS, {}).status == 401


def test_a_key_is_taken_in_three_forms(post: Post, make_key: Callable[..., str]) -> None:
    import base64

    key = make_key()
    basic = base64.b64encode(f"api_key:{key}".encode()).decode()
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-KEY": key}, {"Authorization": f"Basic {basic}"}):
        assert post(EVENTS, {}, headers=headers, peer="192.0.2.7").status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer qa_wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Digest x"},
        {"X-API-KEY": ""},
        {"X-API-KEY": "\xff"},
    ],
)
def test_a_wrong_key_is_refused_even_from_this_machine(post: Post, headers: dict[str, str]) -> None:
    assert post(EVENTS, {}, headers=headers).status == 401


def test_a_key_without_the_scope_is_refused(post: Post, make_key: Callable[..., str]) -> None:
    answer = post(EVENTS, {}, headers={"X-API-KEY": make_key(scopes="read,admin")})

    assert (answer.status, answer.json["code"], answer.json["scope"]) == (403, "forbidden_scope", "ingest")


# --- the request around it -------------------------------------------------------------------


def test_an_unknown_host_is_refused(post: Post) -> None:
    answer = post(EVENTS, {}, headers={"host": "evil.example.org"})

    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json["code"] == "disallowed_host"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "multipart/form-data"],
)
def test_another_media_type_is_refused(post: Post, content_type: str) -> None:
    answer = post(EVENTS, b"{}", content_type=content_type)

    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
    assert "application/x-ndjson" in answer.json["detail"]


@pytest.mark.parametrize("content_type", ["", "Application/JSON", "application/json; charset=UTF-8"])
def test_json_goes_by_its_usual_names(post: Post, content_type: str) -> None:
    assert post(EVENTS, b"{}", content_type=content_type).status == 202


def test_a_compressed_body_is_refused_until_it_can_be_read(post: Post) -> None:
    answer = post(EVENTS, b"\x1f\x8b", headers={"content-encoding": "gzip"})

    assert (answer.status, answer.json["code"]) == (415, "unsupported_encoding")


def test_the_answer_is_json_whatever_accept_says(post: Post) -> None:
    for accept in ("text/html", "image/png", "nonsense"):
        answer = post(EVENTS, {}, headers={"accept": accept})
        assert (answer.status, answer.headers["content-type"]) == (202, "application/json")


def test_every_answer_carries_the_security_headers(post: Post) -> None:
    for answer in (post(EVENTS, {}), post(EVENTS, b"nonsense"), post(EVENTS, {}, peer="192.0.2.7")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == settings.SECURE_REFERRER_POLICY
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers


def test_every_answer_carries_the_request_s_id(post: Post) -> None:
    given = post(EVENTS, {}, headers={"x-request-id": "abc-1.2_3"})
    unusable = post(EVENTS, b"nonsense", headers={"x-request-id": 'x" y'})

    assert given.headers["x-request-id"] == "abc-1.2_3"
    assert len(unusable.headers["x-request-id"]) == 32


def test_each_request_is_one_line_in_the_log(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="ingest.api.access")
    answer = post(EVENTS, [{}, {}], headers={"x-request-id": "seen"})

    assert answer.status == 202
    [line] = [record.getMessage() for record in caplog.records if record.name == "ingest.api.access"]
    assert line.startswith("127.0.0.1 POST /api/v1/events 202 2 events by local in ")
    assert line.endswith("request seen")
