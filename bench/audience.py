"""Viewers: a process of its own that opens so many sockets and reads what comes.

`python -m bench.audience PORT SESSION VIEWERS SECONDS` opens them, waits until each has had its first delta, and then
prints, at the start and at the end of SECONDS, a line of JSON with the frames and bytes that came until then.
"""

import asyncio
import base64
import json
import os
import sys
from typing import Final

#: Of a frame's head whose length stands in two or eight further bytes.
_TWO: Final = 126
_EIGHT: Final = 127


class Viewer:
    """One page's socket, as far as reading goes; nothing is parsed but each frame's length."""

    def __init__(self) -> None:
        self.frames = 0
        self.bytes = 0

    async def watch(self, port: int, session: str) -> None:
        """Until it is canceled. Raises ValueError when the handshake is refused."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /ws/console/?deltas=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            f"Cookie: sessionid={session}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ValueError(head.decode("latin-1"))
        while True:
            size = (await reader.readexactly(2))[1]
            if size >= _TWO:
                size = int.from_bytes(await reader.readexactly(2 if size == _TWO else 8))
            await reader.readexactly(size)
            self.frames += 1
            self.bytes += size


async def _watch(port: int, session: str, count: int, seconds: float) -> None:
    viewers = [Viewer() for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(each.watch(port, session)) for each in viewers]
        # History, the whole snapshot, and then deltas.
        while min(each.frames for each in viewers) < 3:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
        _tell(viewers)
        await asyncio.sleep(seconds)
        _tell(viewers)
        for each in watching:
            each.cancel()


def _tell(viewers: list[Viewer]) -> None:
    seen = {"frames": sum(each.frames for each in viewers), "bytes": sum(each.bytes for each in viewers)}
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(_watch(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
