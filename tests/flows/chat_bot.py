"""A message handler for tests with real processes: it notes when it begins and ends, and takes a moment."""

import asyncio
import os

from ingest.kinds import Context
from ingest.kinds.messages import Message

SECONDS = 0.05


async def answer(message: Message, context: Context) -> dict[str, str]:
    _note(f"begins {message.chat_id} {message.message}")
    await asyncio.sleep(SECONDS)
    _note(f"ends {message.chat_id} {message.message}")
    return {"reply": message.message}


def _note(line: str) -> None:
    """One write, so that lines of several processes do not mix."""
    log = os.open(os.environ["CHAT_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{line}\n".encode())
    os.close(log)
