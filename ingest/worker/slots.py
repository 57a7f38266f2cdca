"""`async def` handlers: some at a time, on an event loop in a thread of its own.

So a slow one holds up neither the others nor what the worker itself runs, and the loop outlives each of them:
handlers may keep clients and pools for it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Final, Literal

from django.db import connections

from ingest import effects
from ingest.database import DatabaseAway
from ingest.kinds import Context, Kind, each_kind
from ingest.queue.payload import Payload
from ingest.queue.transitions import Failure
from ingest.worker.alarm import Alarm, Overrun, Stopped
from ingest.worker.entries import Entry
from ingest.worker.failures import failure
from ingest.worker.leases import Leases
from ingest.worker.loop import LoopThread
from ingest.worker.reports import Reports
from ingest.worker.settle import Settlement

logger = logging.getLogger(__name__)

#: Seconds that a handler has to end after it was cancelled.
CANCEL_SECONDS: Final = 5.0
#: The same while the worker stops: all in all it has ten seconds.
STOP_SECONDS: Final = 2.0
#: Seconds between two looks at leases and at what does not end.
LOOK: Final = 1.0


async def run_in_time(kind: Kind, payload: Payload, context: Context) -> Any:
    """Run the kind's async handler; it is cancelled at its timeout. Raises Overrun, or what it raises."""
    try:
        async with asyncio.timeout(kind.timeout) as clock:
            return await effects.run_async(kind, payload, context)
    except TimeoutError as error:
        if clock.expired():  # else it is the handler's own
            raise Overrun("the handler ran longer than its timeout") from error
        raise


@dataclass(slots=True, eq=False)
class _Run:
    """One job in its slot."""

    entry: Entry
    task: asyncio.Task[None] | None = None
    #: time.monotonic(); None while it waits for its kind's turn.
    started: float | None = None
    #: Why it was cancelled by us: its lease is lost, the worker stops, or somebody canceled it.
    cancelled: Literal["", "lost", "stop", "canceled"] = ""
    cancelled_at: float = inf
    #: A verdict was given, so what the handler may still do counts for nothing.
    ended: bool = False

    def is_overdue(self) -> bool:
        """It did not even end when it was cancelled."""
        if self.started is None or self.ended:
            return False
        ends = min(self.started + self.entry.kind.timeout, self.cancelled_at)
        return time.monotonic() > ends + CANCEL_SECONDS


@dataclass(frozen=True, slots=True)
class _Ended:
    run: _Run
    #: What becomes of it; None: it is released, or was taken from us.
    verdict: Literal["done", "failed", "released", "lost"]
    result: Any = None
    failure: Failure | None = None


