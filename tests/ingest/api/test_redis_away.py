"""Rule 1: no receipt without a durable write; 503, and soon."""

import pytest

from ingest.api import limits
from tests.conftest import Valkey, wait_until
from tests.ingest.api.conftest import EVENTS, Post
from tests.ingest.test_accept import kill_after_first_call


@pytest.mark.parametrize("body", [{"title": "x"}, [{"title": "x"}, {"title": 7}]])
def test_503_while_redis_is_away_and_202_again_after(post: Post, mortal: Valkey, body: object) -> None:
    mortal.kill()

    for _ in range(3):  # the first asks Redis, the others meet the open breaker
        answer = post(EVENTS, body)
        assert (answer.status, answer.json["code"], answer.json["retryable"]) == (503, "no_durable_store", True)
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"

    mortal.start()
    wait_until(lambda: post(EVENTS, body).status in {202, 207}, what="taking in again")


def test_what_is_bad_is_told_even_then(post: Post, mortal: Valkey) -> None:
    mortal.kill()

    assert post(EVENTS, b"nonsense").status == 400


def test_when_redis_goes_away_half_way_each_item_says_what_became_of_it(
    post: Post, mortal: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 2."""
    kill_after_first_call(monkeypatch, mortal)

    answer = post(EVENTS, [{"title": 7}, *({"title": str(number)} for number in range(150))])

    assert answer.status == 207
    assert [answer.json[name] for name in ("received", "accepted", "rejected")] == [151, 100, 51]
    items = answer.json["items"]
    assert {item["status"] for item in items[1:101]} == {202}
    assert (items[0]["status"], items[0]["retryable"]) == (422, False)
    assert {(item["status"], item["retryable"]) for item in items[101:]} == {(503, True)}


def test_too_many_bytes_in_flight_are_refused() -> None:
    """Rule 6."""
    in_flight = limits.InFlight(limit=10)
    in_flight.take(6)

    with pytest.raises(limits.ProblemError) as refused:
        in_flight.take(5)

    problem = refused.value.problem
    assert (problem.status, problem.extra["limit"], problem.headers) == (503, "in_flight_bytes", {"Retry-After": "1"})
    in_flight.give_back(6)
    in_flight.take(10)
    assert in_flight.held == 10
