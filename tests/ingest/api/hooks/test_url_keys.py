"""Keys in `?key=`, for vendors that can set no header: on hooks alone, for sending alone, and in no log."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import requests

from tests.ingest.api.conftest import ALERT, EVENTS, Post
from tests.ingest.api.test_fastlane import Daphne

GENERIC = "/api/v1/hooks/generic"
AFAR = "192.0.2.7"
MakeKey = Callable[..., str]


def test_a_key_in_the_url_opens_hooks_alone(post: Post, make_key: MakeKey, empty_redis: redis.Redis) -> None:
    key = make_key()
    assert post(f"{GENERIC}?key={key}", {"title": "x"}, peer=AFAR).status == 202
    for path in (EVENTS, ALERT, "/api/v2/alerts"):
        assert post(f"{path}?key={key}", {"title": "x"}, peer=AFAR).status == 401
    assert post(f"{GENERIC}?key=qa_wrong", {"title": "x"}, peer=AFAR).status == 401
    assert post(f"{GENERIC}?key=", {"title": "x"}).status == 401
    assert post(f"{GENERIC}?other={key}", {"title": "x"}, peer=AFAR).status == 401


@pytest.mark.parametrize("scopes", ["ingest,read", "admin", "ingest,admin", "read"])
def test_it_may_do_nothing_but_send(post: Post, make_key: MakeKey, scopes: str) -> None:
    key = make_key("wide", scopes)
    answer = post(f"{GENERIC}?key={key}", {"title": "x"}, peer=AFAR)
    assert (answer.status, answer.json["code"]) == (403, "forbidden_scope")
    assert key not in answer.body.decode()


def test_a_header_wins(post: Post, make_key: MakeKey) -> None:
    key = make_key("wide", "ingest,read")
    answer = post(f"{GENERIC}?key=qa_wrong", {"title": "x"}, peer=AFAR, headers={"x-api-key": key})
    assert answer.status == 202


@pytest.fixture(scope="module", params=["1", "0"], ids=["fast_lane", "lane_off"])
def daphne(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    server = Daphne(tmp_path_factory.mktemp("web"), INGEST_FAST_LANE=request.param, INGEST_REQUIRE_KEY="1")
    yield server
    server.stop()


def test_it_stands_in_no_log(daphne: Daphne, empty_redis: redis.Redis) -> None:
    """Whatever becomes of the request."""
    key = daphne.manage("api_key", "create", "url", "--scopes=ingest").splitlines()[-1]
    sent: list[tuple[str, dict[str, Any]]] = [
        (f"{GENERIC}?key={key}", {"data": b"{}"}),
        (f"{GENERIC}?key={key}x", {"data": b"{}"}),
        (f"{GENERIC}?key={key}", {"data": b"{"}),
        (f"{GENERIC}?key={key}", {"data": b"x" * 6_000_000}),
        (f"{GENERIC}?key={key}", {"data": b"{}", "headers": {"Content-Encoding": "br"}}),
        (f"{GENERIC}?key={key}", {"data": b"{}", "headers": {"Host": "evil.example.org"}}),
        (f"/api/v1/hooks/nobody?key={key}", {"data": b"{}"}),
        (f"{EVENTS}?key={key}", {"data": b"{}"}),
    ]
    statuses = [requests.post(f"{daphne.url}{path}", timeout=60, **what).status_code for path, what in sent]
    statuses.append(requests.get(f"{daphne.url}{GENERIC}?key={key}", timeout=60).status_code)
    assert statuses == [202, 401, 400, 413, 415, 400, 404, 401, 405]
    log = daphne.log.read_text()
    assert GENERIC in log
    assert key not in log
