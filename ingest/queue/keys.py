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
#: Of a task `task:<type>`.
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
#: The application's frames of its traceback, as `ingest.frames` writes them; absent: nobody looked.
FRAMES: Final = "frames"
#: The claim that lost the job, until the next claim: its late completion still counts.
LAPSED: Final = "lapsed"
#: A digest; jobs of one run one at a time, in their order.
ORDERING_KEY: Final = "ordering_key"
#: How the job must be claimed: single, async or process; absent: in a batch.
MODE: Final = "mode"
#: The type of a task that only workers of its own run: it waits in its lane, `parked_jobs(queue, lane(type))`.
LANE: Final = "lane"
#: "1" while it runs and was asked to end.
STOPPING: Final = "stopping"
#: Who is told what becomes of the job: a URL, or a dotted path.
CALLBACK: Final = "callback"
#: "0" where the kind keeps no dead letters: the job fails into the trash.
DEAD_LETTERS: Final = "dead_letters"
#: What the handler last said of its progress, as JSON.
PROGRESS: Final = "progress"
#: The operator who moved the job last, and when, as RQ writes dates.
MOVED_BY: Final = "moved_by"
MOVED_AT: Final = "moved_at"
#: The replay that requeued it last; absent: nobody did, or somebody else did since.
REPLAY: Final = "replay"
#: The replay that requeued it last and took that back before it ran; absent: none, or it was requeued since.
GIVEN_BACK: Final = "given_back"
#: "1" on a dead letter that somebody said will never succeed; what moves many at once leaves it.
PERMANENT: Final = "permanent"
#: Present while the job is in the trash; RQ has no such state, so its status is `canceled` then.
TRASHED_AT: Final = "trashed_at"
#: Where it was before: queued, scheduled or failed, and the score that it had there.
TRASHED_FROM: Final = "trashed_from"
TRASHED_SCORE: Final = "trashed_score"


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


def canceled(name: str) -> str:
    """Sorted set: job id → when it was canceled. RQ's own."""
    return f"{PREFIX}:canceled:{name}"


def results(job_id: str) -> str:
    """Stream, RQ's results of a job: each failed execution, and the result where one is kept; the last 20.

    A failed execution is an entry of RQ's type 2 (it became a dead letter) or 4 (it is retried), with
    `worker_name` and `exc_string`, and ours beside them: attempt, reason (also `crash`), error_type,
    error_message, started_at.
    """
    return f"{PREFIX}:results:{job_id}"


def trash(name: str) -> str:
    """Sorted set: job id → when it was discarded."""
    return f"{PREFIX}:qa:trash:{name}"


def set_apart(name: str, queue: str) -> str:
    """Sorted set: of the set of a replay what no time tells, as it stood when that was pressed.

    Gone when the set is written down (`queueadmin.console.replays.apart`).
    """
    return f"{PREFIX}:qa:apart:{name}:{queue}"


def undo(operation: str) -> str:
    """List: `<queue> <score in the trash> <job id>` of what an operation of the audit log put into the trash.

    Written by the scripts, gone after 25 hours, or when all of it came back (`queueadmin.console.operations.undo`).
    """
    return f"{PREFIX}:qa:undo:{operation}"


def tombstones(name: str) -> str:
    """Set: ids that still stand in the queue's list, or in a parked one, while the job is elsewhere.

    Taking an id out of a long list costs a walk through it, so it stays and the next claim drops it.
    """
    return f"{PREFIX}:qa:tomb:{name}"


def parked(name: str) -> str:
    """Hash: bucket of a rate limit, or BEHIND → how many jobs of this queue it holds back."""
    return f"{PREFIX}:qa:parked:{name}"


def parked_jobs(name: str, bucket: str) -> str:
    """List: the ids that a rate limit holds back, the next one at the head."""
    return f"{PREFIX}:qa:parked:{name}:{bucket}"


#: What `parked` counts jobs under that wait for another job of their ordering key.
BEHIND: Final = "order"
#: Hash: ordering key (a digest) → id of the job that has its turn: in a list, started or scheduled.
TURNS: Final = f"{PREFIX}:qa:turns"


def turns(ordering_key: str) -> str:
    """Sorted set: `<queue>:<job id>` of those that wait for the turn → their number in the order."""
    return f"{PREFIX}:qa:turns:{ordering_key}"


def behind(name: str) -> str:
    """Sorted set: job id → its number, of the queue's jobs that wait for another job of their ordering key."""
    return f"{PREFIX}:qa:behind:{name}"


def log(job_id: str) -> str:
    """List: the last 100 lines that the job's handler logged."""
    return f"{PREFIX}:qa:log:{job_id}"


