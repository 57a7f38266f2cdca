"""One POST to one URL, by urllib3: to the address that was checked, without redirects, proxies or cookies.

urllib3 speaks HTTP and TLS; ours is only which socket it gets. It has no dependencies, and its connections can be
given a socket of one's own without touching the host's name, so Host, SNI and the certificate stay those of the URL.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPException
from typing import Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from ingest.callbacks import CallbackFailed, CallbackRefused, addresses, targets
from ingest.callbacks.targets import Target

#: Seconds to connect, and for the handshake of TLS.
CONNECT_SECONDS: Final = 3.0
#: Seconds for all of it: name, connection, request and answer.
TOTAL_SECONDS: Final = 10.0
#: Bytes of an answer that are read, so that a receiver can send its few words; nothing is done with them.
ANSWER_BYTES: Final = 64 * 1024
USER_AGENT: Final = "queueadmin"

#: Answers of a receiver that may think otherwise later. Every other 4xx, and every redirect, is its last word.
_AGAIN: Final = frozenset({408, 425, 429})


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send, and return when the receiver said 2xx.

    Raises CallbackRefused, or CallbackFailed where another try may help.
    """
    try:
        target = targets.read_url(url)
    except CallbackRefused as refused:
        raise CallbackRefused(f"the callback's address {refused}") from None
    call = _Call(target, body, headers)
    try:
        async with asyncio.timeout(TOTAL_SECONDS):
            status = await asyncio.wrap_future(_in_thread(call.run))
    except TimeoutError:
        raise CallbackFailed(f"{target.shown} did not answer within {TOTAL_SECONDS:.0f} s") from None
    finally:
        call.abort()
    _judge(target, status)


def _judge(target: Target, status: int) -> None:
    if 200 <= status < 300:
        return
    if status in _AGAIN or status >= 500:
        raise CallbackFailed(f"{target.shown} answered {status}")
    if 300 <= status < 400:
        raise CallbackRefused(f"{target.shown} answered {status}: redirects are not followed")
    raise CallbackRefused(f"{target.shown} answered {status}")


def _in_thread(run: Callable[[], int]) -> "Future[int]":
    """Not a pool's thread: a name service that hangs must keep neither the next call nor the process's end waiting."""
    future: Future[int] = Future()

    def work() -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(run())
            except BaseException as error:
                future.set_exception(error)

    threading.Thread(target=work, name="callback", daemon=True).start()
    return future


class _Plain(HTTPConnection):
    new_socket: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.new_socket()


class _Secure(HTTPSConnection):
    new_socket: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.new_socket()


_CONNECTIONS: Final[Mapping[str, type[_Plain] | type[_Secure]]] = {"http": _Plain, "https": _Secure}


class _Call:
    """A request in a thread, which another thread can end at any moment."""

    def __init__(self, target: Target, body: bytes, headers: Mapping[str, str]) -> None:
        self._target = target
        self._body = body
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        }
        self._lock = threading.Lock()
        self._aborted = False
        self._lifeline: socket.socket | None = None

    def run(self) -> int:
        """The status of the answer."""
        target = self._target
        connection = _CONNECTIONS[target.scheme](target.host, target.port, timeout=CONNECT_SECONDS)
        connection.new_socket = self._connect
        try:
            connection.connect()
            connection.timeout = TOTAL_SECONDS
            connection.request(
                "POST", target.path, self._body, self._headers, preload_content=False, decode_content=False
            )
            answer = connection.getresponse()
            status: int = answer.status
            # The status is what counts, however the rest comes.
            with suppress(OSError, HTTPError, HTTPException):
                answer.read(ANSWER_BYTES)
        except (CallbackFailed, CallbackRefused):
            raise
        except (OSError, HTTPError, HTTPException, ValueError) as error:
            raise CallbackFailed(f"{target.shown} could not be called: {_reason(error)}") from None
        else:
            return status
        finally:
            connection.close()
            self.abort()

    def abort(self) -> None:
        """End it: whatever waits for the network fails at once. Does nothing to one that has ended."""
        with self._lock:
            self._aborted = True
            lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            with suppress(OSError):
                lifeline.shutdown(socket.SHUT_RDWR)
            lifeline.close()

    def _connect(self) -> socket.socket:
        """A connection to the first address that answers, of those that may be called."""
        failure: OSError = TimeoutError("its time was over")
        for address in addresses.resolve(self._target.host, self._target.port):
            with self._lock:
                if self._aborted:
                    raise failure
            try:
                made = socket.create_connection((address, self._target.port), CONNECT_SECONDS)
            except OSError as error:
                failure = error
                continue
            with self._lock:
                if self._aborted:
                    made.close()
                    raise failure
                # A second handle on the same connection: TLS takes the first one over.
                self._lifeline = made.dup()
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        raise failure


def _reason(error: Exception) -> str:
    """What an error says, as far as it is about the network: urllib3's own texts hold the whole URL."""
    cause: BaseException = error
    while isinstance(cause, HTTPError) and cause.args and isinstance(cause.args[-1], Exception):
        cause = cause.args[-1]
    if isinstance(cause, TimeoutError):
        return "it did not answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__
