"""Hostile senders on the wire (S12, S14): whatever they send, and however slowly, they get a 4xx problem or nothing.

Raw sockets against the web process as `make run` starts it, on both faces.
"""

import contextlib
import gzip
import json
import os
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from ingest.api import limits
from tests.conftest import wait_until
from tests.ingest.api.conftest import EVENTS, NDJSON, stored_ids
from tests.ingest.api.test_fastlane import Daphne, has_read

#: The limit of bytes in flight, small: a test fills it. What must not be late has ten minutes: a machine may be busy.
LIMITED = f"""
from ingest.api import limits
limits.BODY_SECONDS = 600.0
limits.InFlight.__init__.__defaults__ = ({limits.WIRE_BYTES + 2**20},)
"""
#: For what is late on purpose.
HURRIED = "from ingest.api import limits; limits.BODY_SECONDS = 1.5"
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
POST_LINE = f"POST {EVENTS} HTTP/1.1\r\n".encode()
#: What a request smuggled behind another one would be.
SMUGGLED = POST_LINE + HOST + JSON + b"Content-Length: 2\r\n\r\n{}"


LINUX = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")


def _server(folder: Path, before: str, face: str) -> Iterator[Daphne]:
    server = Daphne(folder, before=before, INGEST_FAST_LANE=face)
    yield server
    server.stop()
    log = server.log.read_text()
    assert not re.search(r"ERROR daphne| 500 |Internal Server Error", log), log
    # Django writes a traceback for a host that is not allowed.
    assert log.count("Traceback") == log.count("ERROR django.security.DisallowedHost"), log


