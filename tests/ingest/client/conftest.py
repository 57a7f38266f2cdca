"""Both faces under one name, kinds that these tests bring, and a worker's part."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync

from ingest import accept, client
from ingest.client import aio
from ingest.kinds import KINDS, Context, Kind, register
from ingest.kinds.errors import Invalid
from ingest.queue.payload import Payload
from ingest.queue.transitions import Claim, Failure, Transitions, new_id

WORKER = "test-worker"


def _validate(event: Mapping[str, Any]) -> None:
    if event.get("text") == "":
        raise Invalid("text", "invalid_value", "text must not be empty.")


def _handle(payload: Payload, context: Context) -> None:
    """Never called: the tests play the worker."""


#: As messages will be: an effect handler, and a user.
MEMO = Kind(
    "memo", _validate, _handle, batch=False, user_field="user_id", ordering_field="thread", retry_delays=(60.0,)
)
#: Taken from code only.
CHORE = Kind("chore", _validate, _handle, batch=False, internal=True, retry_delays=())


@pytest.fixture(autouse=True)
def _kinds() -> Iterator[None]:
    register(MEMO)
    register(CHORE)
    accept.breaker.reset()
    yield
    accept.breaker.reset()
    del KINDS["memo"], KINDS["chore"]


class _Async:
    """`ingest.client.aio`, each call on an event loop of its own; the database is asked in the test's thread."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(aio, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            async def run() -> Any:
                try:
                    return await function(*args, **kwargs)
                finally:
                    await aio.close()

            return async_to_sync(run)()

        return call


@pytest.fixture(params=[client, _Async()], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Any:
    return request.param


class Worker:
    """What a worker does to the jobs of a queue."""

    def __init__(self, connection: redis.Redis) -> None:
        self.redis = connection
        self.transitions = Transitions(connection)

    def claim(self, queue: str = "medium", *, limit: int = 100, lease: float = 30) -> Claim:
        claim = self.transitions.claim(WORKER, [queue], claim_id=new_id(), limit=limit, lease=lease)
        assert claim is not None
        return claim

    def complete(self, queue: str = "medium", *, result: Any = None) -> list[str]:
        """The next jobs, done."""
        claim = self.claim(queue)
        ids = [job.id for job in claim.jobs]
        assert not self.transitions.complete(queue, claim.id, WORKER, ids, results=dict.fromkeys(ids, result))
        return ids

    def fail(self, queue: str = "medium", *, retry: bool = False, reason: Any = "error") -> list[str]:
        """The next jobs, failed: dead letters, or retried."""
        claim = self.claim(queue)
        ids = [job.id for job in claim.jobs]
        error = "Traceback (most recent call last):\nValueError: no such device"
        self.transitions.fail(
            queue,
            claim.id,
            WORKER,
            [Failure(job_id, error, reason, retry, "ValueError", "no such device") for job_id in ids],
        )
        return ids


@pytest.fixture
def worker(empty_redis: redis.Redis) -> Worker:
    return Worker(empty_redis)
