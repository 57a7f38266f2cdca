"""The load generator: a process of its own that posts bodies on so many connections, as fast as they are answered.

`python -m bench.load URL CONTENT_TYPE CONNECTIONS SECONDS WARM BODIES` prints what it saw as JSON; BODIES is a
file of bodies, each after its length on a line. SECONDS of 0 sends each body once, without warming up. Requests are put
together before the time runs, answers are read by their Content-Length alone, so that it needs a tenth of what any
server here needs. `python -m bench.load ceiling` is a server that only answers, to see what the generator can do at
most.
"""

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: Seconds at most for which nothing is answered.
LONGEST = 30.0


class Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next; connects again when the server has closed."""

    def __init__(self, load: "Load", number: int) -> None:
        self._load = load
        self._next = number
        self._buffer = b""
        self._started = 0.0
        self._answered = True
        self._size = 0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._buffer = b""
        if self._answered:
            self._started = time.perf_counter()
        self._send()

    def _send(self) -> None:
        request = self._load.requests[self._next % len(self._load.requests)]
        self._answered = False
        self._size = len(request)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            self._load.stop(f"an answer without Content-Length: {head[:80]!r}")
            return
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        self._load.saw(int(head[9:12]), self._started, self._size, self._buffer[end + 4 :])
        self._buffer = b""
        self._answered = True
        self._next += self._load.connections
        if self._load.over or self._load.has_sent(self._next):
            self._transport.close()
        elif b"\r\nconnection: close" not in head:
            self._started = time.perf_counter()
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._load.over and not self._load.has_sent(self._next):
            self._load.connect(self)


class Load:
    def __init__(self, url: str, content_type: str, connections: int, seconds: float, warm: float, bodies: list[bytes]):
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: {content_type}\r\n"
            "Accept: */*\r\nContent-Length: "
        )
        self.requests = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]
        self.connections = connections
        self.over = False
        self._seconds, self._warm = seconds, warm if seconds else 0.0
        self._seen: list[tuple[float, float, int, int]] = []  # when, how long, bytes, status
        self._tasks: set[asyncio.Task[Any]] = set()
        self._trouble = ""

    def has_sent(self, number: int) -> bool:
        """Whether all bodies were sent that are to be sent once."""
        return not self._seconds and number >= len(self.requests)

    async def run(self) -> dict[str, Any]:
        self._done = asyncio.Event()
        self._begun, self._used = time.perf_counter(), time.process_time()
        for number in range(self.connections):
            self.connect(Connection(self, number))
        loop = asyncio.get_running_loop()
        loop.call_later(self._warm, self._begin)
        await self._done.wait()
        self.over = True
        wall, used = time.perf_counter() - self._begun, time.process_time() - self._used
        if self._trouble:
            raise SystemExit(self._trouble)
        seen = [each for each in self._seen if each[0] >= self._begun]
        good = [each for each in seen if each[3] // 100 == 2]
        times = sorted(each[1] for each in good)
        return {
            "accepted": len(good) / wall,
            "bytes": sum(each[2] for each in good) / wall,
            "refused": len(seen) - len(good),
            "total": sum(each[3] // 100 == 2 for each in self._seen),
            "p50_ms": 1000 * statistics.median(times) if times else None,
            "p99_ms": 1000 * times[int(len(times) * 0.99)] if times else None,
            "processor": used / wall,
        }

    def _begin(self) -> None:
        self._begun, self._used = time.perf_counter(), time.process_time()
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._end)

    def _end(self) -> None:
        """Once anything was answered: a smoke's time is so short that on a busy machine nothing may be."""
        is_empty = not self._seen or self._seen[-1][0] < self._begun
        if is_empty and time.perf_counter() - self._begun < LONGEST:
            asyncio.get_running_loop().call_later(self._seconds, self._end)
        else:
            self._done.set()

    def connect(self, connection: Connection) -> None:
        task = asyncio.ensure_future(self._connect(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: Connection) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, self._host, self._port)
        except OSError as error:
            self.stop(f"cannot connect: {error}")

    def stop(self, trouble: str) -> None:
        self._trouble = trouble
        self._begun, self._used = time.perf_counter(), time.process_time()
        self._done.set()

    def saw(self, status: int, started: float, size: int, body: bytes) -> None:
        now = time.perf_counter()
        self._seen.append((now, now - started, size, status))
        if not self._seconds and len(self._seen) == len(self.requests):
            self._done.set()


class _Answer(asyncio.Protocol):
    """The server that only answers."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answer, "127.0.0.1", port)
    await server.serve_forever()


def write_bodies(path: Path, bodies: list[bytes]) -> None:
    with path.open("wb") as file:
        for body in bodies:
            file.write(b"%d\n%s" % (len(body), body))


def _read_bodies(path: Path) -> list[bytes]:
    bodies = []
    with path.open("rb") as file:
        while line := file.readline():
            bodies.append(file.read(int(line)))
    return bodies


if __name__ == "__main__":
    if sys.argv[1] == "ceiling":
        asyncio.run(_serve(int(sys.argv[2])))
    else:
        url, content_type, connections, seconds, warm, bodies = sys.argv[1:]
        load = Load(
            url, content_type, int(connections), float(seconds), float(warm), _read_bodies(Path(bodies))
        )  # fmt: skip
        print(json.dumps(asyncio.run(load.run())))
