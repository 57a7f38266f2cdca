"""What is sent with a key that is bound to a tenant, a source or a highest priority, on both faces."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from ingest.queue.payload import decode
from tests.ingest.api.conftest import ALERT, EVENTS, Post

MakeKey = Callable[..., str]


def with_key(key: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Bearer {key}"}, "peer": "192.0.2.7"}


def test_the_keys_tenant_and_source_win(post: Post, make_key: MakeKey, empty_redis: redis.Redis) -> None:
    key = make_key("acme", "ingest", "--tenant=acme", "--source=grafana")

    answers = [
        post(EVENTS, {"title": "a", "tenant": "other", "source": "other", "severity": "high"}, **with_key(key)),
        post(EVENTS, {"title": "b"}, **with_key(key)),
        post(ALERT, {"title": "c", "tenant": ""}, **with_key(key)),
    ]

    for answer in answers:
        assert answer.status == 202
        job = empty_redis.hgetall(f"rq:job:{answer.json['id']}")
        carried = decode(job[b"data"], answer.json["id"])
        assert (job[b"tenant"], job[b"source"]) == (b"acme", b"grafana")
        assert (carried.tenant, carried.source) == ("acme", "grafana")


def test_tenants_ids_do_not_meet(post: Post, make_key: MakeKey) -> None:
    """Nor does one tenant learn of an id that another one used."""
    event = {"id": "42", "source": "s", "title": "x"}
    ours = post(EVENTS, event, **with_key(make_key("acme", "ingest", "--tenant=acme")))
    claimed = post(EVENTS, {**event, "tenant": "acme"}, **with_key(make_key("umbrella", "ingest", "--tenant=umbrella")))

    assert (ours.status, claimed.status) == (202, 202)
    assert claimed.json["duplicate"] is False
    assert ours.json["id"] != claimed.json["id"]


@pytest.mark.parametrize(
    ("said", "priority", "capped"),
    [
        ({"priority": "critical"}, "medium", "critical"),
        ({"severity": "critical"}, "medium", "critical"),
        ({"severity": "high"}, "medium", "high"),
        ({"priority": "medium"}, "medium", None),
        ({"severity": "info"}, "low", None),
    ],
)
def test_no_event_is_more_urgent_than_its_key_allows(
    post: Post, make_key: MakeKey, said: dict[str, str], priority: str, capped: str | None
) -> None:
    key = make_key("edge", "ingest", "--max-priority=medium")

    receipt = post(EVENTS, {"title": "x", **said}, **with_key(key)).json

    assert (receipt["priority"], receipt["queue"], receipt["severity"]["mapped"]) == (priority,) * 3
    assert [(each["code"], each["value"]) for each in receipt["warnings"]] == (
        [("priority_capped", capped)] if capped else []
    )
    assert receipt["severity"]["raw"] == said.get("severity")


def test_each_item_says_that_it_was_capped(post: Post, make_key: MakeKey) -> None:
    key = make_key("edge", "ingest", "--max-priority=high")
    batch = [{"severity": "critical"}, {"severity": "nonsense", "priority": "critical"}, {"severity": "low"}]

    items = post(EVENTS, batch, headers={"authorization": f"Bearer {key}", "prefer": "return=representation"}).json[
        "items"
    ]

    assert [item["priority"] for item in items] == ["high", "high", "low"]
    assert [[warning["code"] for warning in item["warnings"]] for item in items] == [
        ["priority_capped"],
        ["priority_capped"],
        [],
    ]


@pytest.mark.parametrize("scopes", ["read", "admin", "read,admin"])
def test_a_key_without_the_scope_may_not_send(post: Post, make_key: MakeKey, scopes: str) -> None:
    answer = post(EVENTS, {"title": "x"}, **with_key(make_key("board", scopes)))
    assert (answer.status, answer.json["code"], answer.json["scope"]) == (403, "forbidden_scope", "ingest")


def test_every_way_to_show_a_key(post: Post, make_key: MakeKey) -> None:
    import base64

    key = make_key()
    basic = base64.b64encode(f"api_key:{key}".encode()).decode()
    for headers in (
        {"authorization": f"Bearer {key}"},
        {"authorization": f"bearer {key}"},
        {"x-api-key": key},
        {"authorization": f"Basic {basic}"},
    ):
        assert post(EVENTS, {"title": "x"}, headers=headers, peer="192.0.2.7").status == 202
