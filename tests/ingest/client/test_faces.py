"""The two faces are one: the same names, the same parameters, the same promises."""

import asyncio
import inspect
from datetime import UTC, datetime

import pytest
import redis
from asgiref.sync import async_to_sync

from ingest import client
from ingest.client import aio
from ingest.models import Event
from ingest.queue import keys

FUNCTIONS = sorted(name for name in client.__all__ if inspect.isfunction(getattr(client, name)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_coroutine_has_its_functions_name_parameters_and_docstring(name: str) -> None:
    function, coroutine = getattr(client, name), getattr(aio, name)
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.signature(coroutine) == inspect.signature(function)
    assert coroutine.__doc__ == function.__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_promises_and_has_types(name: str) -> None:
    function = getattr(client, name)
    assert function.__doc__
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())


def test_coroutines_that_send_at_the_same_time_share_their_calls(empty_redis: redis.Redis) -> None:
    """A busy event loop pays one fsync for many events."""

    async def send() -> list[str]:
        try:
            return [receipt.id for receipt in await asyncio.gather(*(aio.enqueue(title=str(n)) for n in range(60)))]
        finally:
            await aio.close()

    empty_redis.config_resetstat()
    ids = asyncio.run(send())
    assert [job_id.decode() for job_id in empty_redis.lrange(keys.queue("medium"), 0, -1)] == ids
    calls = empty_redis.info("commandstats")
    assert sum(calls[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in calls) < 10


@pytest.mark.django_db(transaction=True)
def test_in_an_event_loop_the_database_may_be_asked(empty_redis: redis.Redis) -> None:
    at = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    Event.objects.create(id="e1", received_at=at, kind="alert", priority="high", body="{}", processed_at=at)
    assert async_to_sync(aio.get)("e1").state == "finished"
