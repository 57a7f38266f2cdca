"""The name of every Redis key, and the room that owns it.

RQ's own keys keep RQ's formats, so that `rq info`, django-rq and a stock worker work on the same
Redis. Ours stand beside them under `<prefix>:qa:`. The scripts in `lua/` change job state; nobody
else writes these keys.
"""

from typing import Final

from rq.defaults import RQ_KEY_PREFIX

PREFIX: Final = RQ_KEY_PREFIX

#: Added to the scores of `wip` and `failed`, so that stock RQ's clean-up, which any `.count`
#: triggers and which removes scores below now, never takes a live lease or a dead letter.
SCORE_OFFSET: Final = 10_000_000_000


#: What a job's hash holds beside RQ's own fields. A job without KIND came from a stock client.
KIND: Final = "kind"
SOURCE: Final = "source"
TENANT: Final = "tenant"
EVENT_ID: Final = "event_id"
#: When the event was accepted, as RQ writes dates; stock tools read it as the job's creation.
RECEIVED_AT: Final = "created_at"
#: Hash of the body, where the client gave an id.
BODY_HASH: Final = "body_hash"
#: Executions that ended in a failure or a crash, of the job's whole life; absent: none.
ATTEMPTS: Final = "attempts"
#: Crashes since the last requeue, and "1" when the job must be claimed alone; absent: none.
CRASHES: Final = "crashes"
ALONE: Final = "alone"
#: The last failure. REASON: error, timeout, poison, permanent, unreadable, not_allowed.
REASON: Final = "reason"
ERROR_TYPE: Final = "error_type"
ERROR_MESSAGE: Final = "error_message"
#: The claim that lost the job, until the next claim: its late completion still counts.
LAPSED: Final = "lapsed"


def job(job_id: str) -> str:
    """Hash: the job. RQ's fields, and ours beside them."""
    return f"{PREFIX}:job:{job_id}"


def queue(name: str) -> str:
    """List of job ids, the next one at the head."""
    return f"{PREFIX}:queue:{name}"


def started(name: str) -> str:
    """Sorted set: `<job id>:<claim id>` → lease end + SCORE_OFFSET."""
    return f"{PREFIX}:wip:{name}"


def scheduled(name: str) -> str:
    """Sorted set: job id → due time."""
    return f"{PREFIX}:scheduled:{name}"


def failed(name: str) -> str:
    """Sorted set, the dead letters: job id → failed at + SCORE_OFFSET (stock jobs: -1)."""
    return f"{PREFIX}:failed:{name}"


def finished(name: str) -> str:
    """Sorted set: job id → when its stored result expires."""
    return f"{PREFIX}:finished:{name}"


def results(job_id: str) -> str:
    """Stream: RQ's results of a job."""
    return f"{PREFIX}:results:{job_id}"


WORKERS: Final = f"{PREFIX}:workers"
BELL: Final = f"{PREFIX}:qa:bell"
PAUSED: Final = f"{PREFIX}:qa:paused"
GENERATION: Final = f"{PREFIX}:qa:generation"
LEADER: Final = f"{PREFIX}:qa:leader"
HISTORY: Final = f"{PREFIX}:qa:history"
SNAPSHOT: Final = f"{PREFIX}:qa:snapshot"
PUBLISHER: Final = f"{PREFIX}:qa:publisher"


#: Set: the key of every queue that ever held a job; `rq info` lists these.
QUEUES: Final = f"{PREFIX}:queues"


def worker(name: str) -> str:
    """Hash: RQ's worker, with our fields beside."""
    return f"{PREFIX}:worker:{name}"


def counters(name: str) -> str:
    """Hash: the exact counters of one queue, written inside the scripts only.

    enqueued, duplicate, id_reused (at enqueue), claimed, completed, late (of these: after the job was
    recovered), retried, dead, poison (of these: by crashes), released, recovered, promoted, requeued, and
    phantom: ids whose job was not where the list or set said. Jobs of stock clients count under the same
    names with `foreign_` in front. After every script holds:

        enqueued = queued + scheduled + started + failed + completed
        failed   = dead - requeued
        started  = claimed - (completed - late) - retried - dead - released - recovered

    as long as stock workers and clients leave our jobs alone; a job that they take away while it runs is
    one phantom.
    """
    return f"{PREFIX}:qa:count:{name}"


def request(request_id: str) -> str:
    """String: the kept reply of a writing script, so that a re-sent call changes nothing."""
    return f"{PREFIX}:qa:req:{request_id}"


def last_claim(worker_name: str) -> str:
    """String: what a worker claimed last, so that a re-sent claim gets the same jobs."""
    return f"{PREFIX}:qa:last:{worker_name}"


def marker(job_id: str) -> str:
    """String: hash of the body accepted under a client's id, for the dedupe window."""
    return f"{PREFIX}:qa:seen:{job_id}"
