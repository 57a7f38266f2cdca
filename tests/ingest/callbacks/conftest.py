"""A receiver of callbacks: a real HTTP server on loopback that remembers what it got."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Hit:
    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answer` gets each hit and returns the status, or more of an answer: (status, headers, body)."""

    port: int
    hits: list[Hit] = field(default_factory=list)
    #: Connections, also of those who sent no request.
    connections: int = 0
    answer: Callable[[Hit], int | tuple[int, dict[str, str], bytes]] = lambda hit: 204

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def receiving(server_class: type[ThreadingHTTPServer] = ThreadingHTTPServer) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            hit = Hit(self.command, self.path, self.headers, body)
            receiver.hits.append(hit)
            answer = receiver.answer(hit)
            status, headers, content = (answer, {}, b"") if isinstance(answer, int) else answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_POST

        def log_message(self, *args: Any) -> None:
            pass

    server = server_class(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """One that may be called."""
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.0/8"]
    with receiving() as made:
        yield made


@pytest.fixture
def canary() -> Iterator[Receiver]:
    """One that must never be called."""
    with receiving() as made:
        yield made