@pytest.fixture(scope="module", params=["1", "0"], ids=["fast_lane", "lane_off"])
def daphne(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    yield from _server(tmp_path_factory.mktemp("web"), LIMITED, request.param)


@pytest.fixture(scope="module", params=["1", "0"], ids=["fast_lane", "lane_off"])
def hurried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    yield from _server(tmp_path_factory.mktemp("hurried"), HURRIED, request.param)


def head(*lines: bytes, first: bytes = POST_LINE) -> bytes:
    return first + HOST + JSON + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def connect(daphne: Daphne) -> socket.socket:
    sender = socket.create_connection(("127.0.0.1", daphne.port))
    sender.settimeout(60)
    return sender


def answer_of(sender: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The first answer that comes; (0, {}, b"") when the connection is closed without one."""
    raw = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in raw and (part := sender.recv(65536)):
            raw += part
        lines, _, body = raw.partition(b"\r\n\r\n")
        if not lines:
            return 0, {}, b""
        first, *others = lines.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in others)}
        is_chunked = headers.get("transfer-encoding") == "chunked"
        while not (body.endswith(b"0\r\n\r\n") if is_chunked else len(body) >= int(headers.get("content-length", 0))):
            body += sender.recv(65536)
        if is_chunked:
            body = body.partition(b"\r\n")[2].removesuffix(b"\r\n0\r\n\r\n")  # one chunk, as Django's errors are
        return int(first.split()[1]), headers, body
    return 0, {}, b""


def chunked(*parts: bytes) -> bytes:
    return head(b"Transfer-Encoding: chunked") + b"".join(parts)


FRAMING = {
    "both lengths": (head(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED, 400),
    "both, the other way": (head(b"Transfer-Encoding: chunked", b"Content-Length: 4") + b"0\r\n\r\n" + SMUGGLED, 400),
    "two lengths": (head(b"Content-Length: 2", b"Content-Length: 200") + b"{}" + SMUGGLED, 400),
    "one length twice": (head(b"Content-Length: 2", b"Content-Length: 2") + b"{}", 400),
    "lengths in a list": (head(b"Content-Length: 2, 2") + b"{}", 400),
    "negative length": (head(b"Content-Length: -2") + b"{}", 400),
    "signed length": (head(b"Content-Length: +2") + b"{}", 400),
    "hexadecimal length": (head(b"Content-Length: 0x2") + b"{}", 400),
    "no number": (head(b"Content-Length:") + b"{}", 400),
    "underscored length": (head(b"Content-Length: 1_0") + b"{}        ", 400),
    "length beyond everything": (head(b"Content-Length: " + b"9" * 30) + b"{}", 413),
    "length beyond the limit": (head(b"Content-Length: %d" % (limits.WIRE_BYTES + 1)), 413),
    "asks before it sends too much": (head(b"Content-Length: 99999999", b"Expect: 100-continue"), 413),
    "unknown coding": (head(b"Transfer-Encoding: gzip, chunked") + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "coding twice": (head(*[b"Transfer-Encoding: chunked"] * 2) + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "almost chunked": (head(b"Transfer-Encoding: xchunked") + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "a tab in chunked": (head(b"Transfer-Encoding: \x0bchunked") + b"2\r\n{}\r\n0\r\n\r\n", 400),
    "chunk without a size": (chunked(b"\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk of no number": (chunked(b"zz\r\n{}\r\n0\r\n\r\n"), 400),
    "negative chunk": (chunked(b"-2\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk 0x": (chunked(b"0x2\r\n{}\r\n0\r\n\r\n"), 400),
    "chunk longer than said": (chunked(b"2\r\n{}x\r\n0\r\n\r\n"), 400),
    "endless chunk size": (chunked(b"0" * 5000), 400),
    "bad extension": (chunked(b"2;\x00=\x00\r\n{}\r\n0\r\n\r\n"), 400),
    "endless trailer": (chunked(b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 20_000), 400),
    "header without a colon": (head(b"nonsense"), 400),
    "space before the colon": (head(b"Content-Length : 2") + b"{}", 400),
    "header without a name": (head(b": x"), 400),
    "NUL in a header": (head(b"X-A: a\x00b"), 400),
    "CR in a header": (head(b"X-A: a\rContent-Length: 2"), 400),
    "line feeds alone": (POST_LINE.replace(b"\r\n", b"\n") + b"Host: localhost\n\n\r\n\r\n", 400),
    "too many headers": (head(*(b"X-%d: 1" % number for number in range(600))), 400),
    "too large a head": (head(*(b"X-%d: %s" % (number, b"y" * 1000) for number in range(40))), 400),
    "too long a line": (head(b"X-A: " + b"y" * 40_000), 431),
    "one word": (b"POST\r\n\r\n", 400),
    "no version": (b"POST /api/v1/events\r\n\r\n", 400),
    "no such version": (b"POST /api/v1/events HTTP/9.9\r\n\r\n", 400),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS at once": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "path of other bytes": (b"POST /api/\xff HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", 400),
    "two hosts": (head(b"Host: evil.example.org", b"Content-Length: 2") + b"{}", 400),
    "another host": (POST_LINE + b"Host: evil.example.org\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two media types": (head(b"Content-Type: text/plain", b"Content-Length: 2") + b"{}", 415),
    "a websocket": (
        head(b"Upgrade: websocket", b"Connection: Upgrade", b"Content-Length: 2") + b"{}",
        405,
    ),
    "another method": (head(b"Content-Length: 2", first=f"CONNECT {EVENTS} HTTP/1.1\r\n".encode()) + b"{}", 405),
    "a broken form": (
        POST_LINE + HOST + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9\r\n\r\n--x\r\n\r\nab",
        415,
    ),
}


@pytest.mark.parametrize("name", FRAMING)
def test_a_trick_of_framing_is_refused_and_nothing_is_stored(
    daphne: Daphne, empty_redis: redis.Redis, name: str
) -> None:
    """S14, W: whoever stands before us must not be able to read one request where we read two."""
    raw, status = FRAMING[name]
    with connect(daphne) as sender:
        sender.sendall(raw)
        got, headers, body = answer_of(sender)
        assert got == status
        if name != "a websocket":  # autobahn's answer
            assert headers["content-type"] == "application/problem+json"
            problem = json.loads(body)
            assert {"type", "title", "status", "detail", "code", "retryable"} <= set(problem)
            assert (problem["status"], problem["retryable"]) == (status, False)
    assert stored_ids(empty_redis) == set()
    assert requests.post(f"{daphne.url}{EVENTS}", json={}, timeout=60).status_code == 202


@pytest.mark.parametrize(
    "raw",
    [
        head(b"Transfer-Encoding: CHUNKED") + b"1\r\n{\r\n1;a=b\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n",
        head(b"Content-Length: 2", b"Expect: 100-continue") + b"{}",
        head(b"CONTENT-LENGTH:2") + b"{}",
        b"\r\n" + head(b"Content-Length: 2") + b"{}",
        head(b"Content-Length: 2", first=POST_LINE.replace(b"1.1", b"1.0")) + b"{}",
    ],
    ids=["chunked", "expect", "upper case", "an empty line before", "HTTP/1.0"],
)
def test_what_is_unusual_and_right_is_taken_in(daphne: Daphne, empty_redis: redis.Redis, raw: bytes) -> None:
    with connect(daphne) as sender:
        sender.sendall(raw)
        got = answer_of(sender)[0]
        assert (answer_of(sender)[0] if got == 100 else got) == 202
    assert len(stored_ids(empty_redis)) == 1


def test_requests_behind_each_other_are_answered_in_their_order(daphne: Daphne, empty_redis: redis.Redis) -> None:
    with connect(daphne) as sender:
        sender.sendall(SMUGGLED + head(b"Content-Length: 1") + b"{" + SMUGGLED + head(b"Content-Length: x") + SMUGGLED)
        raw = b""
        while part := sender.recv(65536):
            raw += part
    assert [int(line) for line in re.findall(rb"HTTP/1\.1 (\d+) ", raw)] == [202, 400, 202, 400]
    assert len(stored_ids(empty_redis)) == 2


# --- time ----------------------------------------------------------------------------------------


def drip(sender: socket.socket, data: bytes) -> None:
    """A byte every twentieth of a second, until it is answered."""
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for place in range(len(data)):
        if select.select([sender], [], [], 0.05)[0]:
            return
        sender.sendall(data[place : place + 1])


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        (b"", head(b"X-A: " + b"y" * 500)),
        (head(b"Content-Length: 500"), b'{"a":"' + b"x" * 500),
        (head(b"Transfer-Encoding: chunked"), b"1\r\n{\r\n" * 500),
        (head(b"Content-Length: 500") + b"{", b""),
        (POST_LINE, b""),
    ],
    ids=["head", "body", "chunks", "silence in the body", "silence in the head"],
)
def test_a_slow_sender_is_told_in_time(
    hurried: Daphne, empty_redis: redis.Redis, at_once: bytes, slowly: bytes
) -> None:
    with connect(hurried) as sender:
        sender.sendall(at_once)
        drip(sender, slowly)
        status, _, body = answer_of(sender)
    assert (status, json.loads(body)["code"], json.loads(body)["retryable"]) == (408, "body_too_slow", True)
    assert stored_ids(empty_redis) == set()


def test_slow_senders_keep_nobody_waiting(daphne: Daphne, empty_redis: redis.Redis) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(50):
            open_ones.enter_context(connect(daphne)).sendall(head(b"Content-Length: 500") + b"{")
        answers = [requests.post(f"{daphne.url}{EVENTS}", json={}, timeout=60).status_code for _ in range(5)]
    assert answers == [202] * 5
    assert len(stored_ids(empty_redis)) == 5


# --- size ----------------------------------------------------------------------------------------


@LINUX
def test_an_endless_body_is_cut_off_and_memory_stays_flat(daphne: Daphne, empty_redis: redis.Redis) -> None:
    """S11, S12: it is not read to its end, and not put into a file."""
    before = _peak(daphne)
    for lead in (head(b"Transfer-Encoding: chunked"), head(b"Content-Length: 99999999999")):
        with connect(daphne) as sender:
            sender.sendall(lead)
            sent = 0
            with contextlib.suppress(ConnectionError):
                while not select.select([sender], [], [], 0)[0]:
                    sender.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                    sent += 0x10000
            status, _, body = answer_of(sender)
        assert (status, json.loads(body)["limit"]) == (413, "wire_bytes")
        assert sent < 100_000_000
    assert _peak(daphne) - before < 60_000_000


def _peak(daphne: Daphne) -> int:
    """The most memory that the web process ever had, in bytes."""
    for line in Path(f"/proc/{daphne.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@LINUX
def test_bodies_that_are_still_arriving_count_and_are_given_back(daphne: Daphne, empty_redis: redis.Redis) -> None:
    """Rule 6: 503 while too much is in flight; whoever hangs up gives back what it held."""
    body = b"[{}" + b" " * (limits.WIRE_BYTES - 4) + b"]"
    half = body[: 4 * 2**20]

    def second_is_refused() -> bool:
        with connect(daphne) as first, connect(daphne) as second:
            first.sendall(head(b"Content-Length: %d" % len(body)) + half)
            wait_until(lambda: has_read(first), what="the first one in flight")
            with contextlib.suppress(ConnectionError):
                second.sendall(head(b"Content-Length: %d" % len(half)) + half)
            status, headers, answer = answer_of(second)
        if status == 503:
            assert (json.loads(answer)["code"], headers["retry-after"]) == ("overloaded", "1")
        return status == 503  # not, where the first one's time was over

    for _ in range(3):
        wait_until(second_is_refused, what="a refusal while the first one is in flight")

    def is_taken() -> bool:
        return requests.post(f"{daphne.url}{EVENTS}", data=body, headers=TYPE, timeout=60).status_code == 202

    wait_until(is_taken, what="the bytes in flight given back")


TYPE = {"Content-Type": "application/json"}


@pytest.mark.parametrize("form", ["length", "chunked", "gzip"])
def test_who_hangs_up_at_any_tenth_of_the_body_stores_nothing(
    daphne: Daphne, empty_redis: redis.Redis, form: str
) -> None:
    """The bad-input list of issue 4."""
    body = b"\n".join(b'{"id":"%d","title":"%s"}' % (number, os.urandom(50).hex().encode()) for number in range(100))
    kind = f"Content-Type: {NDJSON}\r\n".encode()
    lead = POST_LINE + HOST + kind
    if form == "gzip":
        body = gzip.compress(body)
        lead += b"Content-Encoding: gzip\r\n"
    if form == "chunked":
        lead += b"Transfer-Encoding: chunked\r\n\r\n"
        body = b"".join(b"%x\r\n%s\r\n" % (len(body[at:][:512]), body[at:][:512]) for at in range(0, len(body), 512))
        body += b"0\r\n\r\n"
    else:
        lead += b"Content-Length: %d\r\n\r\n" % len(body)
    for tenth in range(10):
        with connect(daphne) as sender:
            sender.sendall(lead + body[: len(body) * tenth // 10])
            if tenth % 2:  # a reset in place of an end
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert requests.post(f"{daphne.url}{EVENTS}", json={"id": "after"}, timeout=60).status_code == 202
    assert len(stored_ids(empty_redis)) == 1
    with connect(daphne) as sender:
        sender.sendall(lead + body)
        assert answer_of(sender)[0] == 202
    assert len(stored_ids(empty_redis)) == 101


# --- the end -------------------------------------------------------------------------------------


def test_a_request_that_still_arrives_does_not_keep_the_server_from_stopping(
    tmp_path: Path, empty_redis: redis.Redis
) -> None:
    server = Daphne(tmp_path, before=LIMITED)
    with connect(server) as sender:
        sender.sendall(head(b"Content-Length: 500") + b"{")
        assert requests.post(f"{server.url}{EVENTS}", json={}, timeout=60).status_code == 202
        server.stop()  # which waits for less than the ten minutes that the rest of the request may take
    assert "Traceback" not in server.log.read_text()
