"""Effect handlers: what they do is outside the database, so it happens at least once.

The event's row is saved first, open, and marked done when the handler has returned; a later execution runs
the handler again unless the row says done. Between the effect and the mark lies one short step: whoever must
not act twice uses the context's idempotency key, which stays the same.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, Final, cast

from asgiref.sync import sync_to_async

from ingest import database
from ingest.kinds import Context, Kind, faults
from ingest.kinds.errors import PermanentError
from ingest.kinds.kind import EffectHandler
from ingest.queue.payload import Payload
from ingest.signals import processed
from ingest.store import finish_events, open_events

#: Bytes of one result as JSON: 1,000 of a queue are kept in Redis, beside the jobs that wait.
RESULT_BYTES: Final = 1024 * 1024


class ResultError(PermanentError):
    """The handler did its work and returned what cannot be kept. Running it again would only repeat the effect."""


def begin(payloads: Sequence[Payload]) -> set[str]:
    """Save the rows, open; return the ids of those that are done: their handler must not run. Raises DatabaseAway."""
    return database.in_transaction(lambda: open_events(payloads))


def finish(payloads: Sequence[Payload]) -> None:
    """The handler returned: mark the rows done. Raises DatabaseAway."""
    database.in_transaction(lambda: finish_events(payloads))
    if processed.receivers:
        kinds: dict[str, list[Payload]] = {}
        for payload in payloads:
            kinds.setdefault(payload.kind, []).append(payload)
        for kind, done in kinds.items():
            processed.send_robust(kind, payloads=done)


def run(kind: Kind, payload: Payload, context: Context) -> Any:
    """Run a sync handler; return its result, which JSON can hold. Raises DatabaseAway, or what the handler raises."""
    number = 0
    while True:
        number += 1
        try:
            faults.apply(payload, context.attempt - 1)
            return _checked(cast(EffectHandler, kind.handler)(payload, context))
        except database.ERRORS as error:
            _judge(error, number)
        except Exception:
            raise
        except BaseException:
            database.reconnect()  # a signal came, perhaps in the middle of a query
            raise
        time.sleep(database.wait(number))


async def run_async(kind: Kind, payload: Payload, context: Context) -> Any:
    """The same for an `async def` handler."""
    number = 0
    while True:
        number += 1
        try:
            await faults.apply_async(payload, context.attempt - 1)
            return _checked(await kind.handler(payload, context))  # type: ignore[call-arg,arg-type,misc]
        except database.ERRORS as error:
            # In the thread that Django's async methods use, whose connection it is.
            await sync_to_async(_judge)(error, number)
        await asyncio.sleep(database.wait(number))


def _judge(error: Exception, number: int) -> None:
    """Return where another try may help: no attempt is counted for the database's troubles.

    Raises DatabaseAway, or the error itself where it is the handler's own: also that of a database which is
    away while ours answers, since waiting for ours would not help then.
    """
    trouble = database.trouble(error)
    database.close_broken()
    if trouble is None:
        raise error
    if trouble == "away" and not database.answers():
        raise database.DatabaseAway(str(error)) from error
    if number < database.tries():
        return
    if trouble == "again":
        raise database.DatabaseAway(str(error)) from error
    raise error


def _checked(result: Any) -> Any:
    """The result, when it can be kept. Raises ResultError."""
    try:
        size = len(json.dumps(result, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"the handler returned {type(result).__name__} that is not JSON: {error}") from None
    if size > RESULT_BYTES:
        raise ResultError(f"the handler returned {size:,} bytes of JSON; {RESULT_BYTES:,} is the most")
    return result
