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


def worker(name: str) -> str:
    """Hash: RQ's worker, with our fields beside."""
    return f"{PREFIX}:worker:{name}"


def counters(name: str) -> str:
    """Hash: the exact counters of one queue, written inside the scripts only."""
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
