"""Contract section 3: what the answer to events says (rules 2 to 4), on both faces."""

import hashlib
import json

import pytest
import redis

from ingest.queue import keys
from ingest.queue.payload import decode
from ingest.queue.transitions import Failure, Transitions, new_id
from tests.ingest.api.conftest import ALERT, EVENTS, NDJSON, Post, ndjson, stored_ids


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

    payload = decode(empty_redis.hget(f"rq:job:{answer.json['id']}", "data"), answer.json["id"])
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
    assert answer.headers["location"] == f"/api/v1/batches/{batch['batch_id']}"
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


# --- what came first is gone -------------------------------------------------------------------------

EVENT = {"id": "evt-1", "source": "edge7", "title": "disk full"}


def test_a_copy_of_a_dead_letter_says_failed(post: Post, empty_redis: redis.Redis) -> None:
    """Rule 4."""
    first = post(EVENTS, EVENT)
    _fail(empty_redis, first.json["id"], dead=True)
    second = post(EVENTS, EVENT)
    assert (second.status, second.json["duplicate"], second.json["status"]) == (202, True, "failed")
    assert second.json["id"] == first.json["id"]
    assert post(EVENTS, EVENT | {"title": "x"}).status == 409


@pytest.mark.parametrize("gone", ["discarded", "a discarded dead letter", "canceled", "failed into the trash"])
@pytest.mark.parametrize("title", ["disk full", "another body"])
def test_a_copy_of_one_in_the_trash_or_canceled_is_enqueued_anew(
    post: Post, empty_redis: redis.Redis, gone: str, title: str
) -> None:
    """Rule 4: whoever threw it away may want it again, also with another body."""
    first = post(EVENTS, EVENT)
    ours, transitions = first.json["id"], Transitions(empty_redis)
    match gone:
        case "discarded":
            assert transitions.discard("medium", [ours]) == [ours]
        case "a discarded dead letter":
            _fail(empty_redis, ours, dead=True)
            assert transitions.discard("medium", [ours]) == [ours]
        case "canceled":
            assert transitions.cancel("medium", [ours]) == [ours]
        case _:
            _fail(empty_redis, ours, dead=False)
    assert stored_ids(empty_redis) == set()

    second = post(EVENTS, EVENT | {"title": title})

    assert (second.status, second.json["duplicate"], second.json["status"]) == (202, False, "queued")
    assert second.json["id"] == ours
    assert stored_ids(empty_redis) == {ours}
    assert transitions.where("medium", [ours]) == {ours: ["queued"]}


def test_a_copy_of_one_that_was_processed_is_a_duplicate_within_the_window(
    post: Post, empty_redis: redis.Redis
) -> None:
    """Rule 4."""
    first = post(EVENTS, EVENT)
    ours, transitions = first.json["id"], Transitions(empty_redis)
    claim = transitions.claim("w", ["medium"], claim_id=new_id(), lease=30)
    assert claim is not None
    transitions.complete("medium", claim.id, "w", [ours])
    second = post(EVENTS, EVENT)
    assert (second.json["duplicate"], second.json["status"], second.json["id"]) == (True, "finished", ours)
    assert post(EVENTS, EVENT | {"title": "x"}).json["code"] == "id_reused"
    assert 0 < empty_redis.ttl(keys.marker(ours)) <= 3600
    empty_redis.delete(keys.marker(ours))  # an hour later
    assert post(EVENTS, EVENT).json["duplicate"] is False


def _fail(connection: redis.Redis, job_id: str, *, dead: bool) -> None:
    if not dead:
        connection.hset(keys.job(job_id), keys.DEAD_LETTERS, "0")
    transitions = Transitions(connection)
    claim = transitions.claim("w", ["medium"], claim_id=new_id(), lease=30)
    assert claim is not None
    transitions.fail("medium", claim.id, "w", [Failure(job_id, "boom", retry=False)])