class Slots:
    """Started by its first job; `stop` ends it.

    `settlement()` makes a settlement for the thread that calls it. `give_up(sentence)` is called when a handler
    cannot be ended: only the end of the process ends it.
    """

    def __init__(
        self,
        *,
        leases: Leases,
        alarm: Alarm,
        reports: Reports,
        settlement: Callable[[], Settlement],
        give_up: Callable[[str], None],
    ) -> None:
        self._leases = leases
        self._alarm = alarm
        self._reports = reports
        self._settlement = settlement
        self._give_up = give_up
        self._runs: dict[tuple[str, str], _Run] = {}
        self._changed = threading.Condition()
        self._thread: LoopThread | None = None
        self._ended: asyncio.Queue[_Ended] = asyncio.Queue()
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._settler = ThreadPoolExecutor(1, thread_name_prefix="slots-settle")
        self._looking: asyncio.Task[None] | None = None
        self._ticked = time.monotonic()
        #: A handler could not be ended: it runs on in this process, whatever we do.
        self.stuck = False

    # --- seen by the worker's thread ----------------------------------------------------------

    @property
    def free(self) -> int:
        """How many async jobs may be claimed now: as many as the kind with the largest concurrency has room for."""
        size = max((kind.concurrency for kind in each_kind() if kind.mode == "async"), default=1)
        return max(0, size - len(self._runs))

    @property
    def busy(self) -> bool:
        return bool(self._runs)

    def wait(self, seconds: float) -> None:
        """Return when a job has left its slot, or after `seconds`."""
        with self._changed:
            if self._runs:
                self._changed.wait(seconds)

    def start(self, entries: Sequence[Entry]) -> None:
        """Run these, whose rows are saved."""
        if not entries:
            return
        runs = [_Run(entry) for entry in entries]
        with self._changed:
            self._runs.update((run.entry.key, run) for run in runs)
        self._on_loop().call(self._begin, runs)

    def stop(self) -> None:
        """Let what runs go on until the end of the grace time, if there is one; then release it uncounted."""
        while self.busy and not self._alarm.halted:
            self.wait(0.1)
        if self._thread is None:
            return
        if self.busy:
            logger.warning("%d async handlers are cancelled; their jobs go back to their queue", len(self._runs))
            self._thread.call(self._cancel_all)
            until = time.monotonic() + STOP_SECONDS
            while self.busy and time.monotonic() < until:
                self.wait(0.1)
        settlement = self._settlement()
        for run in list(self._runs.values()):
            if not run.ended and not settlement.release(run.entry.claim, [run.entry.job.id]):
                break  # Redis is away; one try has cost its time
        closed = self._settler.submit(connections.close_all)
        with suppress(TimeoutError):
            closed.result(timeout=STOP_SECONDS)
        self._settler.shutdown(wait=False)
        if not self._thread.close(STOP_SECONDS):
            self.stuck = True

    def check(self) -> None:
        """Called now and then by another thread: a handler that blocks the loop is found by nobody else."""
        thread = self._thread
        if thread is None or not self._runs or time.monotonic() < self._ticked + LOOK + CANCEL_SECONDS:
            return
        task = asyncio.current_task(thread.loop)
        run = next((run for run in list(self._runs.values()) if run.task is task and task is not None), None)
        if run is not None and run.is_overdue():
            run.ended = True
            settlement = self._settlement()
            settlement.failed(run.entry.claim, failure(run.entry.job.id, _overrun()))
            settlement.tell()
            self._is_stuck(run, "holds the event loop")

    # --- on the loop --------------------------------------------------------------------------

    def _on_loop(self) -> LoopThread:
        if self._thread is None:
            self._thread = LoopThread()
            self._thread.call(self._thread.spawn, self._settle_what_ends())
        return self._thread

    def _begin(self, runs: Sequence[_Run]) -> None:
        if self._looking is None or self._looking.done():
            self._ticked = time.monotonic()
            self._looking = self._on_loop().spawn(self._look_after())
        for run in runs:
            run.task = self._on_loop().spawn(self._run(run))

    async def _run(self, run: _Run) -> None:
        entry = run.entry
        ended = partial(_Ended, run)
        try:
            async with self._turns.setdefault(entry.kind.label, asyncio.Semaphore(entry.kind.concurrency)):
                run.started = time.monotonic()
                result = await run_in_time(entry.kind, entry.payload, self._context(entry))
        except DatabaseAway as error:
            logger.error("job %s is released: the database is away (%s)", entry.job.id, error)
            end = ended("released")
        except BaseException as error:  # also SystemExit: a handler's is a failure of its event, not our end
            if isinstance(error, asyncio.CancelledError) and run.cancelled == "canceled":
                end = ended("failed", failure=failure(entry.job.id, Stopped("it was canceled while it ran")))
            elif isinstance(error, asyncio.CancelledError) and run.cancelled:
                end = ended("lost" if run.cancelled == "lost" else "released")
            else:
                end = ended("failed", failure=failure(entry.job.id, error))
        else:
            end = ended("done", result)
        self._end(end)

    def _context(self, entry: Entry) -> Context:
        return self._reports.context(entry, lambda: self._leases.stopping(entry.claim, entry.job.id))

    def _end(self, end: _Ended) -> None:
        if end.run.ended:
            return  # long after its timeout; that was told
        end.run.ended = True
        self._ended.put_nowait(end)

    async def _look_after(self) -> None:
        """While anything runs: the loop is alive, leases are ours, and what was cancelled has ended."""
        while self._runs:
            await asyncio.sleep(LOOK)
            self._ticked = time.monotonic()
            for run in list(self._runs.values()):
                if not run.ended and not self._leases.still(run.entry.claim, run.entry.job.id):
                    # Somebody else runs it by now; ours must not go on beside.
                    self._cancel(run, "lost")
                elif not run.ended and self._leases.must_stop(run.entry.claim, run.entry.job.id):
                    self._cancel(run, "canceled")
                if run.is_overdue():
                    self._end(_Ended(run, "failed", failure=failure(run.entry.job.id, _overrun())))
                    self._is_stuck(run, "does not end when it is cancelled")

    def _cancel(self, run: _Run, why: Literal["lost", "stop", "canceled"]) -> None:
        if run.task is not None and not run.cancelled:
            run.cancelled, run.cancelled_at = why, time.monotonic()
            run.task.cancel()

    def _cancel_all(self) -> None:
        for run in list(self._runs.values()):
            self._cancel(run, "stop")

    def _is_stuck(self, run: _Run, what: str) -> None:
        self.stuck = True
        self._give_up(f"the handler of kind {run.entry.kind.label} {what}; job {run.entry.job.id}")

    async def _settle_what_ends(self) -> None:
        """Tell what ended, all that ended meanwhile at once: a call to Redis is an fsync."""
        loop = asyncio.get_running_loop()
        while True:
            ended = [await self._ended.get()]
            while not self._ended.empty():
                ended.append(self._ended.get_nowait())
            await loop.run_in_executor(self._settler, self._settle, ended)

    # --- in the settler's thread --------------------------------------------------------------

    def _settle(self, ended: Sequence[_Ended]) -> None:
        try:
            settlement = self._settlement()
            self._reports.flush(end.run.entry for end in ended)
            for end in ended:
                entry = end.run.entry
                if end.verdict == "done":
                    settlement.effect(entry, end.result)
                elif end.failure is not None:
                    settlement.failed(entry.claim, end.failure)
                elif end.verdict == "released":
                    settlement.release(entry.claim, [entry.job.id])
            settlement.tell()
        except Exception:
            logger.exception("async jobs could not be settled; their leases lapse")
            for end in ended:
                self._leases.drop(end.run.entry.claim, [end.run.entry.job.id])
        finally:
            with self._changed:
                for end in ended:
                    self._runs.pop(end.run.entry.key, None)
                self._changed.notify_all()


def _overrun() -> Overrun:
    return Overrun("the handler ran longer than its timeout and could not be ended")
