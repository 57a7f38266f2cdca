"""The work horse: a forked process that runs one handler, so that it may crash, leak memory or hold the GIL.

It runs the handler and nothing else, and answers over a pipe; the worker holds the lease, marks the row and tells
Redis, so the fence holds as for every other job. It dies with its worker.
"""

import asyncio
import json
import os
import select
import signal
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, Literal

from django.db import connections

from ingest import effects
from ingest.database import DatabaseAway
from ingest.kinds import Context, kind_of
from ingest.queue.payload import decode
from ingest.queue.transitions import Failure
from ingest.worker.alarm import Alarm, Halt
from ingest.worker.entries import Entry
from ingest.worker.failures import failure
from ingest.worker.leases import Leases
from ingest.worker.reports import Reports
from ingest.worker.slots import run_in_time
from ingest.worker.stable import Stable

#: Seconds after its timeout at which a handler that does not end is killed with its process.
KILL_SECONDS: Final = 5.0
#: Tells the handler's context that its job is canceled.
CANCEL_SIGNAL: Final = signal.SIGUSR1
#: Seconds between two looks at what may end it.
LOOK: Final = 0.1
#: Seconds that it has to exit after it has answered.
EXIT_SECONDS: Final = 1.0

#: Why it was killed: an operator's stop-job or kill-horse, its timeout, a lease that is lost, a worker that stops, a
#: cancel that it did not follow.
Why = Literal["stopped", "killed", "overrun", "lost", "halted", "canceled"]


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

    def __init__(self, entry: Entry, stable: Stable) -> None:
        self.entry = entry
        self.pid = 0
        self._stable = stable
        self._why: Why | None = None
        self._lock = threading.Lock()  # so that no pid is killed that is another's by now
        self._status: int | None = None
        self._told = False

    def run(self, *, leases: Leases, alarm: Alarm, reports: Reports) -> Any:
        """Fork, wait for the answer, and return the handler's result.

        Raises HorseFailed, HorseDied, LeaseLost, StableLost, Halt, and DatabaseAway as the handler met it.
        """
        job = self.entry.job
        read_end, write_end = os.pipe()
        try:
            try:
                self.pid = self._stable.start(write_end, job.id, job.data, job.attempts)
            finally:
                os.close(write_end)
            try:
                return self._verdict(self._listen(read_end, leases, alarm, reports))
            finally:
                self._end()
        finally:
            os.close(read_end)

    def kill(self, why: Why) -> bool:
        """Kill it and what it started. False when it has ended."""
        with self._lock:
            if not self.pid or self._status is not None:
                return False
            self._why = self._why or why
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            return True

    def _tell(self) -> None:
        """Its context says from now on that it is canceled."""
        with self._lock:
            if self._told or not self.pid or self._status is not None:
                return
            self._told = True
            with suppress(ProcessLookupError):
                os.kill(self.pid, CANCEL_SIGNAL)

    # --- in the worker ------------------------------------------------------------------------

    def _listen(self, read_end: int, leases: Leases, alarm: Alarm, reports: Reports) -> tuple[str, Any] | None:
        """Pass on what it reports until it answers; None when it ends without an answer."""
        overrun_at = time.monotonic() + self.entry.kind.timeout + KILL_SECONDS
        poll = select.poll()
        poll.register(read_end, select.POLLIN)
        poll.register(self._stable.fileno(), select.POLLIN)
        rest = b""
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(LOOK * 1000)]
            if read_end in ready:
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
            elif ready:
                return None  # it has ended, though something that it started still holds the pipe
            if alarm.halted:
                self.kill("halted")
            elif time.monotonic() > overrun_at:
                self.kill("overrun")
            elif leases.must_stop(self.entry.claim, self.entry.job.id):
                self.kill("canceled")
            elif leases.stopping(self.entry.claim, self.entry.job.id):
                self._tell()
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
            case "canceled":
                raise HorseFailed(self._killed("error", "Canceled", "canceled while it ran, and killed", retry=False))
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

    def _end(self) -> int:
        """Wait until it is gone, and no longer than EXIT_SECONDS; return its wait status."""
        if self._status is None:
            poll = select.poll()
            poll.register(self._stable.fileno(), select.POLLIN)
            if not poll.poll(EXIT_SECONDS * 1000):
                self.kill("overrun")
            status = self._stable.status()
            with self._lock:
                self._status = status
            self._stable.bury()
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


#: Of the one job of this process.
_canceled: Final = threading.Event()


def ride(write_end: int, job_id: str, data: bytes, attempts: int) -> None:
    """Run the job's handler and answer."""
    # A signal that came before this line has ended the process, which for a canceled job is as good.
    signal.signal(CANCEL_SIGNAL, lambda *_: _canceled.set())
    pipe = _Pipe(write_end)
    context = Context(job_id, attempt=attempts + 1, report=pipe.send, canceled=_canceled.is_set)
    pipe.send(*_answer(data, context))
    connections.close_all()


def _answer(data: bytes, context: Context) -> tuple[str, Any]:
    try:
        payload = decode(data, context.job_id)  # the worker could, so we can
        kind = kind_of(payload)
        if kind.is_async:
            return "result", asyncio.run(run_in_time(kind, payload, context))
        with Alarm().watch(kind.timeout):
            return "result", effects.run(kind, payload, context)
    except DatabaseAway as error:
        return "away", str(error)
    except BaseException as error:
        return "failure", asdict(failure(context.job_id, error))
