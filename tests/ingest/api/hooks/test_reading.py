"""Groups, arrays and forms: each alert alone, and what is said about all of them; on both faces."""

import json
from typing import Any

import pytest
import redis

from ingest.api import limits, tally
from ingest.queue import keys
from ingest.queue.payload import decode
from tests.ingest.api.conftest import Post, stored_ids
from tests.ingest.api.hooks.conftest import body, parsed

ALERTMANAGER = "/api/v1/hooks/alertmanager"
GENERIC = "/api/v1/hooks/generic"


def group(*alerts: bytes, **more: Any) -> bytes:
    beside = {**parsed("alertmanager"), **more}
    del beside["alerts"]
    return json.dumps(beside).encode()[:-1] + b',"alerts":[' + b",".join(alerts) + b"]}"


GOOD = b'{"status":"firing","labels":{"alertname":"A","severity":"page"},"startsAt":"2026-11-27T08:00:00Z"}'


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (b"7", 422, "wrong_type"),
        (b"{}", 422, "missing"),
        (b'{"status":"burning","labels":{}}', 422, "invalid_value"),
        (b'{"status":{"a":1},"labels":{}}', 422, "wrong_type"),
        (b'{"status":"firing","labels":[]}', 422, "wrong_type"),
        (b'{"status":"firing","labels":{"a":1,"a":2}}', 422, "duplicate_key"),
        (b'{"status":"firing","x":NaN}', 400, "not_a_number"),
        (b'{"status":"firing","x":"\\u0000"}', 422, "nul_character"),
        (b'{"status":"firing","x":"\\ud800"}', 422, "lone_surrogate"),
        (b'{"status":"firing","x":' + b"[" * 40 + b"]" * 40 + b"}", 413, "too_deep"),
        (b'{"status":"firing","x":"' + b"x" * limits.ITEM_BYTES + b'"}', 413, "item_too_large"),
    ],
)
def test_one_bad_alert_of_a_group_is_refused_alone(
    post: Post, empty_redis: redis.Redis, bad: bytes, status: int, code: str
) -> None:
    """Rule 3, and one accepted event is enough for 202."""
    if code == "missing":
        answer = post(ALERTMANAGER, group(GOOD, bad, status=None))
    else:
        answer = post(ALERTMANAGER, group(GOOD, bad))
    assert answer.status == 202, answer.body
    assert (answer.json["accepted"], answer.json["rejected"]) == (1, 1)
    good, refused = answer.json["items"]
    assert (good["status"], good["priority"]) == (202, "critical")
    assert (refused["status"], refused["error"]["code"], refused["retryable"]) == (status, code, False)
    assert len(stored_ids(empty_redis)) == 1


def test_none_good_is_422_and_all_or_nothing_is_that(post: Post, empty_redis: redis.Redis) -> None:
    nothing = post(ALERTMANAGER, group(b"7", b"8"))
    assert (nothing.status, nothing.json["code"], len(nothing.json["items"])) == (422, "all_rejected", 2)
    strict = post(ALERTMANAGER, group(GOOD, b"8"), headers={"prefer": "handling=strict"})
    assert (strict.status, strict.json["code"]) == (422, "strict_refused")
    assert stored_ids(empty_redis) == set()


def test_truncated_alerts_are_said_and_counted(post: Post, empty_redis: redis.Redis) -> None:
    answer = post(ALERTMANAGER, body("alertmanager-truncated"))
    assert answer.status == 202
    assert [(each["code"], each["value"]) for each in answer.json["warnings"]] == [("truncated_alerts", "17")]
    tally.settle()
    assert empty_redis.hget(keys.tally_source("alertmanager"), tally.TRUNCATED) == b"17"
    [job] = stored_ids(empty_redis)
    kept = json.loads(decode(empty_redis.hget(keys.job(job), "data") or b"", job).body)["payload"]["group"]
    assert (kept["truncatedAlerts"], kept["receiver"]) == (17, "queueadmin")


