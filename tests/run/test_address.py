"""Where it listens: each reason why not is one sentence."""

import errno
import socket

import pytest

from queueadmin.run.address import answers, shown, usable_port
from queueadmin.run.errors import CannotStart


def test_a_free_port_is_usable() -> None:
    port = usable_port("127.0.0.1", 0)
    assert usable_port("127.0.0.1", port) == port


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"^PORT {port} is in use; choose another: PORT={port + 1} make run$"):
            usable_port("127.0.0.1", port)


def test_a_port_that_needs_rights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(probe: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)  # root, as on CI, may listen on every port
    with pytest.raises(CannotStart, match="PORT 80 needs more rights"):
        usable_port("127.0.0.1", 80)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(CannotStart, match=f"^HOST {host} "):
        usable_port(host, 0)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost"), ("::", "localhost"), ("::1", "[::1]")],  # noqa: S104
)
def test_the_address_is_shown_as_a_browser_takes_it(host: str, expected: str) -> None:
    assert shown(host) == expected


def test_a_server_that_says_nothing_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed out"):
        answers("127.0.0.1", silent.getsockname()[1], seconds=0.1)
