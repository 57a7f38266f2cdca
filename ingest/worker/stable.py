"""Where work horses come from: a process forked from the worker at its start, which forks them.

Not from the worker itself: by then it has threads, and a fork copies whatever locks they hold at that moment; and
it has SQLite connections, of whose file locks a forked process believes that it holds them too, so that a
checkpoint could take the file from under it. This process has neither, however long the worker runs.
"""

import ctypes
import logging
import os
import random
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

logger = logging.getLogger(__name__)

#: Seconds in which the stable must answer: it does nothing but wait and fork.
ANSWER_SECONDS: Final = 10.0

#: What a horse runs: the pipe to answer on, the job's id, its data and its number of executions before.
Ride = Callable[[int, str, bytes, int], None]

#: Linux only; elsewhere a horse whose worker dies runs on until its handler ends.
_PR_SET_PDEATHSIG: Final = 1
_prctl: Final = getattr(ctypes.CDLL(None), "prctl", None)

_LENGTHS: Final = struct.Struct(">III")  # of the job's id and data; executions before
_NUMBER: Final = struct.Struct(">i")  # a pid, then a wait status


class StableLost(Exception):
    """The process that forks work horses is gone, and with it the horse: the worker must be started anew."""

    def __init__(self, error: OSError, *, forked: bool) -> None:
        super().__init__(str(error))
        #: Whether there may have been a horse.
        self.forked = forked


class Stable:
    """One horse at a time. Call it before the process has threads and database connections."""

    def __init__(self, ride: Ride) -> None:
        self._socket, theirs = socket.socketpair()
        parent = os.getpid()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # what is buffered would be written twice
        self._pid = os.fork()
        if self._pid == 0:
            self._socket.close()
            _be_the_stable(theirs, parent, ride)
        theirs.close()
        self._socket.settimeout(ANSWER_SECONDS)

    def fileno(self) -> int:
        """Readable when the horse has ended."""
        return self._socket.fileno()

    def start(self, write_end: int, job_id: str, data: bytes, attempts: int) -> int:
        """Fork a horse, which is the leader of its own process group; return its pid. Raises StableLost."""
        name = job_id.encode()
        try:
            socket.send_fds(self._socket, [_LENGTHS.pack(len(name), len(data), attempts)], [write_end])
            self._socket.sendall(name + data)
        except OSError as error:
            raise StableLost(error, forked=False) from error
        return self._number()

    def status(self) -> int:
        """The wait status of the horse that has ended; its pid stays its own until `bury`. Raises StableLost."""
        return self._number()

    def _number(self) -> int:
        try:
            (number,) = _NUMBER.unpack(_receive(self._socket, _NUMBER.size))
        except OSError as error:
            raise StableLost(error, forked=True) from error
        return int(number)

    def bury(self) -> None:
        """Nobody will kill that pid any more."""
        with suppress(OSError):
            self._socket.sendall(b"\n")

    def close(self) -> None:
        """End it; it has no horse now."""
        self._socket.close()
        until = time.monotonic() + 1.0
        with suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(self._pid, signal.SIGKILL)
                    os.waitpid(self._pid, 0)
                    return
                time.sleep(0.002)


def _receive(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes. Raises OSError."""
    received = b""
    while len(received) < size:
        part = connection.recv(min(size - len(received), 1 << 20))
        if not part:
            raise ConnectionError("the other side is gone")
        received += part
    return received


# --- in the stable -------------------------------------------------------------------------------


def _be_the_stable(worker: socket.socket, parent: int, ride: Ride) -> NoReturn:
    """Fork one horse after the other until the worker closes its side, or dies."""
    try:
        # It ends with the worker, and not with the terminal's Ctrl-C: the horse has its grace time.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _die_with(parent)
        while True:
            lengths, descriptors, *_ = socket.recv_fds(worker, _LENGTHS.size, 1)
            if not lengths:
                break
            lengths += _receive(worker, _LENGTHS.size - len(lengths)) if len(lengths) < _LENGTHS.size else b""
            name_length, data_length, attempts = _LENGTHS.unpack(lengths)
            name, data = _receive(worker, name_length), _receive(worker, data_length)
            stable = os.getpid()
            pid = os.fork()
            if pid == 0:
                worker.close()
                _be_the_horse(stable, ride, descriptors[0], name.decode(), data, attempts)
            os.close(descriptors[0])
            with suppress(OSError):  # it does the same; whoever comes first
                os.setpgid(pid, pid)
            worker.sendall(_NUMBER.pack(pid))
            worker.sendall(_NUMBER.pack(_wait(pid)))
            worker.recv(1)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
    except OSError:
        pass  # the worker is gone
    finally:
        os._exit(0)


def _wait(pid: int) -> int:
    """The wait status of the child, which stays a zombie where the system can do that: its pid is not given away."""
    if not hasattr(os, "waitid"):
        return os.waitpid(pid, 0)[1]
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if ended is None:
        return 0
    return ended.si_status << 8 if ended.si_code == os.CLD_EXITED else ended.si_status


def _die_with(parent: int) -> None:
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before we asked to die with it


def _be_the_horse(stable: int, ride: Ride, write_end: int, job_id: str, data: bytes, attempts: int) -> NoReturn:
    """Run the handler, and exit: nothing of the worker's own goes on in this process."""
    status = 1
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        _die_with(stable)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        random.seed()
        ride(write_end, job_id, data, attempts)
        status = 0
    finally:
        with suppress(Exception):
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
