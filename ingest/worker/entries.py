"""One claimed job and what it carries."""

from dataclasses import dataclass

from ingest.kinds import Kind, kind_of
from ingest.queue.payload import Payload, Unreadable, decode
from ingest.queue.transitions import Claim, ClaimedJob


@dataclass(frozen=True, slots=True)
class Entry:
    claim: Claim
    job: ClaimedJob
    payload: Payload
    #: Its mode counts, and not the job's: the kind may have changed since the job was enqueued.
    kind: Kind

    @property
    def key(self) -> tuple[str, str]:
        """Of this job in this claim."""
        return self.job.id, self.claim.id


def read(claim: Claim, job: ClaimedJob) -> Entry:
    """Raises Unreadable, whatever the job's data is: it must never end the worker."""
    try:
        payload = decode(job.data, job.id)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"the job cannot be read: {error!r}") from error
    return Entry(claim, job, payload, kind_of(payload))
