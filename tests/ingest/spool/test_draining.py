"""Into Redis: each once, in order, whatever happens in between."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection

from ingest import spool
from ingest.kinds import Kind
from ingest.models import Alert, Event, SpooledEvent
from ingest.queue import keys
from ingest.queue.payload import body_of, decode
from ingest.queue.transitions import EnqueueResult, NewJob, Transitions
from ingest.spool import draining, writing
from tests.conftest import Valkey
from tests.ingest.spool.conftest import job, spooled
from tests.ingest.worker.conftest import Work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def transitions(empty_redis: redis.Redis) -> Transitions:
    return Transitions(empty_redis)


def drain(transitions: Transitions) -> spool.Drained:
    return spool.drain(transitions.enqueue, lambda: True)


def waiting(client: redis.Redis, queue: str) -> list[str]:
    return [job_id.decode() for job_id in client.lrange(keys.queue(queue), 0, -1)]


def test_priority_first_then_age(transitions: Transitions, empty_redis: redis.Redis) -> None:
    jobs = [job(priority=priority) for priority in ("low", "critical", "low", "medium", "critical")]
    for each in jobs:
        spool.store([each])
    sent: list[str] = []

    def enqueue(chunk: Sequence[NewJob], *, request_id: str | None = None) -> list[EnqueueResult]:
        sent.extend(each.id for each in chunk)
        return transitions.enqueue(chunk, request_id=request_id)

    drained = spool.drain(enqueue, lambda: True)

    assert sent == [jobs[number].id for number in (1, 4, 3, 0, 2)]
    assert (drained.enqueued, drained.duplicates, drained.empty) == (5, 0, True)
    assert waiting(empty_redis, "low") == [jobs[0].id, jobs[2].id]
    assert spooled() == []


def test_the_events_of_one_call_keep_their_order(transitions: Transitions, empty_redis: redis.Redis) -> None:
    jobs = [job(event_id=f"e{number}") for number in range(150)]  # derived ids are in no order
    spool.store(jobs)
    drain(transitions)
    assert waiting(empty_redis, "high") == [each.id for each in jobs]


def test_the_job_is_what_acceptance_made(transitions: Transitions, empty_redis: redis.Redis) -> None:
    made = job(event_id="a", callback="https://example.org/hook", delay=600.0)
    spool.store([made])
    drain(transitions)
    fields = {name.decode(): value for name, value in empty_redis.hgetall(keys.job(made.id)).items()}
    assert decode(fields["data"], made.id) == decode(made.data, made.id)
    assert (fields["callback"], fields["event_id"]) == (b"https://example.org/hook", b"a")
    due = empty_redis.zscore(keys.scheduled("high"), made.id)
    assert due is not None
    assert 590 < due - empty_redis.time()[0] <= 601
    [again] = transitions.enqueue([made])
    assert again.outcome == "duplicate"


def test_two_bodies_accepted_under_one_id_are_both_run(
    transitions: Transitions, empty_redis: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Each got a 202 from a store that could not see the other."""
    first, second = job("x", event_id="a"), job("y", event_id="a")
    transitions.enqueue([first])
    spool.store([second])
    for _ in range(2):
        drain(transitions)
        bodies = [body_of(empty_redis.hget(keys.job(each), "data")) for each in waiting(empty_redis, "high")]
        assert bodies == [b'{"title":"x"}', b'{"title":"y"}']
        spool.store([second])  # another copy, once more: recognised
    assert "accepted twice with different bodies" in caplog.text


