"""The web server: Daphne, told how much it may read, and for how long.

Daphne hands a request on once its whole body has arrived, and reads on however long that takes and whatever it fills:
the application's own limits come too late. What is refused here is answered as the application answers, the
rest of what the sender still sends is dropped.

    python -m queueadmin.web -b 127.0.0.1 -p 8000 queueadmin.asgi:application
"""

import asyncio
import gc
from io import BytesIO
from typing import Any, Final

from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from django.conf import settings
from django.urls import get_resolver
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http

from ingest.api import limits, problems
from ingest.api.access import Visit, visit
from ingest.api.problems import Problem

#: Once a request is refused its sender has so long, and so many bytes, to read why: a connection that is
#: closed while it still sends is reset, and the answer lost.
LINGER_SECONDS: Final = 5.0
LINGER_BYTES: Final = 4 * limits.WIRE_BYTES
#: From a websocket's request to its acceptance.
HANDSHAKE_SECONDS: Final = 30
#: Of one line of a request's head. Twisted has 16 KiB for the whole head, and 500 lines.
LINE_BYTES: Final = http.HTTPChannel.MAX_LENGTH


class Request(WebRequest):  # type: ignore[misc] # untyped, here and below
    """One request, whose body stays in memory: it is small by then, and all of them together are counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Twisted would read forms, multipart ones too, for itself alone.
        self._parsePOSTFormSubmission = False
        self.held = 0

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel is not None and self.channel.may_take(self, len(data)):
            super().handleContentChunk(data)

    def connectionLost(self, reason: Any) -> None:
        self.give_back()
        super().connectionLost(reason)

    def finish(self) -> None:
        self.give_back()
        super().finish()

    def give_back(self) -> None:
        self.server.in_flight.give_back(self.held)
        self.held = 0

    def handle_exception(self, exception: Exception) -> None:
        """An answer that has begun cannot become an error any more: it is cut off, so that its reader knows.

        Daphne tried, and failed in what looks after all requests: none was looked after again, and a file whose making
        broke off was waited for without end.
        """
        if not self._response_started:
            super().handle_exception(exception)
        elif self.channel is not None:
            self.channel.transport.abortConnection()

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """What Daphne answers itself, in our words where programs ask."""
        path = _path(getattr(self, "uri", b"/"))
        if not problems.speaks_json(path.removeprefix(settings.SCRIPT_NAME)):
            super().basic_error(status, status_text, body)
            return
        problem = malformed(f"{body}.") if status == 400 else problems.server_error()
        headers = [(b"Content-Type", problems.PROBLEM_TYPE.encode()), (b"X-Content-Type-Options", b"nosniff")]
        self.handle_reply({"type": "http.response.start", "status": problem.status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": problem.body()})


class Channel(http.HTTPChannel):
    """One connection."""

    transport: Any
    _refused = False
    _dropped = 0
    _deadline: Any = None

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            self._dropped += len(data)
            if self._dropped > LINGER_BYTES:
                self.transport.abortConnection()
            return
        super().dataReceived(data)
        # Most requests come in one piece, and cost no timer.
        begun = bool(self._buffer or self.requests) and not self._handlingRequest and not self._refused
        if begun and self._deadline is None:
            self._deadline = self.callLater(limits.BODY_SECONDS, self._too_slow)

    def lineReceived(self, line: bytes) -> None:
        if not self._refused:  # Twisted reads on after a header that it refuses
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if not self._refused:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        detail = f"A line of the request's head is longer than {LINE_BYTES:,} bytes."
        self.refuse(Problem(431, "head_too_large", "Too large", detail, limit="line_bytes", limit_value=LINE_BYTES))

    def allHeadersReceived(self) -> None:
        if self.length is not None and self.length > limits.WIRE_BYTES:
            self.refuse(limits.body_too_large().problem)
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        if self._refused:
            return
        self._stop_deadline()
        super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_deadline()
        super().connectionLost(reason)

    def may_take(self, request: Request, size: int) -> bool:
        """Whether so much more of its body is read; else the request is refused."""
        if self._refused:
            return False
        if request.held + size > limits.WIRE_BYTES:
            self.refuse(limits.body_too_large().problem)
            return False
        try:
            request.server.in_flight.take(size)
        except problems.ProblemError as error:
            self.refuse(error.problem)
            return False
        request.held += size
        return True

    def refuse(self, problem: Problem) -> None:
        """Answer, take in nothing more, and close once the sender has had time to read it."""
        if self._refused:
            return
        self._refused = True
        self._stop_deadline()
        seen = self._visit()
        head = [
            f"HTTP/1.1 {problem.status} {http.RESPONSES.get(problem.status, b'').decode()}",
            f"Content-Type: {problems.PROBLEM_TYPE}",
            f"Content-Length: {len(problem.body())}",
            "Connection: close",
            "X-Content-Type-Options: nosniff",
            f"X-Request-Id: {seen.request_id}",
            *(f"{name}: {value}" for name, value in problem.headers.items()),
        ]
        self.transport.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + problem.body())
        seen.log(problem.status)
        for request in self.requests:
            request.give_back()
        self.setTimeout(None)
        self.transport.loseWriteConnection()
        self._deadline = self.callLater(LINGER_SECONDS, self.transport.abortConnection)

    def _too_slow(self) -> None:
        self._deadline = None
        self.refuse(limits.too_slow().problem)

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(malformed("The request is not HTTP as RFC 9112 has it."))

    def _visit(self) -> Visit:
        request = self.requests[-1] if self.requests else None
        given = request.requestHeaders.getRawHeaders(b"X-Request-Id", [b""])[0] if request else b""
        method, path = getattr(self, "_command", b"-"), _path(getattr(self, "_path", b"-"))
        peer = getattr(self.transport.getPeer(), "host", None)
        return visit(method.decode("latin-1"), path, peer, {"x-request-id": given.decode("latin-1")})


class Pace:
    """How fast a websocket's reader takes what is sent: Daphne itself would heap up in memory what it does not take."""

    def __init__(self, transport: Any) -> None:
        self._taken = asyncio.Event()
        self._taken.set()
        # The HTTP channel, which handed the connection over.
        transport.unregisterProducer()
        transport.registerProducer(self, True)

    async def wait(self) -> None:
        """Until what was sent is on its way; at once while less than Twisted's 64 KiB are not."""
        await self._taken.wait()

    def pauseProducing(self) -> None:
        self._taken.clear()

    def resumeProducing(self) -> None:
        self._taken.set()

    stopProducing = resumeProducing


