"""The web servers that take alerts in, and what the load generator sees of each."""

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

from bench import load
from bench.contestants import peers_python, require_peers
from bench.ground import REPOSITORY, Ground, Program, Unmeasured, wait_until
from queueadmin.run.supervise import programs


class Web:
    """One running server."""

    def __init__(self, ground: Ground, program: Program, port: int, path: str) -> None:
        self._ground = ground
        self.program = program
        self.port = port
        self._path = path
        try:
            wait_until(lambda: program.ended() or _listens(port), seconds=60, what="the web server")
            if program.ended():
                raise program.why()
        except Unmeasured:
            program.stop()
            raise

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None:
        self.program.stop()

    def post(
        self,
        bodies: Sequence[bytes],
        *,
        connections: int,
        content_type: str = "application/json",
        once: bool = False,
    ) -> Any:
        """What the load generator saw, see `load`, and what an answer cost the server and Valkey.

        The bodies one after the other, again and again for a while, or each of them once.
        """
        file = self._ground.folder / "bodies"
        load.write_bodies(file, list(bodies))
        seconds, warm = (0.3, 0.1) if self._ground.small else (self._ground.seconds, 1.0)
        if once:
            seconds = 0.0
        used = self.program.processor_seconds(), self._ground.valkey.processor_seconds()
        seen = self._ground.run(
            "-m", "bench.load", f"http://127.0.0.1:{self.port}{self._path}", content_type, str(connections),
            str(seconds), str(warm), str(file), environment=dict(os.environ),
        )  # fmt: skip
        answers = max(seen["total"], 1)
        seen["cost"] = (
            f"{(self.program.processor_seconds() - used[0]) / answers * 1e6:,.0f} +"
            f" {(self._ground.valkey.processor_seconds() - used[1]) / answers * 1e6:,.0f}"
        )
        return seen


def ours(ground: Ground, environment: dict[str, str], *, path: str) -> Web:
    """The web process as `make run` starts it."""
    port = free_port()
    command = programs(host="127.0.0.1", port=port, workers=0)[0].command
    return Web(ground, ground.start(command, name="web", environment=environment), port, path)


#: Django REST framework and django-rq, served as most serve them.
PEERS: Final[dict[str, tuple[str, ...]]] = {
    "DRF + django-rq, Daphne": ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "-v", "0", "bench.peers.web:asgi"),
    "DRF + django-rq, gunicorn -w 2": (
        "-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "--log-level", "warning", "bench.peers.web:wsgi",
    ),
}  # fmt: skip


def peer(ground: Ground, name: str) -> Web:
    """Raises Unmeasured."""
    require_peers(ground)
    port = free_port()
    command = [str(peers_python()), *(word.format(port=port) for word in PEERS[name])]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(REPOSITORY),
        "BENCH_REDIS": f"{ground.folder}/valkey.sock",
    }
    return Web(ground, ground.start(command, name="peer-web", environment=environment), port, "/events")


def idle(ground: Ground) -> Web:
    """A server that only answers: what the load generator can do at most."""
    port = free_port()
    command = [sys.executable, "-m", "bench.load", "ceiling", str(port)]
    return Web(ground, ground.start(command, name="ceiling"), port, "/")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
