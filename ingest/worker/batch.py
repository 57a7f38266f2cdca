"""Running what was claimed: by kind in one transaction each, halving to find the event that fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest import database, jobs
from ingest.kinds import KINDS, Kind
from ingest.queue.payload import Payload, Unreadable, decode
from ingest.queue.transitions import Claim, ClaimedJob
from ingest.worker.alarm import Alarm, Halt, Overrun
from ingest.worker.failures import failure
from ingest.worker.leases import Leases
from ingest.worker.settle import Settlement


@dataclass(frozen=True, slots=True)
class Entry:
    """One claimed job and what it carries."""

    claim: Claim
    job: ClaimedJob
    payload: Payload


class Batch:
    """One or several claims, run together.

    Jobs flagged to be alone run after the others, each in a transaction of its own, when what the
    others did has been told: if they end the process, nobody else is harmed.
    """

    def __init__(
        self,
        claims: Sequence[Claim],
        *,
        leases: Leases,
        alarm: Alarm,
        settlement: Settlement,
        run_foreign: Callable[[Claim, ClaimedJob], None],
    ) -> None:
        self._claims = claims
        self._leases = leases
        self._alarm = alarm
        self._settlement = settlement
        self._run_foreign = run_foreign

    def run(self) -> None:
        """Run everything; what was not finished is released. Raises DatabaseAway and Halt after that."""
        together: dict[str, list[Entry]] = {}
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
                        else:
                            together.setdefault(entry.payload.kind, []).append(entry)
            for kind, entries in together.items():
                self._run_group(KINDS[kind], entries)
            self._settlement.tell()
            for entry in alone:
                self._run_group(KINDS[entry.payload.kind], [entry])
                self._settlement.tell()
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
            payload = decode(job.data)
            if payload.kind not in KINDS:
                raise Unreadable(f"the kind {payload.kind!r} is not known")
        except Unreadable as error:
            self._settlement.failed(claim, failure(job.id, error))
            return None
        except Exception as error:  # what cannot be read must never end the worker
            self._settlement.failed(claim, failure(job.id, Unreadable(f"the job cannot be read: {error!r}")))
            return None
        return Entry(claim, job, payload)

    def _run_group(self, kind: Kind, entries: Sequence[Entry]) -> None:
        """Run all in one transaction; if that fails, each half again, until the bad event stands alone."""
        entries = [entry for entry in entries if self._leases.still(entry.claim, entry.job.id)]
        if not entries:
            return
        try:
            with self._alarm.watch(kind.timeout):
                jobs.process(kind, [(entry.payload, entry.job.attempts) for entry in entries])
        except (database.DatabaseAway, Halt):
            raise
        except (Exception, Overrun) as error:
            if len(entries) == 1:
                self._settlement.failed(entries[0].claim, failure(entries[0].job.id, error))
                return
        else:
            for entry in entries:
                self._settlement.done(entry.claim, entry.job.id)
            return
        # Not in the except clause: Python would chain this error, of whichever event, to those of the halves.
        middle = len(entries) // 2
        self._run_group(kind, entries[:middle])
        self._run_group(kind, entries[middle:])

    def _release_rest(self) -> None:
        for claim in reversed(self._claims):  # each goes in front of the one before
            if rest := [job.id for job in claim.jobs if self._leases.still(claim, job.id)]:
                self._settlement.release(claim, rest)
