"""A sender that floods: a process of its own, so that it takes nothing from whoever measures beside it."""

import http.client
import multiprocessing
import os
import secrets
import signal
import threading
import time
from multiprocessing.sharedctypes import Synchronized
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

_BODY = b'{"title":"flood","severity":"low"}'


class Flood:
    """Posts by `connections` at once, each as fast as it is answered. Without a key each post has another wrong one.

    Stopped at first: `go` and `pause` it.
    """

    def __init__(self, url: str, key: str | None, *, connections: int = 4) -> None:
        context = multiprocessing.get_context("spawn")
        self.accepted: Synchronized[int] = context.Value("q", 0)
        self.refused: Synchronized[int] = context.Value("q", 0)
        self.strange: Synchronized[int] = context.Value("q", 0)
        #: When the last one that was accepted had been sent, by the monotonic clock, which all processes share.
        self.last_accepted: Synchronized[float] = context.Value("d", 0.0)
        counts = (self.accepted, self.refused, self.strange, self.last_accepted)
        self._process = context.Process(target=_flood, args=(url, key, connections, counts), daemon=True)

    def __enter__(self) -> "Flood":
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    @property
    def answered(self) -> int:
        return self.accepted.value + self.refused.value + self.strange.value

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _flood(url: str, key: str | None, connections: int, counts: tuple[Any, ...]) -> None:
    senders = [threading.Thread(target=_send, args=(url, key, counts)) for _ in range(connections)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def _send(url: str, key: str | None, counts: tuple[Any, ...]) -> None:
    accepted, refused, strange, last_accepted = counts
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    while True:
        sent_at = time.monotonic()
        shown = key or f"qa_{secrets.token_urlsafe(32)}"
        headers = {"Content-Type": "application/json", "X-API-KEY": shown}
        connection.request("POST", "/api/v1/events", _BODY, headers)
        answer = connection.getresponse()
        answer.read()
        count = accepted if answer.status == 202 else refused if answer.status in {401, 429} else strange
        with count.get_lock():
            count.value += 1
        if answer.status == 202:
            with last_accepted.get_lock():
                last_accepted.value = max(last_accepted.value, sent_at)
