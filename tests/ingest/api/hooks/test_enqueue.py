"""`/v2/enqueue` in the place of PagerDuty's Events API: its answers, its client, and the key in its routing_key."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pagerduty
import pytest
import redis

from ingest.api import admission, pressure
from ingest.queue.payload import decode
from tests.conftest import Valkey
from tests.ingest.api.conftest import Post, stored_ids
from tests.ingest.api.hooks.conftest import parsed
from tests.ingest.api.hooks.https import certificate, https
from tests.ingest.api.test_fastlane import Daphne

ENQUEUE = "/v2/enqueue"
AFAR = "192.0.2.7"
MakeKey = Callable[..., str]


def event(**more: Any) -> dict[str, Any]:
    return {**parsed("enqueued"), **more}


def test_an_event_is_answered_as_pagerduty_does(post: Post, empty_redis: redis.Redis) -> None:
    answer = post(ENQUEUE, event())
    assert (answer.status, answer.headers["content-type"]) == (202, "application/json")
    assert answer.json == {"status": "success", "message": "Event processed", "dedup_key": "host7/raid"}
    made = post(ENQUEUE, event(dedup_key=None)).json["dedup_key"]
    assert len(made) == 32
    assert post(ENQUEUE, event(dedup_key="")).json["dedup_key"] not in {made, ""}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "not JSON"),
        (b"[]", "object"),
        (b"{}", "event_action is missing"),
        ({"event_action": "explode"}, "event_action must be one of trigger, acknowledge, resolve"),
        ({"event_action": "trigger"}, "payload.summary is missing"),
        ({"event_action": "trigger", "payload": 7}, "payload must be an object"),
        ({"event_action": "resolve"}, "dedup_key is missing"),
    ],
)
def test_what_is_wrong_is_said_as_pagerduty_does(post: Post, body: Any, error: str) -> None:
    answer = post(ENQUEUE, body)
    assert answer.status == 400
    assert (answer.json["status"], answer.json["message"]) == ("invalid event", "Event object is invalid")
    [said] = answer.json["errors"]
    assert error in said


def test_the_routing_key_is_the_api_key(post: Post, make_key: MakeKey, empty_redis: redis.Redis) -> None:
    key = make_key("pd", "ingest", "--tenant=acme")
    assert post(ENQUEUE, event(routing_key=key), peer=AFAR).status == 202
    [job] = stored_ids(empty_redis)
    stored = empty_redis.hgetall(f"rq:job:{job}")
    assert stored[b"tenant"] == b"acme"
    assert key.encode() not in decode(stored[b"data"], job).body

    for wrong in ("qa_wrong", "R0UT1NGK3YOF32CHARACTERS00000000", 7, None):
        refused = post(ENQUEUE, event(routing_key=wrong), peer=AFAR)
        assert (refused.status, refused.json["status"]) == (400, "invalid event")
    # On this machine nobody needs a key, but one of ours must be right.
    assert post(ENQUEUE, event(routing_key="R0UT1NGK3Y")).status == 202
    assert post(ENQUEUE, event(routing_key="qa_wrong")).status == 400
    # A header wins, and a key in the URL is none here.
    assert post(ENQUEUE, event(routing_key="x"), headers={"x-api-key": key}, peer=AFAR).status == 202
    assert post(f"{ENQUEUE}?key={key}", event(routing_key="x"), peer=AFAR).status == 400


def test_overload_is_429_here(post: Post, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 10."""
    key = make_key("pd", "ingest", "--rate=1", "--burst=1")
    answers = [post(ENQUEUE, event(routing_key=key), peer=AFAR) for _ in range(3)]
    assert [answer.status for answer in answers] == [202, 429, 429]
    assert answers[1].json["status"] == "throttle exceeded"
    assert int(answers[1].headers["retry-after"]) >= 1

    cause = pressure.Cause("redis_memory", 95.0, 97.0)
    monkeypatch.setattr(admission.watch, "shed", lambda: dict.fromkeys(pressure.ORDER, cause))
    assert post(ENQUEUE, event()).status == 429
    assert post("/api/v1/hooks/pagerduty", parsed("pagerduty-urgency")).status == 503


def test_without_a_store_it_is_503(post: Post, mortal: Valkey) -> None:
    mortal.kill()
    with patch("ingest.spool.store", side_effect=_away()), patch("ingest.spool.store_async", side_effect=_away()):
        answer = post(ENQUEUE, event())
    assert (answer.status, answer.json["status"]) == (503, "unavailable")


def _away() -> Exception:
    from ingest import spool

    return spool.Away("away")


@pytest.fixture(scope="module")
def daphne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    server = Daphne(tmp_path_factory.mktemp("web"), INGEST_REQUIRE_KEY="1")
    yield server
    server.stop()


def test_pagerduty_s_python_sdk_works_with_only_its_url_changed(
    daphne: Daphne, empty_redis: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK asks for https, which a proxy gives."""
    key = daphne.manage("api_key", "create", "sdk", "--scopes=ingest").splitlines()[-1]
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with (
        https(daphne.port, file) as url,
        pagerduty.EventsApiV2Client(key, base_url=url) as client,
        pagerduty.EventsApiV2Client("0" * 32, base_url=url) as unknown,
    ):
        made = client.trigger("Disk is full", "db-04", severity="critical", custom_details={"used": 97})
        named = client.trigger("Disk is full", "db-04", dedup_key="disk/db-04", severity="warning")
        assert client.acknowledge(named) == "disk/db-04"
        assert client.resolve(made) == made
        with pytest.raises(pagerduty.HttpError, match="400"):
            client.send_event("trigger", payload={"source": "x"})
        with pytest.raises(pagerduty.HttpError, match="400"):
            unknown.trigger("x", "y")

    events = [
        json.loads(decode(empty_redis.hget(f"rq:job:{job}", "data") or b"", job).body)
        for job in stored_ids(empty_redis)
    ]
    said = sorted((each["action"], each["dedup_key"] == made, each.get("severity", "")) for each in events)
    assert said == [
        ("acknowledge", False, ""),
        ("resolve", True, ""),
        ("trigger", False, "warning"),
        ("trigger", True, "critical"),
    ]
    assert key not in daphne.log.read_text()
