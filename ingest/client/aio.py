"""The functions of `ingest.client` as coroutines, under the same names.

`enqueue` is stored together with what other coroutines send at the same time. The others run in a thread, as Django's
own async methods do; those that may ask the database in the thread that Django keeps for it. Cancelling one ends the
waiting, not what was begun.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

from ingest import accept, client
from ingest.accept import Receipt
from ingest.client.sending import event_of, stored, unavailable
from ingest.queue.connections import close_async_connections

P = ParamSpec("P")
R = TypeVar("R")


def _in_thread(function: Callable[P, R], *, database: bool = False) -> Callable[P, Coroutine[Any, Any, R]]:
    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return await sync_to_async(function, thread_sensitive=database)(*args, **kwargs)

    return run


@wraps(client.enqueue)
async def enqueue(kind: str = "alert", /, **fields: Any) -> Receipt:
    event = event_of({"kind": kind, **fields})
    try:
        receipts = await accept.accept_async([event])
    except accept.Unavailable as error:
        raise unavailable(error) from error
    return stored(receipts)[0]


async def close() -> None:
    """Close this event loop's connection, before the loop ends; the next `enqueue` opens a new one."""
    await close_async_connections()


enqueue_many = _in_thread(client.enqueue_many)

get = _in_thread(client.get, database=True)
get_user_request = _in_thread(client.get_user_request, database=True)
position = _in_thread(client.position, database=True)
progress = _in_thread(client.progress, database=True)
payload = _in_thread(client.payload, database=True)
list_jobs = _in_thread(client.list_jobs, database=True)
log = _in_thread(client.log)
attempts = _in_thread(client.attempts)

retry = _in_thread(client.retry, database=True)
run_now = _in_thread(client.run_now, database=True)
move = _in_thread(client.move, database=True)
cancel = _in_thread(client.cancel, database=True)
remove = _in_thread(client.remove, database=True)
restore = _in_thread(client.restore, database=True)
update_payload = _in_thread(client.update_payload, database=True)

retry_dead = _in_thread(client.retry_dead)
remove_dead = _in_thread(client.remove_dead)
clear = _in_thread(client.clear)
undo_clear = _in_thread(client.undo_clear)
clear_completed = _in_thread(client.clear_completed)

counts = _in_thread(client.counts)
statistics = _in_thread(client.statistics)
pause = _in_thread(client.pause)
resume = _in_thread(client.resume)
is_paused = _in_thread(client.is_paused)
set_rate_limit = _in_thread(client.set_rate_limit)
remove_rate_limit = _in_thread(client.remove_rate_limit)
rate_limits = _in_thread(client.rate_limits)

schedule = _in_thread(client.schedule, database=True)
schedules = _in_thread(client.schedules, database=True)
unschedule = _in_thread(client.unschedule, database=True)
pause_schedule = _in_thread(client.pause_schedule, database=True)
resume_schedule = _in_thread(client.resume_schedule, database=True)
run_schedule = _in_thread(client.run_schedule, database=True)
