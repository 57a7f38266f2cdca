"""The one door in: durable or not at all, in groups, and honest when Redis goes away."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from ingest import accept
from ingest.accept import Incoming, Receipt, Unavailable
from ingest.kinds import ALERT, Kind
from ingest.priorities import Priority, Severity
from ingest.queue import keys
from ingest.queue.connections import close_async_connections
from ingest.queue.payload import decode
from ingest.queue.transitions import AsyncTransitions, EnqueueResult, NewJob, Transitions
from tests.conftest import Valkey, wait_until

Take = Callable[[Sequence[Incoming]], list[Receipt]]


def event(event_id: str | None = None, body: bytes = b"{}", **more: Any) -> Incoming:
    values = {
        "kind": ALERT,
        "source": "edge",
        "tenant": "",
        "severity": Severity(None, Priority.HIGH, "default"),
    } | more
    return Incoming(body=body, event_id=event_id, **values)


def take_sync(events: Sequence[Incoming]) -> list[Receipt]:
    return accept.accept(events)


def take_async(events: Sequence[Incoming]) -> list[Receipt]:
    async def take() -> list[Receipt]:
        try:
            return await accept.accept_async(events)
        finally:
            await close_async_connections()

    return asyncio.run(take())


@pytest.fixture(autouse=True)
def _closed_breaker() -> Iterator[None]:
    accept.breaker.reset()
    yield
    accept.breaker.reset()


@pytest.fixture(params=[take_sync, take_async], ids=["sync", "async"])
def take(request: pytest.FixtureRequest) -> Take:
    return request.param


def test_a_job_is_run_and_kept_as_its_kind_says(empty_redis: redis.Redis, take: Take) -> None:
    async def handler(payload: Any, context: Any) -> None:
        """Done."""

    mail = Kind(
        name="mail",
        validate=lambda event: None,
        handler=handler,
        batch=False,
        timeout=7,
        result_ttl=60,
        dead_letters=False,
    )
    (receipt,) = take([event(kind=mail)])
    fields = [keys.MODE, keys.DEAD_LETTERS, "timeout", "result_ttl"]
    assert empty_redis.hmget(keys.job(receipt.id), fields) == [b"async", b"0", b"7", b"60"]


def jobs_in(valkey: Valkey, queue: str = "high") -> int:
    with redis.Redis.from_url(valkey.url) as client:
        return client.llen(f"rq:queue:{queue}")


def test_an_accepted_event_is_a_job_with_its_own_bytes(take: Take, empty_redis: redis.Redis) -> None:
    body = b'{"n" :18446744073709551617}'

    [receipt] = take([event(body=body, tenant="t")])

    assert (receipt.outcome, receipt.state, receipt.stored) == ("accepted", "queued", True)
    assert empty_redis.lrange("rq:queue:high", 0, -1) == [receipt.id.encode()]
    payload = decode(empty_redis.hget(f"rq:job:{receipt.id}", "data"), receipt.id)
    assert (payload.id, payload.body, payload.tenant, payload.source) == (receipt.id, body, "t", "edge")
    assert payload.received_at.tzinfo is not None


def test_ids_without_a_client_id_are_in_the_order_of_time(take: Take, empty_redis: redis.Redis) -> None:
    ids = [receipt.id for receipt in take([event() for _ in range(250)])]

    assert len(set(ids)) == 250
    assert ids == sorted(ids)
    assert [job_id.decode() for job_id in empty_redis.lrange("rq:queue:high", 0, -1)] == ids


def test_each_event_of_a_request_is_received_after_the_one_before(take: Take, empty_redis: redis.Redis) -> None:
    """Issue 5 (3): a trigger and the resolve behind it, neither with a time of its own, stay in their order."""
    receipts = take([event(None) for _ in range(3)])
    jobs = [decode(empty_redis.hget(keys.job(receipt.id), "data") or b"", receipt.id) for receipt in receipts]  # type: ignore[arg-type]
    assert [(job.received_at - jobs[0].received_at).microseconds for job in jobs] == [0, 1, 2]


def test_outcomes_keep_their_places(take: Take, empty_redis: redis.Redis) -> None:
    receipts = take([event("a"), event("a"), event("a", b'{"x":1}'), event("b", delay=60.0), event("b", delay=60.0)])

    shown = [(receipt.outcome, receipt.state) for receipt in receipts]
    assert shown == [
        ("accepted", "queued"),
        ("duplicate", "queued"),
        ("id_reused", "queued"),
        ("accepted", "scheduled"),
        ("duplicate", "scheduled"),
    ]


def test_a_copy_is_recognised_after_its_job_is_gone(take: Take, empty_redis: redis.Redis) -> None:
    [first] = take([event("a")])
    empty_redis.delete(f"rq:job:{first.id}", "rq:queue:high")

    [second] = take([event("a")])

    assert (second.outcome, second.state, second.id) == ("duplicate", "finished", first.id)


def test_derived_ids_differ_when_any_part_does() -> None:
    parts = ("alert", "t", "s", "i")
    others = [("alert", "t", "si", ""), ("alert", "ts", "", "i"), ("point", "t", "s", "i"), ("alert", "", "t", "s")]

    assert len({accept.derived_id(*each) for each in (parts, *others)}) == 5


def test_nothing_is_stored_while_redis_is_away(take: Take, mortal: Valkey) -> None:
    mortal.kill()

    with pytest.raises(Unavailable) as refused:
        take([event() for _ in range(150)])
    assert not refused.value.unknown

    with pytest.raises(Unavailable) as at_once:  # the breaker is open: Redis is not even asked
        take([event()])
    assert not at_once.value.unknown

    mortal.start()
    wait_until(lambda: _is_taken(take, "after"), what="taking in again after Redis came back")
    assert jobs_in(mortal) == 1


def _is_taken(take: Take, event_id: str) -> bool:
    try:
        return take([event(event_id)])[0].stored
    except Unavailable:
        return False


def test_an_unknown_outcome_is_said_and_a_repeat_is_recognised(take: Take, mortal: Valkey, impatient: None) -> None:
    wait_until(lambda: _is_taken(take, "first"), what="an open connection")
    os.kill(mortal.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable) as refused:
            take([event("a")])
    finally:
        os.kill(mortal.process.pid, signal.SIGCONT)

    assert refused.value.unknown
    wait_until(lambda: _is_taken(take, "after"), what="taking in again")
    wait_until(lambda: _is_taken(take, "a"), what="the repeat")
    assert jobs_in(mortal) == 3  # first, after, and one a


def test_a_redis_that_takes_no_writes_is_unavailable(take: Take, mortal: Valkey) -> None:
    with redis.Redis.from_url(mortal.url) as client:
        client.config_set("maxmemory", 1)

    with pytest.raises(Unavailable) as refused:
        take([event()])

    assert not refused.value.unknown
    assert jobs_in(mortal) == 0


def test_when_redis_goes_away_between_calls_the_rest_is_unavailable(
    take: Take, mortal: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 2: what was stored keeps its receipt."""
    kill_after_first_call(monkeypatch, mortal)

    receipts = take([event() for _ in range(250)])

    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes[:100] == ["accepted"] * 100
    assert set(outcomes[100:]) <= {"unavailable", "unknown"}


