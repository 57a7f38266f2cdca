"""Effect handlers: the row says when they are done, and the database's troubles are no fault of theirs."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, connections

from ingest import database, effects, jobs
from ingest.effects import ResultError
from ingest.kinds import KINDS, Context, Kind
from ingest.kinds.errors import PermanentError
from ingest.kinds.faults import FaultError
from ingest.models import Event
from ingest.queue.payload import Payload
from tests.ingest.test_database import DEADLOCK
from tests.ingest.test_jobs import ENVELOPE

Handler = Callable[[Payload, Context], Any]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _no_connection_is_left() -> Iterator[None]:
    yield
    asyncio.run(sync_to_async(connections.close_all)())  # of the thread that async handlers' queries run in


def payload(body: bytes = b"{}") -> Payload:
    return Payload("0" * 32, "mail", datetime.now(UTC), "high", "", "", None, body)


def kind(handler: Handler, **fields: Any) -> Kind:
    return Kind(name="mail", validate=lambda event: None, handler=handler, batch=False, **fields)


def run(handler: Handler, is_async: bool, event: Payload | None = None) -> Any:
    """Run it sync, or as an `async def`."""
    event = event or payload()
    if not is_async:
        return effects.run(kind(handler), event, Context(event.id))

    async def async_handler(payload: Payload, context: Context) -> Any:
        return handler(payload, context)

    return asyncio.run(effects.run_async(kind(async_handler), event, Context(event.id)))


both_ways = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@both_ways
def test_it_gets_the_event_and_its_context_outside_any_transaction_and_returns_the_result(is_async: bool) -> None:
    def handler(payload: Payload, context: Context) -> dict[str, Any]:
        return {"body": payload.body.decode(), "key": context.idempotency_key, "atomic": connection.in_atomic_block}

    assert run(handler, is_async, payload(b'{"a":1}')) == {"body": '{"a":1}', "key": "0" * 32, "atomic": False}


@both_ways
@pytest.mark.parametrize("result", [{1, 2}, float("inf"), object(), "x" * (effects.RESULT_BYTES + 1)])
def test_a_result_that_cannot_be_kept_is_a_clear_error_and_no_retry(result: Any, is_async: bool) -> None:
    with pytest.raises(ResultError, match="the handler returned") as raised:
        run(lambda payload, context: result, is_async)
    assert not jobs.may_retry(raised.value)


@both_ways
@pytest.mark.parametrize(("fault", "error"), [("error", FaultError), ("permanent", PermanentError)])
def test_an_event_that_asks_for_failure_fails(fault: str, error: type[Exception], is_async: bool) -> None:
    with pytest.raises(error):
        run(lambda payload, context: None, is_async, payload(b'{"fault":"%s"}' % fault.encode()))


@both_ways
def test_a_deadlock_of_the_handler_is_tried_again_in_place(is_async: bool) -> None:
    tried: list[int] = []

    def handler(payload: Payload, context: Context) -> str:
        tried.append(context.attempt)
        if len(tried) < database.SQLITE_TRIES:
            raise OperationalError("deadlock") from DEADLOCK[connection.vendor]
        return "done"

    assert run(handler, is_async) == "done"
    assert tried == [1] * database.SQLITE_TRIES


@both_ways
def test_a_connection_that_broke_is_a_new_try_and_one_that_keeps_breaking_is_the_handlers_own_error(
    is_async: bool,
) -> None:
    """Ours answers, so another database of the handler's is away: waiting for ours would hold everything up."""
    tried: list[int] = []

    def handler(payload: Payload, context: Context) -> None:
        tried.append(context.attempt)
        raise OperationalError("the connection is gone")

    with pytest.raises(OperationalError):
        run(handler, is_async)
    assert len(tried) == database.tries()


@both_ways
def test_our_database_away_is_nobodys_fault(is_async: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "answers", lambda: False)

    def handler(payload: Payload, context: Context) -> None:
        raise OperationalError("the connection is gone")

    with pytest.raises(database.DatabaseAway):
        run(handler, is_async)


# --- on a stock worker -----------------------------------------------------------------------------


@both_ways
def test_process_event_runs_an_effect_handler_until_its_row_says_done(
    monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    runs: list[int] = []

    def handler(payload: Payload, context: Context) -> str:
        runs.append(len(runs))
        if len(runs) == 1:
            raise ValueError("the first time it fails")
        return "sent"

    async def async_handler(payload: Payload, context: Context) -> str:
        return handler(payload, context)

    monkeypatch.setitem(KINDS, "mail", kind(async_handler if is_async else handler))
    envelope = {**ENVELOPE, "kind": "mail"}
    with pytest.raises(ValueError, match="fails"):
        jobs.process_event(envelope)
    assert Event.objects.get().processed_at is None
    assert jobs.process_event(envelope) == "sent"
    assert Event.objects.get().processed_at is not None
    assert jobs.process_event(envelope) is None, "it is done, and the handler is left alone"
    assert len(runs) == 2
