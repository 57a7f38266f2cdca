"""A process as others may know it: what it takes of the machine, whether it is the one that was meant, its end.

What a system does not tell is empty or zero; Linux tells all of it.
"""

import multiprocessing
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
#: Fields of /proc/<pid>/stat behind the name, which may hold anything: `starttime` is the 22nd of all.
_START: Final = 22 - 3


def identity(pid: int) -> str:
    """Of this process and no other, ever: the machine's boot, the namespace of its pid, the pid, its start."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / str(pid) / "ns/pid").readlink()
        started = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[_START]
    except (OSError, IndexError):
        return ""
    return f"{boot} {namespace} {pid} {started}"


def kill(process: str) -> bool:
    """SIGKILL to the process with this identity. False: it is gone, not of this machine, or not ours to kill."""
    pid = int(process.split()[2]) if process else 0
    if not pid or not hasattr(os, "pidfd_open"):
        return False
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Looked at through what it holds open, so that its pid cannot become another's in between.
        if identity(pid) != process:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def is_here(process: str) -> bool:
    """Whether `kill` could reach it."""
    return bool(process) and identity(int(process.split()[2])) == process


def memory() -> int:
    """Bytes of this process in memory now; where the system does not say, the most that it ever had."""
    with suppress(OSError, ValueError, IndexError):
        return int((_PROC / "self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def supervisor() -> str:
    """What starts this process anew when it ends; empty: nothing that it can see."""
    if multiprocessing.parent_process() is not None:
        return "pool"
    if os.environ.get("SUPERVISOR_ENABLED"):
        return "supervisor"
    if os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return "systemd"
    return "kubernetes" if os.environ.get("KUBERNETES_SERVICE_HOST") else ""


class Usage:
    """How much of a processor this process takes."""

    def __init__(self) -> None:
        self._at, self._spent = time.monotonic(), time.process_time()

    def percent(self) -> float:
        """Since this was asked last, of one processor: more than 100 is more than one."""
        at, spent = time.monotonic(), time.process_time()
        used = 100 * (spent - self._spent) / max(at - self._at, 0.001)
        self._at, self._spent = at, spent
        return round(used, 1)