def kill_after_first_call(monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    real, real_async = Transitions.enqueue, AsyncTransitions.enqueue

    def enqueue(self: Transitions, jobs: Sequence[NewJob], **more: Any) -> list[EnqueueResult]:
        results = real(self, jobs, **more)
        valkey.kill()
        return results

    async def enqueue_async(self: AsyncTransitions, jobs: Sequence[NewJob], **more: Any) -> list[EnqueueResult]:
        results = await real_async(self, jobs, **more)
        valkey.kill()
        return results

    monkeypatch.setattr(Transitions, "enqueue", enqueue)
    monkeypatch.setattr(AsyncTransitions, "enqueue", enqueue_async)


# --- all or nothing ----------------------------------------------------------------------------------


def take_strict_sync(events: Sequence[Incoming]) -> list[Receipt]:
    return accept.accept(events, strict=True)


def take_strict_async(events: Sequence[Incoming]) -> list[Receipt]:
    async def take() -> list[Receipt]:
        try:
            return await accept.accept_async(events, strict=True)
        finally:
            await close_async_connections()

    return asyncio.run(take())


@pytest.fixture(params=[take_strict_sync, take_strict_async], ids=["sync", "async"])
def take_strict(request: pytest.FixtureRequest) -> Take:
    return request.param


def test_one_that_is_refused_withholds_the_others(take_strict: Take, empty_redis: redis.Redis) -> None:
    accept.accept([event("a")])
    receipts = take_strict([event(), event("a", b'{"x":1}'), event("b")])

    assert [receipt.outcome for receipt in receipts] == ["withheld", "id_reused", "withheld"]
    assert not any(receipt.stored for receipt in receipts)
    assert empty_redis.llen("rq:queue:high") == 1
    assert [receipt.outcome for receipt in take_strict([event(), event("a")])] == ["accepted", "duplicate"]


def test_all_or_nothing_is_one_call(take_strict: Take, empty_redis: redis.Redis) -> None:
    for events in ([event() for _ in range(101)], [event(body=b"x" * (accept.CALL_BYTES + 1))]):
        with pytest.raises(ValueError, match="one call"):
            take_strict(events)
    assert empty_redis.llen("rq:queue:high") == 0


def test_an_id_of_the_request_is_recognised_for_a_day(take: Take, empty_redis: redis.Redis) -> None:
    """Rule 5: a client's own id goes first, and has its kind's window."""
    [first], [second] = take([event(own_id="f" * 32)]), take([event(own_id="f" * 32)])
    assert (first.id, first.outcome) == ("f" * 32, "accepted")
    assert (second.id, second.outcome) == ("f" * 32, "duplicate")
    assert empty_redis.ttl(keys.marker(first.id)) > 80_000
    [named] = take([event("a", own_id="e" * 32)])
    assert named.id == accept.derived_id("alert", "", "edge", "a")
    assert empty_redis.ttl(keys.marker(named.id)) <= 3600
