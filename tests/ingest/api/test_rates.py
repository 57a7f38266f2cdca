"""Rule 10 and S15: a key's rate, on both faces. What is refused counts for nothing."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from ingest.api import admission, buckets
from ingest.api.problems import ProblemError
from ingest.api.sender import Sender
from ingest.models import ApiKey
from ingest.queue import keys
from ingest.queue.connections import close_async_connections
from tests.conftest import Valkey
from tests.ingest.api.conftest import ALERT, EVENTS, Post, Response, stored_ids

MakeKey = Callable[..., str]
Take = Callable[[Sender, int], buckets.Bucket]

#: So slow that no test meets an event that came back.
SLOW = "--rate=0.01"
EDGE = Sender("edge", frozenset({"ingest"}), 1, rate=0.01, burst=10)


def send(post: Post, key: str, body: object = None, path: str = EVENTS) -> Response:
    return post(path, {"title": "x"} if body is None else body, headers={"x-api-key": key}, peer="192.0.2.7")


def take_sync(sender: Sender, wanted: int) -> buckets.Bucket:
    return buckets.take(sender, wanted)


def take_async(sender: Sender, wanted: int) -> buckets.Bucket:
    async def take() -> buckets.Bucket:
        try:
            return await buckets.take_async(sender, wanted)
        finally:
            await close_async_connections()

    return asyncio.run(take())


@pytest.fixture(params=[take_sync, take_async], ids=["sync", "async"])
def take(request: pytest.FixtureRequest) -> Take:
    return request.param


def test_what_is_over_the_rate_is_429_that_says_which_limit(
    post: Post, make_key: MakeKey, empty_redis: redis.Redis
) -> None:
    key = make_key("edge", "ingest", SLOW, "--burst=2")
    assert [send(post, key).status, send(post, key, path=ALERT).status] == [202, 202]

    answer = send(post, key)

    assert answer.status == 429
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json
    assert (problem["code"], problem["retryable"], problem["limit"]) == ("rate_limited", True, "key_rate")
    assert (problem["limit_value"], problem["burst"]) == (0.01, 2)
    assert "0.01 events a second, 2 at once" in problem["detail"]
    assert answer.headers["ratelimit-policy"] == '"key";q=36;w=3600;burst=2'
    assert answer.headers["ratelimit"].startswith('"key";r=0;t=')
    # 100 s until the next one, and up to a quarter and one more, so that not all come back at once.
    assert 95 <= int(answer.headers["retry-after"]) <= 126
    assert len(stored_ids(empty_redis)) == 2


def test_the_wait_is_spread(post: Post, make_key: MakeKey) -> None:
    key = make_key("edge", "ingest", SLOW, "--burst=1")
    send(post, key)

    assert len({send(post, key).headers["retry-after"] for _ in range(20)}) > 3


def test_a_batch_that_is_too_much_is_refused_as_a_whole_and_counts_for_nothing(
    post: Post, make_key: MakeKey, empty_redis: redis.Redis
) -> None:
    key = make_key("edge", "ingest", SLOW, "--burst=5")
    assert send(post, key, [{}, {}, {}]).status == 202

    for _ in range(5):
        assert send(post, key, [{}, {}, {}]).status == 429

    assert send(post, key, [{}, {}]).status == 202, "two were left"
    assert len(stored_ids(empty_redis)) == 5


def test_what_is_bad_counts_for_nothing(post: Post, make_key: MakeKey) -> None:
    key = make_key("edge", "ingest", SLOW, "--burst=2")

    assert send(post, key, [{"title": 7}, {"title": 8}, {"title": 9}]).status == 422
    assert send(post, key, b"nonsense").status == 400
    assert send(post, key, [{"title": 7}, {}, {"title": 8}, {}]).status == 207
    assert send(post, key).status == 429


def test_a_batch_larger_than_the_burst_passes_a_full_bucket_and_the_next_ones_wait_for_it(
    post: Post, make_key: MakeKey
) -> None:
    """Else no sender with a small burst could ever send it."""
    key = make_key("edge", "ingest", SLOW, "--burst=2")

    assert send(post, key, [{}] * 10).status == 202
    answer = send(post, key)

    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 890, "eight are owed, at 100 s each"


def test_who_is_over_the_rate_is_answered_before_the_body_is_read(post: Post, make_key: MakeKey) -> None:
    key = make_key("edge", "ingest", SLOW, "--burst=1")
    send(post, key)

    assert send(post, key, b"nonsense").status == 429


def test_a_refusal_is_known_here_and_asks_nobody(post: Post, make_key: MakeKey, empty_redis: redis.Redis) -> None:
    key = make_key("edge", "ingest", SLOW, "--burst=1")
    send(post, key)
    send(post, key)
    before = empty_redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)

    for _ in range(10):
        assert send(post, key).status == 429

    assert empty_redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0) == before


def test_all_processes_share_one_bucket(post: Post, make_key: MakeKey) -> None:
    key = make_key("edge", "ingest", SLOW, "--burst=2")
    for _ in range(2):
        assert send(post, key).status == 202
        buckets.forget()  # another process knows of nothing

    assert send(post, key).status == 429


def test_keys_have_buckets_of_their_own_and_only_those_with_a_rate(
    post: Post, make_key: MakeKey, empty_redis: redis.Redis
) -> None:
    one, two, free = make_key("one", "ingest", SLOW), make_key("two", "ingest", SLOW), make_key("free")

    assert [send(post, key).status for key in (one, two, one, two)] == [202, 202, 429, 429]
    assert {send(post, free).status for _ in range(10)} == {202}

    limited = ApiKey.objects.exclude(rate=None)
    assert set(empty_redis.keys("*:rate:*")) == {keys.rate(key.pk).encode() for key in limited}
    assert all(0 < empty_redis.ttl(keys.rate(key.pk)) <= 100 for key in limited)


def test_both_secrets_of_a_rotated_key_share_its_bucket(post: Post, make_key: MakeKey) -> None:
    from ingest.api import keyring

    first = make_key("edge", "ingest", SLOW, "--burst=2")
    second = keyring.rotate("edge").secret

    assert [send(post, key).status for key in (first, second, first, second)] == [202, 202, 429, 429]


def test_while_redis_is_away_this_process_counts(post: Post, make_key: MakeKey, mortal: Valkey) -> None:
    """S15: and goes on from what it knew."""
    key = make_key("edge", "ingest", SLOW, "--burst=4")
    assert send(post, key).status == 202
    mortal.kill()

    statuses = [send(post, key).status for _ in range(5)]

    assert statuses == [202, 202, 202, 429, 429]


def test_a_full_redis_refuses_no_rate(take: Take, empty_redis: redis.Redis) -> None:
    empty_redis.config_set("maxmemory", 1)
    try:
        waits = [take(EDGE, 4).wait for _ in range(3)]
    finally:
        empty_redis.config_set("maxmemory", 0)

    assert [wait > 0 for wait in waits] == [False, False, True]


def test_503_where_senders_never_repeat_after_429() -> None:
    """Rule 10: hooks and tracking. The rest of the answer is the same."""
    admission.check(EDGE, status=503)
    buckets._take_here(EDGE, 10)

    with pytest.raises(ProblemError) as refused:
        admission.check(EDGE, status=503)

    problem = refused.value.problem
    assert (problem.status, problem.code, problem.retryable) == (503, "rate_limited", True)
    assert set(problem.headers) == {"Retry-After", "RateLimit-Policy", "RateLimit"}


def test_every_refusal_is_counted(
    post: Post, make_key: MakeKey, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(
        admission, "refused", lambda code, sender, priority, events=1: counted.append((code, sender.name, events))
    )
    key = make_key("edge", "ingest", SLOW, "--burst=2")

    send(post, key, [{}, {}])
    send(post, key)

    assert counted == [("rate_limited", "edge", 1)]


# --- the bucket ----------------------------------------------------------------------------------


def test_ten_times_the_rate_gets_the_rate(take: Take, empty_redis: redis.Redis) -> None:
    """Over a second by Redis' own clock: never more than burst and rate allow, and none is refused that would fit."""
    sender = replace(EDGE, rate=200, burst=20)

    def now() -> float:
        seconds, microseconds = empty_redis.time()
        return float(seconds) + float(microseconds) / 1e6

    began = ended = now()
    admitted = 0
    while ended - began < 1.0:
        bucket = take(sender, 1)
        ended = now()
        if bucket.wait:
            assert bucket.wait <= 1 / 200, "the next one comes back within 5 ms, so less than one was left"
            assert bucket.left == 0
        else:
            admitted += 1
    assert admitted <= 20 + 200 * (ended - began) + 1


def test_here_it_counts_as_in_redis(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same questions to the script and to the stand-in."""
    wanted = [3, 3, 5, 3, 1, 1, 20, 1]
    in_redis = [take(EDGE, each) for each in wanted]
    buckets.forget()
    here = [buckets._take_here(EDGE, each) for each in wanted]

    for redis_says, we_say in zip(in_redis, here, strict=True):
        assert redis_says.wait == pytest.approx(we_say.wait, abs=20)  # s, of 100 s for each
        assert redis_says.left == we_say.left
    assert [bucket.wait > 0 for bucket in here] == [False, False, True, False, False, True, True, True]


def test_a_clock_that_was_set_back_locks_nobody_out(take: Take, empty_redis: redis.Redis) -> None:
    sender = replace(EDGE, rate=1000, burst=100)
    empty_redis.set(keys.rate(1), int((time.time() + 86_400) * 1e6))

    assert take(sender, 1).wait <= (100 + 10_000) / 1000


def test_what_another_program_wrote_is_no_error(take: Take, empty_redis: redis.Redis) -> None:
    empty_redis.set(keys.rate(1), "nonsense")
    assert take(EDGE, 1).wait == 0
    assert take(EDGE, 10).wait > 0
