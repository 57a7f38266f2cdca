"""One POST: what is sent, what its answers mean, and whom it never reaches (S9)."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ingest.callbacks import CallbackFailed, CallbackRefused, addresses, post
from tests.ingest.callbacks.conftest import Receiver, receiving


def send(url: str, body: bytes = b"{}", **headers: str) -> None:
    asyncio.run(post.post(url, body, headers))


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names resolve to these, one answer after another, the last one for ever. Return the names asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if not any(character.isalpha() for character in str(host)) or ":" in str(host):
            return real(host, port, *args, **more)
        asked.append(host)
        answer = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answer]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_the_body_arrives_as_it_is_with_its_headers(receiver: Receiver) -> None:
    send(f"{receiver.url}?a=1", b'{"n":1}', **{"webhook-id": "7"})

    [hit] = receiver.hits
    assert (hit.method, hit.path, hit.body) == ("POST", "/hook?a=1", b'{"n":1}')
    assert hit.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (hit.headers["content-type"], hit.headers["webhook-id"]) == ("application/json", "7")
    assert (hit.headers["user-agent"], hit.headers["cookie"], hit.headers["authorization"]) == (
        "queueadmin",
        None,
        None,
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_done(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda hit: status
    send(receiver.url)
    assert len(receiver.hits) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_these_may_be_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda hit: status
    with pytest.raises(CallbackFailed, match=f"^http://127.0.0.1:{receiver.port} answered {status}$"):
        send(f"{receiver.url}?token=hunter2")
    assert len(receiver.hits) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_other_4xx_are_the_last_word(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda hit: status
    with pytest.raises(CallbackRefused, match=f"answered {status}$"):
        send(receiver.url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, canary: Receiver, status: int) -> None:
    """S9: a redirect to 169.254.169.254, or to what only we can reach."""
    for location in ("http://169.254.169.254/latest/meta-data/", f"http://localhost:{canary.port}/", canary.url):
        receiver.answer = lambda hit, location=location: (status, {"Location": location}, b"")  # type: ignore[misc]
        with pytest.raises(CallbackRefused, match=f"answered {status}: redirects are not followed"):
            send(receiver.url)
    assert (len(receiver.hits), canary.connections) == (3, 0)


def corpus(port: int) -> list[str]:
    """S9: ways to write this machine and its neighbours."""
    hosts = [
        "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "0", "0.0.0.0", "localhost", "LOCALHOST", "localhost.",  # noqa: S104
        "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0x7f.1", "0177.0.0.1", "017700000001", "0000127.0.0.1",
        "127.0.0.1.", "127.0.0.01", "%31%32%37.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "[::1]", "[::]", "[::127.0.0.1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0:127.0.0.1]",
        "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "[::1%25lo]",
        "user@127.0.0.1", "hooks.example.org@127.0.0.1", "127.0.0.1\\@hooks.example.org",
        "hooks.example.org\\@127.0.0.1",
        "127.0.0.1#@hooks.example.org", "127.0.0.1 .example.org", "127.0.0.1\t", "169.254.169.254", "[fd00:ec2::254]",
        "rebound.example", "mixed.example", "10.0.0.1", "100.100.100.200", "168.63.129.16",
    ]  # fmt: skip
    return [f"http://{host}:{port}/" for host in hosts] + [
        f"//127.0.0.1:{port}/",
        f"http:/127.0.0.1:{port}/",
        f"http:127.0.0.1:{port}/",
        f"gopher://127.0.0.1:{port}/_x",
        f"ftp://127.0.0.1:{port}/",
        f"unix://127.0.0.1:{port}/",
    ]


def test_nothing_of_the_corpus_reaches_this_machine(canary: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """S9: 0 hits, not even a connection. The port is one of those that are called, so that addresses decide."""
    monkeypatch.setattr(addresses, "PORTS", frozenset({canary.port}))
    real = socket.getaddrinfo
    names = {"rebound.example": ["127.0.0.1"], "mixed.example": ["8.8.8.8", "127.0.0.1"]}

    def getaddrinfo(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host in names:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]
        return real(host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for url in corpus(canary.port):
        with pytest.raises(
            (CallbackRefused, CallbackFailed)
        ):  # failed: no such name, such as "localhost." here and there
            send(url)
    assert (canary.connections, canary.hits) == (0, [])


def test_the_canary_would_be_hit_if_it_were_allowed(canary: Receiver, settings: Any) -> None:
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.0/8", "::1"]
    reached = 0
    for url in corpus(canary.port):
        try:
            send(url)
        except (CallbackRefused, CallbackFailed):
            continue
        reached += 1
    assert reached == len(canary.hits) >= 3


def test_a_name_that_rebinds_is_asked_once_and_pinned(canary: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """S9: public when it is checked, loopback when it is called. The call goes to the address that was checked."""
    monkeypatch.setattr(addresses, "PORTS", frozenset({canary.port}))
    asked = resolve_to(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    called: list[Any] = []

    def create_connection(address: Any, *args: Any, **more: Any) -> socket.socket:
        called.append(address)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(CallbackFailed, match="did not answer in time"):
        send(f"http://rebinding.example:{canary.port}/")
    assert (asked, called, canary.connections) == (["rebinding.example"], [("8.8.8.8", canary.port)], 0)


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, canary: Receiver, monkeypatch: Any) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    send(receiver.url)
    assert (len(receiver.hits), canary.connections) == (1, 0)


def test_the_next_address_is_tried_when_one_does_not_answer(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])  # the receiver listens at the second alone
    send(f"http://hooks.example:{receiver.port}/")
    assert receiver.hits[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_nobody_listens(settings: Any) -> None:
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(CallbackFailed, match=f"^http://127.0.0.1:{port} could not be called: Connection refused$"):
        send(f"http://127.0.0.1:{port}/?token=hunter2")


# --- slow, large and broken answers -----------------------------------------------------------------------------


@contextmanager
def speaking(answer: Any) -> Iterator[int]:
    """A server that hands each connection to `answer`, which speaks raw bytes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    made, _ = server.accept()
                except OSError:
                    return
                with made:
                    made.settimeout(60)
                    with suppress(OSError):
                        answer(made)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(60)
    assert not thread.is_alive()


