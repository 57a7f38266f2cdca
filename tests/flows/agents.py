"""Task types of the walk-through of the fourth source; what they do is a line each in `agents.log` of the home."""

import asyncio
import os

from django.conf import settings

from ingest.kinds import Context, Task, task


def note(given: Task) -> None:
    log = os.open(settings.QUEUEADMIN_HOME / "agents.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{given.task_id}\n".encode())
    os.close(log)


@task("note")
def write(given: Task, context: Context) -> str:
    """One line, and who wrote it."""
    note(given)
    return given.task_id


@task("scratch", retries=0, dead_letters=False)
def scratch(given: Task, context: Context) -> None:
    raise ValueError("nobody is to be asked to look at this")


@task("endless")
async def endless(given: Task, context: Context) -> None:
    """Tells how far it is until somebody cancels it."""
    for step in range(10_000):
        context.progress(step)
        context.stop_if_canceled()
        await asyncio.sleep(0.05)
