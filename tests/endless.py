"""An application that sends to a websocket for ever, as fast as it may; over HTTP it tells how often it did."""

import asyncio
import json
import time
from typing import Any

import queueadmin.asgi  # noqa: F401 - the server wants Django to be there

FRAME = "x" * 10_000
_told = {"sent": 0, "waits_since": 0.0, "ended": 0}


async def application(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    if scope["type"] == "http":
        waited = time.monotonic() - _told["waits_since"] if _told["waits_since"] else 0.0
        body = json.dumps(_told | {"waited": waited}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "websocket.accept"})
    gone = asyncio.ensure_future(receive())
    while not gone.done():
        _told["waits_since"] = time.monotonic()
        await send({"type": "websocket.send", "text": FRAME})
        _told["sent"] += 1
        await asyncio.sleep(0)
    _told["ended"] += 1