def drip_header(made: socket.socket) -> None:
    made.recv(65536)
    made.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        made.sendall(b"x")
        threading.Event().wait(0.02)


def drip_status(made: socket.socket) -> None:
    made.recv(65536)
    while True:
        made.sendall(b"H")
        threading.Event().wait(0.02)


def say_nothing(made: socket.socket) -> None:
    while made.recv(65536):
        pass


@pytest.mark.parametrize("answer", [drip_header, drip_status, say_nothing])
def test_a_receiver_that_takes_its_time_is_left(answer: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The total counts, not the time since the last byte; and the connection ends, so that nobody is held."""
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]
    monkeypatch.setattr(post, "TOTAL_SECONDS", 0.5)
    with speaking(answer) as port, pytest.raises(CallbackFailed, match="did not answer"):
        send(f"http://127.0.0.1:{port}/")


def test_a_tls_handshake_that_never_ends_is_left(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]
    monkeypatch.setattr(post, "TOTAL_SECONDS", 0.5)
    with speaking(say_nothing) as port, pytest.raises(CallbackFailed, match="did not answer"):
        send(f"https://127.0.0.1:{port}/")


def test_being_canceled_ends_the_call_too(settings: Any) -> None:
    """A worker that stops cancels its jobs."""
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]

    called = threading.Event()

    async def cancel(port: int) -> None:
        task = asyncio.create_task(post.post(f"http://127.0.0.1:{port}/", b"{}", {}))
        assert await asyncio.to_thread(called.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def hear(made: socket.socket) -> None:
        while made.recv(65536):
            called.set()

    with speaking(hear) as port:
        asyncio.run(cancel(port))


def test_of_an_endless_answer_only_its_beginning_is_read(settings: Any) -> None:
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]
    sent = 0

    def pour(made: socket.socket) -> None:
        nonlocal sent
        made.recv(65536)
        made.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += made.send(b"x" * 65536)

    with speaking(pour) as port:
        send(f"http://127.0.0.1:{port}/")
    assert sent < 64 * 1024 * 1024  # what the kernel's buffers hold


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff\xfe\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 " + b"x" * 100_000, b"SSH-2.0-x\r\n",
     b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n"],
)  # fmt: skip
def test_what_is_no_answer_may_be_tried_again_and_is_not_shown(answer: bytes, settings: Any) -> None:
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]

    def say(made: socket.socket) -> None:
        made.recv(65536)
        made.sendall(answer)

    with speaking(say) as port, pytest.raises(CallbackFailed) as failed:
        send(f"http://127.0.0.1:{port}/?token=hunter2")
    assert "hunter2" not in str(failed.value)
    assert "SSH" not in str(failed.value)


def test_a_broken_header_leaves_no_address_in_the_log(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """D11: urllib3 warns with the whole URL; settings.LOGGING keeps that out."""
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]

    def say(made: socket.socket) -> None:
        made.recv(65536)
        made.sendall(b"HTTP/1.1 200 OK\r\nbroken header\r\nContent-Length: 0\r\n\r\n")

    with caplog.at_level(logging.NOTSET), speaking(say) as port:
        send(f"http://127.0.0.1:{port}/?token=hunter2")
    assert "hunter2" not in caplog.text


# --- TLS ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """For hooks.example.org, signed by itself; key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "hooks.pem"
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(form))
    return file


@contextmanager
def secure(certificate: Path) -> Iterator[tuple[Receiver, list[str | None]]]:
    """A receiver behind TLS, and the names that its clients asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked: list[str | None] = []
    context.sni_callback = lambda made, name, of: asked.append(name)

    class Server(ThreadingHTTPServer):
        def finish_request(self, request: Any, client_address: Any) -> None:
            try:
                wrapped = context.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return
            with wrapped:
                super().finish_request(wrapped, client_address)

    with receiving(Server) as receiver:
        yield receiver, asked


def test_tls_names_the_host_and_checks_its_certificate(
    certificate: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S9: pinned to an address, and still the host's own name in SNI, Host and certificate."""
    settings.CALLBACK_ALLOW_NETWORKS = ["127.0.0.1"]
    settings.PROD = True
    resolve_to(monkeypatch, ["127.0.0.1"])
    with secure(certificate) as (receiver, asked):
        url = f"https://hooks.example.org:{receiver.port}/hook"
        with pytest.raises(CallbackFailed, match=r"(?i)certificate"):
            send(url)  # nobody whom this machine trusts has signed it
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        send(url)
        with pytest.raises(CallbackFailed, match=r"(?i)certificate"):
            send(f"https://others.example.org:{receiver.port}/hook")
    [hit] = receiver.hits
    assert hit.headers["host"] == f"hooks.example.org:{receiver.port}"
    assert asked == ["hooks.example.org", "hooks.example.org", "others.example.org"]


def test_plain_http_is_refused_in_production_before_anything_is_asked(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PROD = True
    asked = resolve_to(monkeypatch, ["127.0.0.1"])
    with pytest.raises(CallbackRefused, match="https"):
        send(f"http://hooks.example.org:{receiver.port}/")
    assert (asked, receiver.connections) == ([], 0)