def test_a_body_that_says_nothing_is_fine(post: Post, empty_redis: redis.Redis) -> None:
    for path, raw in ((ALERTMANAGER, group()), ("/api/v1/hooks/pagerduty", body("pagerduty-ping")), (GENERIC, b"[]")):
        answer = post(path, raw)
        assert (answer.status, answer.json) == (
            202,
            {"received": 0, "accepted": 0, "duplicates": 0, "rejected": 0, "warnings": []},
        )
    assert stored_ids(empty_redis) == set()


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"not json", 400, "malformed_json"),
        (b'{"alerts":', 400, "malformed_json"),
        (b'{"alerts":7}', 422, "wrong_type"),
        (b'{"alerts":"x"}', 422, "wrong_type"),
        (b'{"alerts":null}', 422, "wrong_type"),
        (b"[]", 422, "wrong_type"),
        (b"7", 422, "wrong_type"),
        (b'{"alerts":[],"alerts":[]}', 422, "duplicate_key"),
        (b'{"alerts":[],"a":1,"a":2}', 422, "duplicate_key"),
        (b'{"alerts":[' + b",".join([b"{}"] * 1001) + b"]}", 413, "batch_too_many"),
        (b'{"alerts":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 413, "too_deep"),
        (b"{" + b",".join(b'"%d":0' % number for number in range(200_000)) + b',"alerts":[]}', 413, "item_too_large"),
        (b"<alerts/>", 400, "malformed_json"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(post: Post, raw: bytes, status: int, code: str) -> None:
    answer = post(ALERTMANAGER, raw)
    assert (answer.status, answer.json["code"]) == (status, code), answer.body


def test_an_unknown_vendor_is_not_found(post: Post) -> None:
    for vendor in ("nobody", "", "alertmanager/x", "ALERTMANAGER"):
        answer = post(f"/api/v1/hooks/{vendor}", b"{}")
        assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_a_form_is_read_as_its_fields(post: Post, empty_redis: redis.Redis) -> None:
    """What `curl --data-urlencode` sends: quotes in a plugin's output break nothing."""
    form = b"notificationtype=PROBLEM&hostname=web-1&servicedesc=HTTP&servicestate=WARNING&serviceoutput=a%22b%5C%0Ac"
    answer = post("/api/v1/hooks/nagios", form, content_type="application/x-www-form-urlencoded")
    assert (answer.status, answer.json["priority"]) == (202, "medium")
    assert post("/api/v1/hooks/nagios", b"%ff=%ff", content_type="application/x-www-form-urlencoded").status == 400
    large = b"&".join(b"%d=" % number for number in range(3000))
    assert post("/api/v1/hooks/nagios", large, content_type="application/x-www-form-urlencoded").status == 413


def test_what_is_too_long_is_shortened_and_said(post: Post, empty_redis: redis.Redis) -> None:
    """An alert is not lost because of its length, nor because nobody can read its time."""
    long = {"title": "x" * 5000, "fingerprint": "y" * 5000, "severity": "z" * 500, "time": "yesterday"}
    answer = post(GENERIC, long)
    assert answer.status == 202, answer.body
    assert [each["code"] for each in answer.json["warnings"]] == ["title_truncated", "severity_unmapped"]
    other = post(ALERTMANAGER, group(GOOD.replace(b"2026-11-27T08:00:00Z", b"soon")), headers={"prefer": REPRESENT})
    assert [each["code"] for each in other.json["items"][0]["warnings"]] == ["time_unreadable"]


REPRESENT = "return=representation"


def test_a_repeat_with_other_annotations_is_a_duplicate_and_a_new_start_is_not(
    post: Post, empty_redis: redis.Redis
) -> None:
    first = post(ALERTMANAGER, group(GOOD))
    told = GOOD[:-1] + b',"annotations":{"summary":"91 %"}}'
    again = post(ALERTMANAGER, group(told, receiver="other"))
    later = post(ALERTMANAGER, group(GOOD.replace(b"T08:", b"T09:")))
    over = post(ALERTMANAGER, group(GOOD.replace(b"firing", b"resolved")))
    assert [(each.json["accepted"], each.json["duplicates"]) for each in (first, again, later, over)] == [
        (1, 0),
        (0, 1),
        (1, 0),
        (1, 0),
    ]