def lane(task_type: str) -> str:
    """The parked list's name, in place of a bucket's, of tasks whose type has workers of its own."""
    return f"lane:{task_type}"


def lane_bell(task_type: str) -> str:
    """List: rung for the workers of that type."""
    return f"{BELL}:{task_type}"


WORKERS: Final = f"{PREFIX}:workers"
#: On a worker's hash, beside RQ's own: seconds in which it ran something, and the task types that it serves alone.
WORKED: Final = "worked"
TYPES: Final = "types"
BELL: Final = f"{PREFIX}:qa:bell"
#: Sorted set: queue, or ALL_QUEUES → Unix time at which its pause ends (inf: when somebody resumes it).
PAUSED: Final = f"{PREFIX}:qa:paused"
ALL_QUEUES: Final = "*"
#: Hash: `<kind|source|tenant>:<value or *>` → `<most>/<seconds>`; see `ingest.queue.limits`.
LIMITS: Final = f"{PREFIX}:qa:limits"
#: Hash: queue → Unix time of the last claim that got a job from it.
SERVED: Final = f"{PREFIX}:qa:served"
#: List of JSON: what became of jobs that have a callback, until maintenance has made it a job of its own.
OUTBOX: Final = f"{PREFIX}:qa:outbox"
#: Pub/sub channel of JSON: {event, queue, ids}, or {event: progress, queue, ids, value, line}.
EVENTS: Final = f"{PREFIX}:qa:events"
GENERATION: Final = f"{PREFIX}:qa:generation"
LEADER: Final = f"{PREFIX}:qa:leader"
#: List of JSON rows, one a second; see `queueadmin.console.figures.history`.
HISTORY: Final = f"{PREFIX}:qa:history"
#: Sorted set of JSON by Unix time: what people did, and deploys, as the charts show them.
MARKS: Final = f"{PREFIX}:qa:marks"
SNAPSHOT: Final = f"{PREFIX}:qa:snapshot"
PUBLISHER: Final = f"{PREFIX}:qa:publisher"
#: List of JSON: entries of the audit log that wait for the database (`queueadmin.console.audit`).
AUDIT_WAITING: Final = f"{PREFIX}:qa:audit:waiting"
#: String of JSON: what the newest check of the audit log's chain found.
AUDIT_CHECKED: Final = f"{PREFIX}:qa:audit:checked"
#: String of JSON: how far the index of dead letters is (`queueadmin.console.failures`).
FAILURES: Final = f"{PREFIX}:qa:failures"
#: Set of ids of dead letters whose rows do not say yet what was changed of them.
FAILURES_CHANGED: Final = f"{PREFIX}:qa:failures:changed"


def history(step: int) -> str:
    """List of JSON rows, one each `step` seconds."""
    return HISTORY if step == 1 else f"{HISTORY}:{step}"


#: Hash: worker → JSON, jobs that it ended; string of JSON: those lost. See `queueadmin.console.figures.worker_history`.
WORKERS_ENDED: Final = f"{PREFIX}:qa:workers:ended"
WORKERS_LOST: Final = f"{PREFIX}:qa:workers:lost"
#: String of JSON: the histograms as they stood at the last row of `latencies`.
LATENCIES_SEEN: Final = f"{PREFIX}:qa:latencies:seen"


def latencies(step: int) -> str:
    """List of JSON rows, one for each `step` seconds of ends; see `queueadmin.console.figures.latencies`."""
    return f"{PREFIX}:qa:latencies:{step}"


#: Set: the key of every queue that ever held a job; `rq info` lists these.
QUEUES: Final = f"{PREFIX}:queues"


def worker(name: str) -> str:
    """Hash: RQ's worker, with our fields beside."""
    return f"{PREFIX}:worker:{name}"


def order(worker_name: str) -> str:
    """String: `drain` or `restart`, as an operator told the worker (`ingest.worker.orders`)."""
    return f"{PREFIX}:qa:order:{worker_name}"


def counters(name: str) -> str:
    """Hash: the exact counters of one queue, written inside the scripts only.

    enqueued, duplicate, id_reused, full (at enqueue), claimed, completed, late (of these: after the job was
    recovered), retried, dead, poison (of these: by crashes), dropped (failed into the trash), released,
    recovered, promoted, requeued, returned (of these: taken back before they ran), trashed, trashed_failed (of
    these: dead letters), restored, restored_failed, purged, canceled, stopped (of these: while they ran),
    moved_in, moved_out, healed, and phantom: ids whose job was not where the list or set said. Jobs of stock
    clients count under the same names with `foreign_` in front. After every script holds:

        enqueued + moved_in =
            waiting + scheduled + started + failed + trash + completed + purged + canceled + moved_out
        trash    = trashed + dropped - restored - purged
        failed   = dead - requeued + returned - trashed_failed + restored_failed
        started  = claimed - (completed - late) - retried - dead - dropped - released - recovered
                   - stopped

    where waiting = the list's length - tombstones + what is parked, as long as stock workers and clients
    leave our jobs alone; a job that they take away while it runs is one phantom.
    """
    return f"{PREFIX}:qa:count:{name}"


