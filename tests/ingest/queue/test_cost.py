"""What one script call costs Redis, at 100,000 jobs: others wait behind it for as long.

The server's own processor time is measured, since a shared machine's clock counts what others do as well.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from ingest.queue import keys
from ingest.queue.transitions import Claim, Failure, Transitions, new_id
from tests.ingest.queue.conftest import make_job

JOBS = 100_000
SOME = 10_000
MOST_MILLISECONDS = 5.0
TRACEBACK = "Traceback (most recent call last):\n" + '  File "handler.py", line 42, in handle\n' * 30


@contextmanager
def measured(connection: redis.Redis, costs: dict[str, float], name: str) -> Iterator[None]:
    """The mean processor time of a script call in the body, in milliseconds."""

    def spent() -> tuple[float, int]:
        cpu, commands = connection.info("cpu"), connection.info("commandstats")
        scripts = sum(int(commands.get(f"cmdstat_{each}", {}).get("calls", 0)) for each in ("eval", "evalsha"))
        return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"]), scripts

    seconds, number = spent()
    yield
    after, scripts = spent()
    costs[name] = 1000 * (after - seconds) / max(scripts - number, 1)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_no_script_holds_redis_for_longer_than_five_milliseconds(empty_redis: redis.Redis) -> None:
    transitions, costs = Transitions(empty_redis), dict[str, float]()
    ids: list[str] = []
    with measured(empty_redis, costs, "enqueue"):
        for _ in range(JOBS // SOME):
            ids += [result.id for result in transitions.enqueue([make_job(queue_limit=10**6) for _ in range(SOME)])]
    some = random.Random(7).sample(ids, SOME)
    bulk: dict[str, Callable[[], Any]] = {
        "discard": lambda: transitions.discard("high", some),
        "restore": lambda: transitions.restore("high", some),
        "move": lambda: transitions.move("high", some, to="low"),
        "cancel": lambda: transitions.cancel("low", some[: SOME // 2]),
        "heal": lambda: transitions.heal("low", some[SOME // 2 :][:1000]),
    }
    for name, do in bulk.items():
        with measured(empty_redis, costs, name):
            do()

    claims: list[Claim] = []
    with measured(empty_redis, costs, "claim"):
        for _ in range(2 * SOME // 100):
            claim = transitions.claim("w1", ["high"], claim_id=new_id(), lease=30)
            assert claim is not None
            claims.append(claim)
    first, second, rest = claims[:50], claims[50:100], claims[100:]
    with measured(empty_redis, costs, "renew"):
        for claim in claims:
            transitions.renew(30, [(claim.queue, job.id, claim.id) for job in claim.jobs])
    with measured(empty_redis, costs, "complete"):
        for claim in first:
            transitions.complete("high", claim.id, "w1", [job.id for job in claim.jobs])
    with measured(empty_redis, costs, "fail"):
        for claim in second:
            failures = [Failure(job.id, TRACEBACK, retry=False, message="m" * 200) for job in claim.jobs]
            transitions.fail("high", claim.id, "w1", failures)
    with measured(empty_redis, costs, "release"):
        for claim in rest[:50]:
            transitions.release("high", claim.id, [job.id for job in claim.jobs])
    for claim in rest[50:]:
        transitions.renew(-1, [(claim.queue, job.id, claim.id) for job in claim.jobs])
    with measured(empty_redis, costs, "recover"):
        while transitions.recover("high").requeued:
            pass
    dead = [member.decode() for member in empty_redis.zrange(keys.failed("high"), 0, -1)]
    with measured(empty_redis, costs, "requeue"):
        assert len(transitions.requeue("high", dead)) == len(dead)
    seconds, _ = empty_redis.time()
    with measured(empty_redis, costs, "empty"):
        for _ in range(200):
            transitions.empty("high", before=seconds + 60)
    trash = [member.decode() for member in empty_redis.zrange(keys.trash("high"), 0, -1)]
    with measured(empty_redis, costs, "purge"):
        transitions.purge("high", trash)

    slow = {name: round(cost, 2) for name, cost in costs.items() if cost > MOST_MILLISECONDS}
    assert not slow, f"processor time of a call, in milliseconds: {slow} of {costs}"
