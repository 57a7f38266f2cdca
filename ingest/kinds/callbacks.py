"""Callbacks as jobs: each one is retried, looked at and counted like any other."""

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ingest.callbacks import CallbackRefused, functions, signature, targets
from ingest.callbacks.post import post
from ingest.kinds.context import Context
from ingest.kinds.errors import PermanentError
from ingest.queue.payload import Payload

#: Seconds before each further try: five, from 10 s doubling.
RETRY_DELAYS: Final = (10.0, 20.0, 40.0, 80.0, 160.0)
#: Seconds for one try: a post takes 10 at most, a function of ours may take longer.
TIMEOUT: Final = 60


class Task(msgspec.Struct):
    """The body of a callback's job."""

    #: For lists of jobs, where the title of an event stands.
    title: str
    #: A URL, or a dotted path.
    callback: str
    #: What is told, as it is sent.
    notice: msgspec.Raw


_TASK: Final = msgspec.json.Decoder(Task)
_NOTICE: Final = msgspec.json.Decoder(dict[str, Any])


def validate(event: Mapping[str, Any]) -> None:
    """Nothing to check: no sender brings callbacks."""


async def handle(payload: Payload, context: Context) -> None:
    """Tell once. Raises PermanentError for what no further try will change, and whatever else went wrong."""
    try:
        task = _TASK.decode(payload.body)
        notice = _NOTICE.decode(task.notice)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermanentError(f"the callback cannot be read: {error}") from None
    try:
        if targets.is_function(task.callback):
            await functions.call(task.callback, notice)
        else:
            body = bytes(task.notice)
            await post(task.callback, body, signature.headers(context.idempotency_key, int(time.time()), body))
    except CallbackRefused as refused:
        raise PermanentError(str(refused)) from None