def kind_counters(kind: str) -> str:
    """Hash: the same counters of one kind, over all queues; not of stock jobs.

    Also of one task type (`task:<type>`), or of the points of one stream (`point:<stream>`).
    """
    return f"{PREFIX}:qa:kind:{kind}"


def latest(user: str) -> str:
    """String: the id of a user's latest job; `user` is a digest of who it is."""
    return f"{PREFIX}:qa:latest:{user}"


def rate(key_id: int) -> str:
    """String: when the token bucket of an API key is full again, Unix time in microseconds (`ingest.api.buckets`)."""
    return f"{PREFIX}:qa:rate:{key_id}"


#: Hash: what came in at the door (`ingest.api.tally`). Fields: accepted, duplicates, rejected:<code>,
#: shed:<reason>, limited:<reason>; events each. Sorted set: source → Unix time when it was last heard of.
TALLY: Final = f"{PREFIX}:qa:tally"
TALLY_SOURCES: Final = f"{PREFIX}:qa:tally:sources"


def tally_source(source: str) -> str:
    """Hash: the same fields, of one source."""
    return f"{PREFIX}:qa:tally:source:{source}"


def tally_key(key: str) -> str:
    """Hash: the same fields, of one API key by its number; `local`: of what came without one."""
    return f"{PREFIX}:qa:tally:key:{key}"


def tally_tenants(source: str) -> str:
    """Set: tenants that a source sent for, the first ones."""
    return f"{PREFIX}:qa:tally:tenants:{source}"


def tally_step(number: int) -> str:
    """Hash: what came in during one step of 15 s (`ingest.api.steps`), for 15 minutes.

    Fields: `<place>|<what>`; the place is nothing, `s` and a source, or `k` and a key's number; counted are accepted,
    duplicates, refused, and `took:<bucket>`, which are requests.
    """
    return f"{PREFIX}:qa:tally:step:{number}"


#: Sorted set: `["source","word"]` → Unix time when a severity was last sent that no table knows; the newest 500.
TALLY_WORDS: Final = f"{PREFIX}:qa:tally:words"
#: Hash: the same → events.
TALLY_WORD_COUNTS: Final = f"{PREFIX}:qa:tally:words:counts"


def tally_mark(process: str) -> str:
    """String: the number of the last counts that this process wrote, so that none are added twice."""
    return f"{PREFIX}:qa:tally:mark:{process}"


#: Upper bounds, in seconds, of the histograms' buckets; one more holds what is longer.
BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400,
)  # fmt: skip
#: Hashes: `<queue>|<kind>|<bucket from 0>` → jobs, `<queue>|<kind>|sum` → milliseconds. WAIT: from being
#: queued to the claim. RUN: from the claim to its end, well or not; jobs of one batch end together.
WAIT: Final = f"{PREFIX}:qa:wait"
RUN: Final = f"{PREFIX}:qa:run"


def request(request_id: str) -> str:
    """String: the kept reply of a writing script, so that a re-sent call changes nothing."""
    return f"{PREFIX}:qa:req:{request_id}"


def last_claim(worker_name: str) -> str:
    """String: what a worker claimed last, so that a re-sent claim gets the same jobs."""
    return f"{PREFIX}:qa:last:{worker_name}"


def marker(job_id: str) -> str:
    """String: hash of the body accepted under a client's id, for the dedupe window."""
    return f"{PREFIX}:qa:seen:{job_id}"


def idempotency(request: str) -> str:
    """String: the answer under an Idempotency-Key, or the mark that it runs (`ingest.api.idempotency`)."""
    return f"{PREFIX}:qa:idem:{request}"


def batch(batch_id: str) -> str:
    """String: what became of the items of a batch (`ingest.api.batches`)."""
    return f"{PREFIX}:qa:batch:{batch_id}"


#: List of the batches that are kept, oldest first, and the bytes that they take.
BATCHES: Final = f"{PREFIX}:qa:batches"
BATCH_BYTES: Final = f"{PREFIX}:qa:batches:bytes"
