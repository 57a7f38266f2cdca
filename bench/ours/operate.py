"""Every script a few times, on whatever is queued in medium; prints each script's hash and name."""

import json
import sys
import time
from datetime import UTC, datetime
from itertools import count
from typing import Any

from bench import corpus
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import CHUNK, Claim, Failure, NewJob, Transitions, new_id

QUEUE, OTHER = "medium", "low"
LEASE = 60.0
TRACEBACK = "Traceback (most recent call last):\n" + '  File "handler.py", line 42, in handle\n    call(event)\n' * 40
_BODIES = corpus.lines(CHUNK)


class Operate:
    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._redis = connection()
        self._transitions = Transitions(self._redis)
        self._names = count()

    def all(self) -> dict[str, str]:
        run = self._transitions
        for _ in range(self._rounds):
            claim = self._claim()
            run.complete(claim.queue, claim.id, "bench", _ids(claim))

            claim = self._claim()
            run.fail(claim.queue, claim.id, "bench", [_failure(job_id, retry=False) for job_id in _ids(claim)])
            run.mark(QUEUE, _ids(claim), permanent=True)
            run.requeue(QUEUE, _ids(claim), by="bench", replay="1")
            run.give_back(QUEUE, _ids(claim), home=QUEUE, by="bench", replay="1")
            run.requeue(QUEUE, _ids(claim), by="bench")

            claim = self._claim()
            run.fail(claim.queue, claim.id, "bench", [_failure(job_id, retry=True) for job_id in _ids(claim)])
            run.run_now(QUEUE, _ids(claim), by="bench")

            claim = self._claim()
            run.renew(LEASE, [(claim.queue, job_id, claim.id) for job_id in _ids(claim)])
            run.progress(claim.queue, claim.id, _ids(claim)[0], value=50, line="half of it is done")
            run.release(claim.queue, claim.id, _ids(claim))

            self._claim(lease=0.001)
            time.sleep(0.01)
            run.recover(QUEUE)
            while (claim := self._claim()) and claim.jobs[0].alone:
                run.complete(claim.queue, claim.id, "bench", _ids(claim))
            run.release(claim.queue, claim.id, _ids(claim))

            run.restore(QUEUE, run.discard(QUEUE, self._deep(), by="bench"), by="bench")
            run.purge(QUEUE, run.discard(QUEUE, self._deep(), by="bench"))
            run.cancel(QUEUE, self._deep(), by="bench")
            run.move(QUEUE, self._deep(), to=OTHER, by="bench")
            run.empty(QUEUE, before=time.time(), by="bench")
            run.heal(QUEUE, self._deep()[:20])
            run.where(QUEUE, self._deep()[:20])
            run.sweep(QUEUE)

            run.enqueue([_job(delay=0.001) for _ in range(CHUNK)])
            time.sleep(0.01)
            run.promote(QUEUE)
        return {script.sha: name for name, script in run._scripts.items()}

    def _claim(self, lease: float = LEASE) -> Claim:
        claim = self._transitions.claim(f"bench-{next(self._names)}", [QUEUE], claim_id=new_id(), lease=lease)
        assert claim is not None, "the queue is empty"
        return claim

    def _deep(self) -> list[str]:
        """Jobs from the middle of the list, where a search is longest."""
        key = keys.queue(QUEUE)
        middle = self._redis.llen(key) // 2
        found: list[Any] = self._redis.lrange(key, middle, middle + CHUNK - 1)
        return [each.decode() for each in found]


def _ids(claim: Claim) -> list[str]:
    return [job.id for job in claim.jobs]


def _failure(job_id: str, *, retry: bool) -> Failure:
    return Failure(job_id, TRACEBACK, retry=retry, error_type="TimeoutError", message="the service did not answer")


def _job(delay: float) -> NewJob:
    job_id = new_id()
    payload = Payload(job_id, "alert", datetime.now(UTC), QUEUE, "bench", "", None, _BODIES[0])
    return NewJob(id=job_id, queue=QUEUE, data=encode(payload), kind="alert", source="bench", delay=delay)


if __name__ == "__main__":
    print(json.dumps(Operate(int(sys.argv[1])).all()))
