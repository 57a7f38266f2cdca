"""A server in between: it sees every message of a client, and may delay it, cut it off, or swallow its answer."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tests.chaos.wires import Message, Wire

_CHUNK: Final = 65536
#: Seconds that an answer is waited for before the connection is cut all the same.
_ANSWER: Final = 10.0


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection at this message: `before` it is forwarded, or `after` it was forwarded and answered.

    The client sees no answer in either case. `act` is called in between, before the client can notice.
    """

    when: Literal["before", "after"]
    act: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class Delay:
    """Forward the message, and all behind it, later."""

    seconds: float


Treatment = Cut | Delay | None


class Proxy:
    """Listens on a unix socket until `close`; `treat` decides for each message, in the proxies' one thread.

    A server that is away is refused connections for: a client sees its connection closed.
    """

    def __init__(self, listen: Path, upstream: Path, wire: type[Wire], treat: Callable[[Message], Treatment]) -> None:
        self.listen = listen
        self._upstream = upstream
        self._wire = wire
        self._treat = treat
        self._connections: set[asyncio.Task[None]] = set()
        self._server = _run(asyncio.start_unix_server(self._accept, listen))

    def close(self) -> None:
        _run(self._close())
        self.listen.unlink(missing_ok=True)

    async def _close(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            server, to_server = await asyncio.open_unix_connection(self._upstream)
        except OSError:
            writer.close()
        else:
            with contextlib.suppress(asyncio.CancelledError):  # by `close`; asyncio would log it as an error
                await _Connection(self._wire(), self._treat, reader, writer, server, to_server).run()
        finally:
            self._connections.discard(task)


class _Connection:
    def __init__(
        self,
        wire: Wire,
        treat: Callable[[Message], Treatment],
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._wire = wire
        self._treat = treat
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._owed = 0  # answers that have not come yet
        self._answered = asyncio.Event()
        self._muted = False

    async def run(self) -> None:
        both = [asyncio.ensure_future(self._forward()), asyncio.ensure_future(self._bring_back())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            for writer in (self._to_client, self._to_server):
                writer.close()
            await asyncio.gather(*both, return_exceptions=True)

    async def _forward(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self._client.read(_CHUNK):
                for message in self._wire.sent(data):
                    match self._treat(message):
                        case Cut("before", act):
                            act()
                            return
                        case Cut("after", act):
                            await self._swallow(message)
                            act()
                            return
                        case Delay(seconds):
                            await asyncio.sleep(seconds)
                    self._send(message)
                await self._to_server.drain()

    def _send(self, message: Message) -> None:
        self._owed += message.answered
        self._answered.clear()
        if not self._to_server.is_closing():
            self._to_server.write(message.data)

    async def _swallow(self, message: Message) -> None:
        """Forward it when all before it is answered; return when its own answer was here, which nobody gets."""
        with contextlib.suppress(asyncio.TimeoutError, OSError):
            await asyncio.wait_for(self._all_answered(), _ANSWER)
            self._muted = True
            self._send(message)
            await self._to_server.drain()
            await asyncio.wait_for(self._all_answered(), _ANSWER)

    async def _all_answered(self) -> None:
        while self._owed > 0:
            await self._answered.wait()
            self._answered.clear()

    async def _bring_back(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self._server.read(_CHUNK):
                for part, ends in self._wire.answers(data):
                    if not self._muted and not self._to_client.is_closing():
                        self._to_client.write(part)
                    if ends:
                        self._owed -= 1
                        self._answered.set()
                await self._to_client.drain()


# --- the proxies' one thread ---------------------------------------------------------------------

_loop: asyncio.AbstractEventLoop | None = None
_starting: Final = threading.Lock()


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="proxies", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result(timeout=60)


def slowly(rng: random.Random) -> Callable[[Message], Treatment]:
    """Every message takes up to 0.3 s longer, and a few are longer away than acceptance waits."""
    rng = random.Random(rng.random())  # of the proxies' thread alone
    return lambda message: Delay(rng.uniform(0, 0.3) if rng.random() < 0.95 else 1.0)


def forgetfully(rng: random.Random) -> Callable[[Message], Treatment]:
    """One message in thirty is carried out, and its answer is lost with its connection."""
    rng = random.Random(rng.random())
    return lambda message: Cut("after") if rng.random() < 1 / 30 else None
