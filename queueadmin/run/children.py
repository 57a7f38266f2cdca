"""The processes of this home that are alive: found by the locks that `child.py` took, and stopped."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Child:
    name: str
    pid: int

    def __str__(self) -> str:
        return f"{self.name} {self.pid}"


def alive(folder: Path) -> list[Child]:
    """Every process that holds a lock in `folder`; the files of those that are gone are removed."""
    held = [path for path in folder.resolve().iterdir() if _is_held(path)]
    if not held:
        return []
    # A forked child keeps the lock after its parent is gone: it is then the one to name.
    holders = _holders({str(path) for path in held})
    found = set()
    for path in held:
        name, _, pid = path.name.rpartition(".")
        found |= {Child(name, holder) for holder in holders.get(str(path)) or [int(pid)]}
    return sorted(found)


def _is_held(path: Path) -> bool:
    if not path.suffix[1:].isdigit():
        return False
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(file)


def _holders(wanted: set[str]) -> dict[str, list[int]]:
    """For each file the processes that have it open (Linux; empty where there is no /proc)."""
    holders: dict[str, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is somebody else's
            for file in {os.readlink(file) for file in (process / "fd").iterdir()} & wanted:
                holders.setdefault(file, []).append(int(process.name))
    return holders


def stop(folder: Path, *, grace: float, kill_wait: float = 2) -> list[Child]:
    """SIGTERM, SIGKILL after `grace` seconds; return those that are alive even then."""
    left = alive(folder)
    _send(left, signal.SIGTERM)
    _send(left, signal.SIGCONT)  # a stopped process takes no SIGTERM before it goes on
    left = _wait(folder, grace)
    if left:
        _send(left, signal.SIGKILL)
        left = _wait(folder, kill_wait)
    return left


def _send(children: Sequence[Child], number: int) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child.pid, number)


def _wait(folder: Path, seconds: float) -> list[Child]:
    deadline = time.monotonic() + seconds
    while (left := alive(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