class Factory(HTTPFactory):  # type: ignore[misc]
    protocol = Channel

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        channel.requestFactory = Request
        return channel

    def log(self, request: Any) -> None:
        """Nothing. Twisted writes a line for each request, with its query, to a log that nobody reads: 30 µs."""


class LimitedServer(Server):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Daphne's 5 s are too few when 500 pages come back at once after a restart, each with a session to look up.
        kwargs |= {"websocket_handshake_timeout": HANDSHAKE_SECONDS, "websocket_connect_timeout": HANDSHAKE_SECONDS}
        # A body is handed on in one piece, since it is in memory: 110 messages of 8 KiB cost 3 ms.
        super().__init__(*args, **kwargs, request_buffer_size=limits.WIRE_BYTES + 1)
        self.in_flight = limits.InFlight()
        self._paces: dict[Any, Pace] = {}

    def create_application(self, protocol: Any, scope: Any) -> Any:
        if scope["type"] == "websocket":
            self._paces[protocol] = Pace(protocol.transport)
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """As other servers do: sending waits while the reader takes nothing."""
        await super().handle_reply(protocol, message)
        if message["type"] == "websocket.send" and (pace := self._paces.get(protocol)) is not None:
            await pace.wait()

    def protocol_disconnected(self, protocol: Any) -> None:
        self._paces.pop(protocol, None)
        super().protocol_disconnected(protocol)

    def run(self) -> None:
        # What is loaded by now stays to the end, the pages too, which Django would load with the first request.
        # Python's collector went through all of it, 115,000 objects, once in 600 requests: for 65 ms, which all that
        # were in flight waited for. It also looked at new objects after 700 of them: 52 µs a request. After 10,000,
        # when most of what requests in flight hold is gone by itself, it is 10.
        get_resolver().url_patterns  # noqa: B018
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        super().run()

    @property
    def http_factory(self) -> HTTPFactory:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, theirs: HTTPFactory) -> None:
        """Daphne makes its own, whatever one would rather have."""
        self._http_factory = Factory(self)

    def kill_all_applications(self) -> Any:
        # Daphne falls over a request that is still arriving, and then ends without waiting for the others.
        for protocol, details in list(self.connections.items()):
            if "application_instance" not in details:
                del self.connections[protocol]
        return super().kill_all_applications()


class CommandLine(CommandLineInterface):  # type: ignore[misc]
    description = "queueadmin's web server"
    server_class = LimitedServer


def malformed(detail: str) -> Problem:
    return Problem(400, "malformed_request", "Not readable", detail)


def _path(uri: bytes) -> str:
    """Without its query, which may hold a key."""
    return uri.partition(b"?")[0].decode("latin-1")


if __name__ == "__main__":
    CommandLine.entrypoint()
