"""Where the web process listens, and whether it does."""

import errno
import http.client
import socket

from queueadmin.run.errors import CannotStart


def usable_port(host: str, port: int) -> int:
    """`port` when it is free, or any free one for 0.

    Raises CannotStart with the reason when it cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
            found: int = probe.getsockname()[1]
            return found
    except socket.gaierror:
        raise CannotStart(f"HOST {host} is not an address of this machine.") from None
    except PermissionError:
        raise CannotStart(f"PORT {port} needs more rights; choose one above 1023.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(f"PORT {port} is in use; choose another: PORT={port + 1} make run") from None
        raise CannotStart(f"HOST {host} cannot be listened on: {error.strerror}.") from None


def shown(host: str) -> str:
    """The host as a browser on this machine takes it."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def answers(host: str, port: int, *, seconds: float = 5) -> bool:
    """Whether the web process answers at all; what it thinks of its health is for /health. Raises OSError."""
    connection = http.client.HTTPConnection(shown(host).strip("[]"), port, timeout=seconds)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except http.client.HTTPException:
        return False
    else:
        return True
    finally:
        connection.close()
