"""An application that breaks off: /half in the middle of its answer, /before before it, and no other."""

from typing import Any

import queueadmin.asgi  # noqa: F401 - the server wants Django to be there


async def application(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    if scope["path"] == "/before":
        raise ValueError("broken off")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a,b\n", "more_body": scope["path"] == "/half"})
    if scope["path"] == "/half":
        raise ValueError("broken off")
