"""Redis' clock was set back, or a machine's runs ahead: what lies in the future is there for everybody (issue 8)."""

import redis

from ingest.queue import keys
from ingest.queue.connections import server_time
from queueadmin.console.dead_letters import matching
from queueadmin.console.dead_letters.ahead import ahead
from queueadmin.console.filters import Filter
from tests.console.conftest import Jobs


def put_ahead(client: redis.Redis, ids: list[str], *, seconds: float = 900, queue: str = "high") -> None:
    """As if the clock had been set back by so much after they failed."""
    for job_id in ids:
        client.zincrby(keys.failed(queue), seconds, job_id)


def test_they_are_met_first_and_what_fails_meanwhile_is_not(jobs: Jobs, empty_redis: redis.Redis) -> None:
    first, second, third = jobs.fail(3)
    put_ahead(empty_redis, [first])
    put_ahead(empty_redis, [second], seconds=1800)
    now = server_time(empty_redis)
    jobs.fail(2)  # between the moment and the question
    assert [job_id for _, job_id, _ in ahead(empty_redis, ["high", "low"], now=now)] == [second, first]
    found = matching(empty_redis, Filter(), now=now)
    assert [next(found).id, next(found).id] == [second, first]
    jobs.fail(2)
    assert [record.id for record in found] == [third]


def test_in_the_trash_as_well(jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(2)
    jobs.transitions.discard("high", ids, by="ada")
    empty_redis.zincrby(keys.trash("high"), 900, ids[0])
    now = server_time(empty_redis)
    assert [record.id for record in matching(empty_redis, Filter(), now=now, trash=True)] == ids
