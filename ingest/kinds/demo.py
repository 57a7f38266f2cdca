"""Three example task types, one of each sort, for `make demo`; there while PROD is false.

`demo-primes` computes in a process of its own, `demo-fetch` waits on the network, `demo-report` tells how far it is and
stops where it is told to.
"""

import asyncio
import time
from typing import Any

from ingest.kinds.context import Context
from ingest.kinds.errors import PermanentError
from ingest.kinds.tasks import Task, task


@task("demo-primes", isolation="process", timeout=60)
def primes(given: Task, context: Context) -> dict[str, int]:
    """How many primes are below `payload.below`, up to a million."""
    below = _number(given, "below", 50_000, 1_000_000)
    sieve = bytearray([1]) * below
    sieve[:2] = bytes(min(below, 2))
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
        context.stop_if_canceled()
    return {"below": below, "primes": sum(sieve)}


@task("demo-fetch", timeout=30)
async def fetch(given: Task, context: Context) -> dict[str, Any]:
    """Ask a server of its own on the loopback interface, which takes `payload.milliseconds` to answer."""
    milliseconds = _number(given, "milliseconds", 200, 10_000)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.readline()
        await asyncio.sleep(milliseconds / 1000)
        writer.write(question.upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(f"{given.task_id}\n".encode())
        said = await reader.readline()
        writer.close()
    return {"said": said.decode().strip(), "attempt": context.attempt}


@task("demo-report", retries=1, timeout=600)
async def report(given: Task, context: Context) -> dict[str, int]:
    """Write `payload.pages` pages, each of which takes `payload.milliseconds`."""
    pages, milliseconds = _number(given, "pages", 20, 1_000), _number(given, "milliseconds", 100, 10_000)
    began = time.monotonic()
    for page in range(1, pages + 1):
        context.stop_if_canceled()
        await asyncio.sleep(milliseconds / 1000)
        context.progress({"page": page, "of": pages})
        if page % 5 == 0:
            context.log(f"page {page} of {pages} after {time.monotonic() - began:.1f} s")
    return {"pages": pages}


def _number(given: Task, name: str, default: int, most: int) -> int:
    """Raises PermanentError: another try would find the same payload."""
    value = given.payload.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise PermanentError(f"payload.{name} must be a whole number from 1 to {most:,}")
    return value
