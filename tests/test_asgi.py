"""Who may open a websocket at all: pages of our own hosts."""

import asyncio
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.test import override_settings

from queueadmin.asgi import application, own_pages_only


async def accepts_all(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


def opens(app: Any, origin: bytes | None, path: str = "/ws/console/") -> bool:
    async def connect() -> bool:
        headers = [(b"host", b"localhost"), *([(b"origin", origin)] if origin is not None else [])]
        opened, _ = await WebsocketCommunicator(app, path, headers=headers).connect(timeout=60)
        return bool(opened)

    return asyncio.run(connect())


@pytest.mark.parametrize(
    "origin",
    [None, b"", b"null", b"http://evil.example.org", b"http://localhost.evil.example.org", b"http://evil-localhost"],
)
def test_other_pages_may_not(origin: bytes | None) -> None:
    assert not opens(own_pages_only(accepts_all), origin)


@pytest.mark.parametrize("origin", [b"http://localhost", b"http://localhost:8000", b"http://127.0.0.1:8000"])
def test_our_own_may(origin: bytes) -> None:
    assert opens(own_pages_only(accepts_all), origin)


@pytest.mark.parametrize("origin", [None, b"null"])
def test_no_origin_may_not_even_where_every_host_is_allowed(origin: bytes | None) -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        assert not opens(own_pages_only(accepts_all), origin)


def test_the_console_s_socket_is_behind_it() -> None:
    assert not opens(application, b"null")


@pytest.mark.parametrize("path", ["/ws/console", "/ws/nothing/", "/", "/api/v1/events"])
def test_any_other_path_is_refused_and_no_error(path: str) -> None:
    assert not opens(application, b"http://localhost", path)
