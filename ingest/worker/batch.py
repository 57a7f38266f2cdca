"""Running what was claimed, each job as its kind's handler wants to be run."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from ingest import database, effects, jobs
from ingest.kinds import Kind
from ingest.queue.payload import Unreadable
from ingest.queue.transitions import Claim, ClaimedJob
from ingest.worker.alarm import Alarm, Halt, Overrun
from ingest.worker.entries import Entry, read
from ingest.worker.failures import failure
from ingest.worker.leases import Leases
from ingest.worker.pace import BATCH_SECONDS, Pace
from ingest.worker.reports import Reports
from ingest.worker.settle import Settlement
from ingest.worker.slots import Slots

#: Seconds in which the rows of async and isolated jobs must be saved.
BEGIN_SECONDS: Final = 60.0


class Batch:
    """One or several claims, run together for about a second.

    Events for batch handlers: by kind in one transaction each, halving to find the event that fails. Events for
    effect handlers: an async one is handed to the slots and goes on there, others run here one by one. Jobs
    flagged to be alone run after the others, when nothing else runs in this process and what the others did
    has been told: if they end the process, nobody else is harmed.
    """

    def __init__(
        self,
        claims: Sequence[Claim],
        *,
        leases: Leases,
        alarm: Alarm,
        pace: Pace,
        reports: Reports,
        settlement: Settlement,
        slots: Slots,
        run_foreign: Callable[[Claim, ClaimedJob], None],
        run_in_process: Callable[[Entry], None],
    ) -> None:
        self._claims = claims
        self._leases = leases
        self._alarm = alarm
        self._pace = pace
        self._reports = reports
        self._settlement = settlement
        self._slots = slots
        self._run_foreign = run_foreign
        self._run_in_process = run_in_process
        self._handed_over: set[tuple[str, str]] = set()
        self._ends_at = time.monotonic() + BATCH_SECONDS

    @property
    def jobs_run(self) -> int:
        """How many came to an end, or are in the slots now."""
        return self._settlement.settled + len(self._handed_over)

    def run(self) -> None:
        """Run everything; what was not finished is released. Raises DatabaseAway and Halt after that."""
        together: dict[str, list[Entry]] = {}
        effect: list[Entry] = []
        alone: list[Entry] = []
        foreign: list[tuple[Claim, ClaimedJob]] = []
        try:
            for claim in self._claims:
                for job in claim.jobs:
                    if not job.ours:
                        foreign.append((claim, job))
                    elif entry := self._read(claim, job):
                        if job.alone:
                            alone.append(entry)
                        elif entry.kind.batch:
                            together.setdefault(entry.kind.name, []).append(entry)
                        else:
                            effect.append(entry)
            self._hand_over([entry for entry in effect if entry.kind.mode == "async"])
            for entries in together.values():
                self._run_kind(entries[0].kind, entries)
            self._settlement.tell()
            for entry in effect:
                if entry.kind.mode != "async":
                    self._run_one(entry)
            for entry in alone:
                self._run_alone(entry)
            for claim, job in foreign:
                if self._alarm.halted:
                    raise Halt
                self._run_foreign(claim, job)
                self._settlement.tell()
        finally:
            try:
                self._settlement.tell()
            finally:
                self._release_rest()

    def _read(self, claim: Claim, job: ClaimedJob) -> Entry | None:
        try:
            return read(claim, job)
        except Unreadable as error:
            self._settlement.failed(claim, failure(job.id, error))
            return None

    # --- batch handlers -----------------------------------------------------------------------

    def _run_kind(self, kind: Kind, entries: Sequence[Entry]) -> None:
        """As many as the batch's time allows, in transactions of what fits into the rest of it."""
        rest = entries
        while rest:
            size = self._pace.slice(kind.name, self._ends_at - time.monotonic())
            if size < 1:
                if self._settlement.settled:
                    return  # the rest is released; it is claimed again after whatever is more urgent
                size = 1
            part, rest = rest[:size], rest[size:]
            self._run_group(kind, part)

    def _run_group(self, kind: Kind, entries: Sequence[Entry]) -> None:
        """Run all in one transaction; if that fails, each half again, until the bad event stands alone."""
        entries = [entry for entry in entries if self._leases.still(entry.claim, entry.job.id)]
        # A halving may outlast the batch's time, but only until one event of the batch has been settled: what
        # is released then is claimed again, and so every batch brings the queue forward.
        if not entries or (self._settlement.settled and time.monotonic() > self._ends_at):
            return
        started = time.monotonic()
        try:
            with self._alarm.watch(kind.timeout):
                results = jobs.process(kind, [(entry.payload, entry.job.attempts) for entry in entries])
        except (database.DatabaseAway, Halt):
            raise
        except BaseException as error:  # also SystemExit: a handler's is a failure of its event, not our end
            if len(entries) == 1:
                self._settlement.failed(entries[0].claim, failure(entries[0].job.id, error))
                return
        else:
            self._pace.ran(kind.name, len(entries), time.monotonic() - started)
            for entry in entries:
                self._settlement.done(entry.claim, entry.job.id, results.get(entry.payload.id))
            return
        # Not in the except clause: Python would chain this error, of whichever event, to those of the halves.
        middle = len(entries) // 2
        self._run_group(kind, entries[:middle])
        self._run_group(kind, entries[middle:])

    # --- effect handlers ----------------------------------------------------------------------

    def _run_one(self, entry: Entry) -> None:
        """A sync effect handler, here or in a process of its own."""
        if self._settlement.settled and time.monotonic() > self._ends_at:
            return
        if not self._leases.still(entry.claim, entry.job.id):
            return
        if entry.kind.mode == "process":
            if self._opened([entry]):
                self._run_in_process(entry)
        else:
            self._run_here(entry)
        self._settlement.tell()

    def _run_here(self, entry: Entry) -> None:
        try:
            with self._alarm.watch(entry.kind.timeout, lambda: self._leases.must_stop(entry.claim, entry.job.id)):
                if effects.begin([entry.payload]):
                    self._settlement.done(entry.claim, entry.job.id)
                    return
                result = effects.run(
                    entry.kind,
                    entry.payload,
                    self._reports.context(entry, lambda: self._leases.stopping(entry.claim, entry.job.id)),
                )
        except (database.DatabaseAway, Halt):
            raise
        except BaseException as error:
            self._reports.flush([entry])
            self._settlement.failed(entry.claim, failure(entry.job.id, error))
        else:
            self._settlement.effect(entry, result)

    def _hand_over(self, entries: Sequence[Entry]) -> None:
        """Async effect handlers: from here on the slots see to them."""
        entries = self._opened([entry for entry in entries if self._leases.still(entry.claim, entry.job.id)])
        self._handed_over.update(entry.key for entry in entries)
        self._slots.start(entries)

    def _opened(self, entries: Sequence[Entry]) -> list[Entry]:
        """Save their rows in one transaction; return those that are not done yet."""
        if not entries:
            return []
        try:
            with self._alarm.watch(BEGIN_SECONDS):
                done = effects.begin([entry.payload for entry in entries])
        except Overrun as error:
            raise database.DatabaseAway(str(error)) from error
        for entry in entries:
            if entry.payload.id in done:
                self._settlement.done(entry.claim, entry.job.id)
        return [entry for entry in entries if entry.payload.id not in done]

    def _run_alone(self, entry: Entry) -> None:
        in_this_process = entry.kind.mode != "process"
        if in_this_process:
            self._wait_for_slots()
        if entry.kind.batch:
            self._run_group(entry.kind, [entry])
            self._settlement.tell()
        elif entry.kind.mode == "async":
            self._hand_over([entry])
            self._wait_for_slots()
        else:
            self._run_one(entry)

    def _wait_for_slots(self) -> None:
        """Return when no async handler runs."""
        while self._slots.busy:
            if self._alarm.halted:
                raise Halt
            self._slots.wait(0.1)

    def _release_rest(self) -> None:
        for claim in reversed(self._claims):  # each goes in front of the one before
            rest = [
                job.id
                for job in claim.jobs
                if (job.id, claim.id) not in self._handed_over and self._leases.still(claim, job.id)
            ]
            if rest:
                self._settlement.release(claim, rest)
