"""Handlers of each sort. An event says what they do: `seconds` to take, and how to `end`.

What they do is written to `effects.log` in the home, a line each: kind, event's `n`, pid, what.
"""

import asyncio
import ctypes
import json
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connection

from ingest.kinds import Context, Kind, Task, task
from ingest.queue.payload import Payload


def event_of(payload: Payload) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(payload.body)
    return event


def note(payload: Payload, what: str) -> None:
    line = f"{payload.kind} {event_of(payload).get('n', 0)} {os.getpid()} {what}\n"
    log = os.open(settings.QUEUEADMIN_HOME / "effects.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, line.encode())
    os.close(log)


def end(payload: Payload) -> None:
    match event_of(payload).get("end"):
        case "segfault":
            ctypes.string_at(0)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "error":
            raise ValueError("the event asked for it")


def plain(payload: Payload, context: Context) -> int:
    note(payload, "begins")
    time.sleep(event_of(payload).get("seconds", 0))
    end(payload)
    note(payload, "ends")
    return context.attempt


async def chat(payload: Payload, context: Context) -> int:
    note(payload, "begins")
    await asyncio.sleep(event_of(payload).get("seconds", 0))
    note(payload, "ends")
    return context.attempt


async def threaded(payload: Payload, context: Context) -> None:
    """What a thread does goes on when the handler is cancelled."""
    note(payload, "begins")
    await asyncio.to_thread(time.sleep, event_of(payload).get("seconds", 0))
    note(payload, "ends")


async def stubborn(payload: Payload, context: Context) -> None:
    """Does not end when it is cancelled."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            note(payload, "goes on")


async def blocking(payload: Payload, context: Context) -> None:
    """Holds the event loop."""
    note(payload, "begins")
    time.sleep(600)  # noqa: ASYNC251 - that is the mistake


def in_batches(events: Sequence[Payload]) -> None:
    for payload in events:
        note(payload, "begins")
        time.sleep(event_of(payload).get("seconds", 0.1))
        note(payload, "ends")


def locking(events: Sequence[Payload]) -> None:
    """Updates the alert rows that the event names, in its order, and dawdles in between."""
    for payload in events:
        for identity in event_of(payload)["rows"]:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE ingest_alert SET occurrences = occurrences + 1 WHERE identity = %s", [identity])
            time.sleep(event_of(payload).get("seconds", 1))


def task_of(given: Task, context: Context) -> int:
    payload = Payload(
        context.job_id,
        given.task_type,
        given.received_at,
        given.priority,
        "",
        "",
        None,
        json.dumps(given.payload).encode(),
    )
    note(payload, "begins")
    note(payload, "ends")
    return context.attempt


def register_tasks() -> None:
    task("train", own_workers=True)(task_of)
    task("chores")(task_of)


def _kind(name: str, handler: Any, **more: Any) -> Kind:
    return Kind(name=name, validate=lambda event: None, handler=handler, **more)


KINDS = (
    _kind("plain", plain, batch=False),
    _kind("chat", chat, batch=False),
    _kind("threaded", threaded, batch=False),
    _kind("crunch", plain, batch=False, isolation="process"),
    _kind("stubborn", stubborn, batch=False, timeout=1),
    _kind("blocking", blocking, batch=False, timeout=1),
    _kind("slow", in_batches),
    _kind("locking", locking),
)