def test_one_that_dies_between_enqueueing_and_deleting_doubles_nothing(
    transitions: Transitions, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(empty_redis)
    spool.store([job(str(number)) for number in range(3)])

    class Dead(BaseException):
        pass

    def die(ids: Any) -> int:
        raise Dead

    with monkeypatch.context() as patch:
        patch.setattr(draining, "delete", die)
        with pytest.raises(Dead):
            drain(transitions)
    assert len(spooled()) == 3
    work.off()  # they are even finished before the next one looks
    assert Event.objects.count() == 3
    drain(transitions)
    work.off()
    assert spooled() == []
    assert Event.objects.count() == 3
    assert sorted(Alert.objects.values_list("occurrences", flat=True)) == [1, 1, 1]


def test_two_at_once_double_nothing(empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "WAIT", 30)  # what a sender waits is not what is tested here
    for _ in range(15):
        spool.store([job(str(number), priority="low") for number in range(100)])
    barrier = threading.Barrier(2)

    def run() -> None:
        with redis.Redis(connection_pool=empty_redis.connection_pool) as client:
            barrier.wait()
            drain(Transitions(client))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spooled() == []
    ids = waiting(empty_redis, "low")
    assert len(ids) == len(set(ids)) == 1500


def test_a_full_redis_ends_it_and_nothing_is_lost(mortal: Valkey) -> None:
    with redis.Redis.from_url(mortal.url) as client:
        transitions = Transitions(client)
        spool.store([job(str(number)) for number in range(150)])
        client.config_set("maxmemory", "1")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            drain(transitions)
        assert len(spooled()) == 150
        client.config_set("maxmemory", "100mb")
        assert drain(transitions).enqueued == 150


def test_one_whose_key_is_taken_by_another_client_keeps_nobody_else_from_going(
    transitions: Transitions, empty_redis: redis.Redis
) -> None:
    jobs = [job(str(number)) for number in range(3)]
    empty_redis.set(keys.job(jobs[1].id), "something else's")
    spool.store(jobs)
    assert drain(transitions).enqueued == 3
    bodies = [body_of(empty_redis.hget(keys.job(each), "data")) for each in waiting(empty_redis, "high")]
    assert sorted(bodies) == [b'{"title":"0"}', b'{"title":"1"}', b'{"title":"2"}']
    assert empty_redis.get(keys.job(jobs[1].id)) == b"something else's"


def test_a_dead_letter_of_a_time_without_redis_stays_until_somebody_retries_it(transitions: Transitions) -> None:
    made = job()
    spool.store([made])
    SpooledEvent.objects.update(state="failed")
    assert drain(transitions).total == 0
    assert spooled() == [made.id]


def test_an_event_does_not_overtake_one_of_its_ordering_key(
    empty_redis: redis.Redis, transitions: Transitions, anything: Callable[..., Kind]
) -> None:
    """Also once Redis is back: what follows goes behind it, until it is drained."""
    kind = anything()
    first = job("1", kind=kind, ordering_key="chat 7")
    spool.store([first])
    spool.forget()  # another process, which stored nothing

    second, other = job("2", kind=kind, ordering_key="chat 7"), job("3", kind=kind, ordering_key="chat 8")
    free = job("4", kind=kind)
    assert spool.behind([second, other, free]) == {second.id}
    spool.store([second])
    drain(transitions)
    assert waiting(empty_redis, "high") == [first.id]
    assert empty_redis.zrange(keys.behind("high"), 0, -1) == [second.id.encode()]
    assert spool.behind([job("5", kind=kind, ordering_key="chat 7")]) == frozenset()


def test_a_more_urgent_event_does_not_overtake_one_of_its_ordering_key_either(
    transitions: Transitions, empty_redis: redis.Redis
) -> None:
    words = ("low", "critical", "medium", "critical")
    chat = [job(str(number), priority=word, ordering_key="chat 7") for number, word in enumerate(words)]
    other = job("5", priority="high", ordering_key="chat 8")
    for each in (*chat, other):
        spool.store([each])
    assert drain(transitions).enqueued == 5
    assert (waiting(empty_redis, "low"), waiting(empty_redis, "high")) == ([chat[0].id], [other.id])
    order = empty_redis.zrange(keys.turns(chat[0].ordering_key), 0, -1)
    assert [member.decode().rpartition(":")[2] for member in order] == [each.id for each in chat[1:]]


@pytest.fixture
def anything() -> Callable[..., Kind]:
    def make() -> Kind:
        return Kind(name="chat", validate=lambda event: None, handler=lambda payloads: None, ordering_field="chat_id")

    return make


def test_a_delay_is_counted_from_acceptance(transitions: Transitions, empty_redis: redis.Redis) -> None:
    made = job(delay=60.0)
    spool.store([made])
    row = SpooledEvent.objects.get()
    SpooledEvent.objects.update(due_at=row.due_at - timedelta(seconds=61))
    drain(transitions)
    assert waiting(empty_redis, "high") == [made.id]
