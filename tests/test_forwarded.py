"""Whose word is taken for where a request came from: TRUSTED_PROXIES, contract 2."""

import asyncio
from typing import Any

import pytest

from queueadmin.forwarded import Forwarded

PROXIES = ["10.0.0.0/8", "::1"]


def seen(peer: str, *headers: tuple[bytes, bytes], scheme: str = "http", proxies: list[str] = PROXIES) -> Any:
    """The (address, scheme) that what stands behind it is told."""
    found: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        found.append((scope["client"][0], scope["scheme"]))

    scope = {"type": "http", "client": (peer, 4711), "headers": list(headers), "scheme": scheme}
    asyncio.run(Forwarded(inner, proxies)(scope, None, None))
    return found[0]


def by(value: str) -> tuple[bytes, bytes]:
    return b"x-forwarded-for", value.encode()


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        # What the client wrote itself stands first; the nearest that is no proxy of ours counts.
        ("10.0.0.1", "127.0.0.1, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "127.0.0.1, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "192.0.2.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "<script>", "10.0.0.1"),
        ("10.0.0.1", " , ", "10.0.0.1"),
        # Nobody trusts this one.
        ("192.0.2.1", "127.0.0.1", "192.0.2.1"),
    ],
)
def test_the_client_is_the_nearest_that_is_no_proxy(peer: str, header: str, client: str) -> None:
    assert seen(peer, by(header))[0] == client


def test_several_headers_are_one_list() -> None:
    assert seen("10.0.0.1", by("192.0.2.1"), by("192.0.2.7"))[0] == "192.0.2.7"


def test_https_is_believed_of_a_proxy_alone() -> None:
    secure = (b"x-forwarded-proto", b"https")
    assert seen("10.0.0.1", secure) == ("10.0.0.1", "https")
    assert seen("10.0.0.1", secure, scheme="ws") == ("10.0.0.1", "wss")
    assert seen("192.0.2.1", secure) == ("192.0.2.1", "http")


def test_without_trusted_proxies_nothing_is_believed() -> None:
    assert seen("10.0.0.1", by("192.0.2.7"), (b"x-forwarded-proto", b"https"), proxies=[]) == ("10.0.0.1", "http")


def test_a_unix_socket_s_peer_has_no_address() -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        assert scope["client"] is None

    asyncio.run(Forwarded(inner, PROXIES)({"type": "http", "client": None, "headers": []}, None, None))
