"""Failure on purpose, for the demo, tests and chaos: an event says how its handling fails.

`fault` or `payload.fault` of an event is `error`, `error:N` (the first N attempts of its life),
`slow:SECONDS` or `permanent` while PROD is false; `crash`, `segfault` and `hang` only with
QUEUEADMIN_FAULTS=1, which does not start with PROD. Any other value is the sender's own field.
"""

import asyncio
import ctypes
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Final

import msgspec
from django.conf import settings

from ingest.kinds.errors import PermanentError
from ingest.queue.payload import Payload

_FAULT: Final = re.compile(r"error(?::\d{1,4})?|permanent|slow:\d{1,4}(?:\.\d{1,3})?|crash|segfault|hang")
_DEADLY: Final = frozenset({"crash", "segfault", "hang"})


class FaultError(Exception):
    """The event asked for this error."""


class _Event(msgspec.Struct):
    fault: msgspec.Raw = msgspec.Raw(b"null")
    payload: msgspec.Raw = msgspec.Raw(b"null")


_EVENT: Final = msgspec.json.Decoder(_Event)


def fault_of(body: bytes) -> str | None:
    """The failure that this event asks for; None for every event that asks for none."""
    if b'"fault"' not in body:
        return None
    event = _EVENT.decode(body)
    fault = _text(event.fault)
    if fault is None and bytes(event.payload).lstrip()[:1] == b"{":
        fault = _text(_EVENT.decode(event.payload).fault)
    return fault if fault is not None and _FAULT.fullmatch(fault) else None


def _text(raw: msgspec.Raw) -> str | None:
    value = msgspec.json.decode(raw)
    return value if isinstance(value, str) else None


def refused(fault: str) -> str | None:
    """Why an event with this fault must not be taken in; None when it may."""
    if not _FAULT.fullmatch(fault):
        return None
    if settings.PROD:
        return f"The fault {fault!r} is refused while PROD is true."
    if fault in _DEADLY and not settings.QUEUEADMIN_FAULTS:
        return f"The fault {fault!r} needs QUEUEADMIN_FAULTS=1."
    return None


def apply(payload: Payload, attempts: int) -> None:
    """Fail as the event asks; `attempts` is how often it was executed before.

    Raises FaultError or PermanentError; `crash` and `segfault` end the process, `hang` never returns.
    An event that must not have been taken in (its fault is refused) is handled like any other.
    """
    for seconds in _pauses(payload, attempts):
        time.sleep(seconds)


async def apply_async(payload: Payload, attempts: int) -> None:
    """The same on an event loop, where `slow` and `hang` wait without holding it up."""
    for seconds in _pauses(payload, attempts):
        await asyncio.sleep(seconds)


def _pauses(payload: Payload, attempts: int) -> Iterator[float]:
    """The waits, in seconds, that the event asks for; another failure happens in here."""
    fault = fault_of(payload.body)
    if fault is None or refused(fault):
        return
    name, _, number = fault.partition(":")
    match name:
        case "error":
            if not number or attempts < int(number):
                raise FaultError(f"the event asked for this error ({fault}), attempt {attempts + 1}")
        case "permanent":
            raise PermanentError(f"the event asked for this error ({fault})")
        case "slow":
            yield float(number)
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "hang":
            while True:
                yield 1.0
