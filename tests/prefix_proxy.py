"""A proxy that serves a server under a prefix, as nginx would, websockets too; what is asked outside is noted."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

#: Of a request's head.
_HEAD_BYTES = 64 * 1024


class PrefixProxy:
    """Listens on a port of its own, and hands paths on as they are."""

    def __init__(self, port: int, prefix: str) -> None:
        self._to, self._prefix = ("127.0.0.1", port), prefix
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        #: Request lines for what is not under the prefix.
        self.outside: list[str] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received and len(received) < _HEAD_BYTES:
                if not (chunk := client.recv(_HEAD_BYTES)):
                    return
                received += chunk
            head, _, body = received.partition(b"\r\n\r\n")
            line, *headers = head.split(b"\r\n")
            if not line.split(b" ")[1].startswith(f"{self._prefix}/".encode()):
                self.outside.append(line.decode())
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if not any(header.lower().startswith(b"upgrade:") for header in headers):
                # One request a connection: nothing after the first head has to be read.
                headers = [each for each in headers if not each.lower().startswith(b"connection:")]
                headers.append(b"Connection: close")
            with socket.create_connection(self._to) as server:
                server.sendall(b"\r\n".join([line, *headers]) + b"\r\n\r\n" + body)
                threading.Thread(target=_pipe, args=(client, server), daemon=True).start()
                _pipe(server, client)


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(64 * 1024):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
