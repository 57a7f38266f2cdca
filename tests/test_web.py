"""The web server by itself."""

import base64
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from tests.instance import REPOSITORY, free_port
from tests.waiting import wait_until

#: Of tests/endless.py.
FRAME_BYTES = 10_000


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Of a server of tests/endless.py, or of the module that the test names."""
    chosen = free_port()
    module = getattr(request, "param", "endless")
    command = [sys.executable, "-m", "queueadmin.web", "-p", str(chosen), f"tests.{module}:application"]
    server = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(chosen), what="the server")
        yield chosen
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).ok
    except requests.RequestException:
        return False


def _told(port: int) -> dict[str, float]:
    found: dict[str, float] = requests.get(f"http://127.0.0.1:{port}/", timeout=60).json()
    return found


def test_sending_waits_for_a_slow_reader_so_that_nothing_heaps_up(port: int) -> None:
    """Issue 7, point 6. Daphne by itself would keep all of it in memory."""
    reader = socket.create_connection(("127.0.0.1", port), timeout=60)
    key = base64.b64encode(os.urandom(16)).decode()
    reader.sendall(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    wait_until(lambda: _told(port)["waited"] > 0.5, what="the wait for the reader")
    before = _told(port)["sent"]
    # The kernel's buffers hold some megabytes on loopback; what the server holds is its 64 KiB and a frame.
    assert before * FRAME_BYTES < 20e6
    left = int(before) * FRAME_BYTES + 1_000_000
    while left > 0:
        left -= len(reader.recv(1 << 20))
    wait_until(lambda: _told(port)["waited"] > 0.5, what="the wait for the reader again")
    reader.close()
    wait_until(lambda: _told(port)["ended"] == 1, what="the end of the application")


@pytest.mark.parametrize("port", ["breaking"], indirect=True)
def test_an_answer_that_breaks_off_is_cut_off_and_others_are_answered(port: int) -> None:
    """Redis went away while a file of dead letters was sent: its reader waited for ever, and so did whoever met errors
    after that."""
    url = f"http://127.0.0.1:{port}"
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{url}/half", timeout=60)
    assert [requests.get(f"{url}/before", timeout=60).status_code for _ in range(2)] == [500, 500]
