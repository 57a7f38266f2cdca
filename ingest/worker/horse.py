"""The work horse: a forked process that runs one handler, so that it may crash, leak memory or hold the GIL.

It runs the handler and nothing else, and answers over a pipe; the worker holds the lease, marks the row and tells
Redis, so the fence holds as for every other job. It dies with its worker.
"""

import asyncio
import ctypes
import json
import logging
import os
import random
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, Literal, NoReturn

from django.db import connections

from ingest import effects
from ingest.database import DatabaseAway
from ingest.kinds import Context
from ingest.queue.transitions import Failure
from ingest.worker.alarm import Alarm, Halt
from ingest.worker.entries import Entry
from ingest.worker.failures import failure
from ingest.worker.leases import Leases
from ingest.worker.reports import Reports
from ingest.worker.slots import run_in_time

logger = logging.getLogger(__name__)

#: Seconds after its timeout at which a handler that does not end is killed with its process.
KILL_SECONDS: Final = 5.0
#: Seconds between two looks at what may end it.
LOOK: Final = 0.1
#: Seconds that it has to exit after it has answered.
EXIT_SECONDS: Final = 1.0

#: Linux only; elsewhere a horse whose worker dies runs on until its handler ends.
_PR_SET_PDEATHSIG: Final = 1
_prctl: Final = getattr(ctypes.CDLL(None), "prctl", None)

#: Why it was killed: an operator's stop-job or kill-horse, its timeout, a lease that is lost, a worker that stops.
Why = Literal["stopped", "killed", "overrun", "lost", "halted"]


class HorseDied(Exception):
    """The process ended without an answer, and nobody asked for it: a segfault, the kernel's OOM killer, os._exit."""


class LeaseLost(Exception):
    """The job is not ours any more, so its handler was ended."""


class HorseFailed(Exception):
    """The handler raised, or was ended; `failure` says what becomes of its job."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Horse:
    """One job in a process of its own. `kill` may be called from another thread, all else from the worker's."""

    def __init__(self, entry: Entry, *, worker: str) -> None:
        self.entry = entry
        self.pid = 0
        self._worker = worker
        self._why: Why | None = None
        self._lock = threading.Lock()  # so that no pid is killed that was reaped, and perhaps given to another
        self._status: int | None = None

    def run(self, *, leases: Leases, alarm: Alarm, reports: Reports) -> Any:
        """Fork, wait for the answer, and return the handler's result.

        Raises HorseFailed, HorseDied, LeaseLost, DatabaseAway as the handler met it, and Halt.
        """
        read_end, write_end = os.pipe()
        # Two processes must not share a database connection. What is buffered would be written twice.
        connections.close_all()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read_end)
            _be_the_horse(self.entry, parent, write_end, self._worker)
        os.close(write_end)
        with suppress(OSError):  # it does the same; whoever comes first
            os.setpgid(self.pid, self.pid)
        try:
            return self._verdict(self._listen(read_end, leases, alarm, reports))
        finally:
            os.close(read_end)
            self._end()

    def kill(self, why: Why) -> bool:
        """Kill it and what it started. False when it has ended."""
        with self._lock:
            if not self.pid or self._status is not None:
                return False
            self._why = self._why or why
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            return True

    # --- in the worker ------------------------------------------------------------------------

    def _listen(self, read_end: int, leases: Leases, alarm: Alarm, reports: Reports) -> tuple[str, Any] | None:
        """Pass on what it reports until it answers; None when it ends without an answer."""
        overrun_at = time.monotonic() + self.entry.kind.timeout + KILL_SECONDS
        poll = select.poll()
        poll.register(read_end, select.POLLIN)
        rest = b""
        while True:
            dead = self._reaped()
            if poll.poll(0 if dead else LOOK * 1000):
                chunk = os.read(read_end, 65536)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    what, value = json.loads(line)
                    if what in ("progress", "log"):
                        reports.say(self.entry, what, value)
                    else:
                        return what, value
                if not chunk:
                    return None
            elif dead:
                return None  # something it started still holds the pipe
            if alarm.halted:
                self.kill("halted")
            elif time.monotonic() > overrun_at:
                self.kill("overrun")
            elif not leases.still(self.entry.claim, self.entry.job.id):
                self.kill("lost")

    def _verdict(self, answer: tuple[str, Any] | None) -> Any:
        if answer is not None:
            what, value = answer
            match what:
                case "result":
                    return value
                case "away":
                    raise DatabaseAway(value)
                case _:
                    raise HorseFailed(Failure(**value))
        status = self._end()
        match self._why:
            case None:
                raise HorseDied(f"its process {_ending(status)}")
            case "halted":
                raise Halt
            case "lost":
                raise LeaseLost
            case "overrun":
                raise HorseFailed(
                    self._killed("timeout", "Overrun", "the handler did not end at its timeout and was killed")
                )
            case "stopped":
                raise HorseFailed(self._killed("error", "Stopped", "stopped by a stop-job command", retry=False))
            case "killed":
                raise HorseFailed(self._killed("error", "Killed", "its work horse was killed by a kill-horse command"))

    def _killed(
        self, reason: Literal["timeout", "error"], error_type: str, message: str, *, retry: bool = True
    ) -> Failure:
        return Failure(self.entry.job.id, f"{message}\n", reason, retry, error_type, message)

    def _reaped(self) -> bool:
        with self._lock:
            if self._status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._status = status
            return self._status is not None

    def _end(self) -> int:
        """Wait until it is gone, and no longer than EXIT_SECONDS; return its wait status."""
        until = time.monotonic() + EXIT_SECONDS
        while not self._reaped() and time.monotonic() < until:
            time.sleep(0.001)
        with self._lock:
            if self._status is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                self._status = os.waitpid(self.pid, 0)[1]
            return self._status


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(ValueError):
            return f"was killed by signal {number} ({signal.Signals(number).name})"
        return f"was killed by signal {number}"
    return f"exited with status {os.WEXITSTATUS(status)} before its handler had returned"


# --- in the horse --------------------------------------------------------------------------------


class _Pipe:
    """Lines of JSON to the worker, whole, from whichever thread."""

    def __init__(self, write_end: int) -> None:
        self._write_end = write_end
        self._lock = threading.Lock()

    def send(self, what: str, value: Any) -> None:
        line = json.dumps([what, value]).encode() + b"\n"
        with self._lock, suppress(BrokenPipeError):  # the worker has heard enough, or is gone
            while line:
                line = line[os.write(self._write_end, line) :]


def _be_the_horse(entry: Entry, parent: int, write_end: int, worker: str) -> NoReturn:
    """Run the handler, answer, and exit: nothing of the worker's own goes on in this process."""
    status = 1
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:  # else it died before we asked to die with it
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when we end
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            random.seed()
            os.environ["RQ_WORKER_ID"] = worker
            os.environ["RQ_JOB_ID"] = entry.job.id
            pipe = _Pipe(write_end)
            pipe.send(*_answer(entry, Context(entry.job.id, attempt=entry.job.attempts + 1, report=pipe.send)))
            connections.close_all()
            status = 0
    finally:
        with suppress(Exception):
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _answer(entry: Entry, context: Context) -> tuple[str, Any]:
    try:
        if entry.kind.is_async:
            return "result", asyncio.run(run_in_time(entry, context))
        with Alarm().watch(entry.kind.timeout):
            return "result", effects.run(entry.kind, entry.payload, context)
    except DatabaseAway as error:
        return "away", str(error)
    except BaseException as error:
        return "failure", asdict(failure(entry.job.id, error))
