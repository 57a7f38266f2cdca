"""Every change of state as a call of one script: what goes in, and what the reply means. No connection here.

`transitions` sends these calls. Each script in `lua/` moves jobs from exactly one place to exactly one
other, counts what it did, and changes nothing when a job is not where it expects it.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal

from ingest import frames
from ingest.queue import keys
from ingest.queue.batching import CHUNK, OPERATORS_CHUNK
from ingest.queue.retry import jitter
from ingest.queue.shapes import (
    Claim,
    ClaimedJob,
    EnqueueResult,
    FailOutcome,
    Failure,
    Mode,
    NewJob,
    Outcome,
    Recovered,
)

#: Error of a job whose workers died under it, and what is said of the third time.
_CRASHED: Final = "WorkerCrashed"
_CRASHED_OFTEN: Final = "its worker died three times"
_CRASHED_TEXT: Final = (
    "The worker died, or lost its lease, three times while it ran this job.\n"
    "It may be this job that kills it: look at it before it is retried. It is claimed alone then.\n"
)
#: Characters kept of an error's message in the job's hash, for lists; the traceback has all of it.
MESSAGE_LENGTH: Final = 500
#: Characters kept of a traceback: the end of it, where the error is.
TRACEBACK_LENGTH: Final = 64 * 1024
#: Below this a traceback is kept as plain text.
COMPRESS_FROM: Final = 400
#: Entries of a list that are searched for a job to take out: 20 µs. In a longer list it leaves a tombstone.
NEAR: Final = 1000
#: Entries of a list that are searched before a job counts as lost: 0.2 ms.
SEARCHED: Final = 10_000
#: Results kept of a queue, the newest; by age each job says it itself (`result_ttl`).
RESULTS_KEPT: Final = 1000
#: Seconds that discarded jobs can be restored, and that canceled ones can be looked up.
TRASH_SECONDS: Final = 24 * 3600
CANCELED_SECONDS: Final = 24 * 3600
#: Lines kept of a job's log, and characters of one.
LOG_LINES: Final = 100
LINE_LENGTH: Final = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a script: its name in `lua/`, and its arguments."""

    script: str
    args: list[Any]


def enqueue(jobs: Sequence[NewJob], request_id: str, *, strict: bool = False) -> Call:
    """At most CHUNK jobs; with `strict` all of them or none."""
    args: list[Any] = [request_id, "1" if strict else ""]
    for job in jobs:
        args += (
            job.queue,
            job.id,
            job.delay,
            job.data,
            _date(job.received_at),
            job.timeout,
            job.result_ttl,
            _delays(job.retry_delays),
            f"{job.kind}:{job.type}" if job.type else job.kind,
            job.source,
            job.tenant,
            job.event_id or "",
            job.body_hash or "",
            job.marker_seconds or "",
            job.mode,
            "" if job.dead_letters else "0",
            job.callback,
            job.queue_limit,
            job.user,
            job.ordering_key,
            job.type if job.own_workers else "",
            job.previous,
        )
    return Call("enqueue", args)


_REFUSALS: Final[dict[bytes, Outcome]] = {
    b"duplicate": "duplicate",
    b"earlier": "duplicate",
    b"id_reused": "id_reused",
    b"full": "full",
    b"withheld": "withheld",
}


def enqueued(jobs: Sequence[NewJob], reply: Sequence[bytes]) -> list[EnqueueResult]:
    """What became of each job, in order. The reply names only those that did not go as asked."""
    results = []
    for job in jobs:
        state: Literal["scheduled", "queued"] = "scheduled" if job.delay > 0 else "queued"
        results.append(EnqueueResult(job.id, state, state))
    for position, outcome, found in zip(reply[::3], reply[1::3], reply[2::3], strict=True):
        index = int(position)
        job = jobs[index]
        first_copy = job.previous if outcome == b"earlier" else job.id
        results[index] = EnqueueResult(first_copy, _REFUSALS[outcome], found.decode())
    return results


def claim(
    worker: str, queues: Sequence[str], claim_id: str, limit: int, async_limit: int, lease: float, types: Sequence[str]
) -> Call:
    limits = (max(1, min(limit, CHUNK)), max(0, min(async_limit, CHUNK)))
    return Call("claim", [claim_id, worker, *limits, lease, ",".join(types), *queues])


def claimed(claim_id: str, reply: Sequence[Any]) -> Claim | None:
    if not reply:
        return None
    rows = zip(*(reply[column::8] for column in range(1, 9)), strict=True)
    return Claim(
        claim_id,
        reply[0].decode(),
        tuple(
            ClaimedJob(
                job_id.decode(),
                data,
                ours == 1,
                attempts,
                crashes,
                alone == 1,
                retries_left,
                _MODES.get(mode, "single"),
            )
            for job_id, data, ours, attempts, crashes, alone, retries_left, mode in rows
        ),
    )


_MODES: Final[dict[bytes, Mode]] = {b"": "", b"single": "single", b"async": "async", b"process": "process"}


def renew(lease: float, held: Sequence[tuple[str, str, str]]) -> Call:
    args: list[Any] = ["", lease]
    for queue, job_id, claim_id in held:
        args += (queue, f"{job_id}:{claim_id}")
    return Call("renew", args)


def lost(held: Sequence[tuple[str, str, str]], reply: Sequence[bytes]) -> list[tuple[str, str, str]]:
    """Those of `held` that are not ours any more."""
    gone = {member.decode() for member in reply}
    return [each for each in held if f"{each[1]}:{each[2]}" in gone]


def complete(
    queue: str, claim_id: str, worker: str, ids: Sequence[str], results: Mapping[str, Any], request_id: str
) -> Call:
    args: list[Any] = [request_id, queue, claim_id, worker, RESULTS_KEPT]
    for job_id in ids:
        args += (job_id, result(results[job_id]) if job_id in results else "")
    return Call("complete", args)


def result(value: Any) -> str:
    """A handler's result as RQ's stream of results holds it. Raises TypeError or ValueError for what is no JSON."""
    return base64.b64encode(json.dumps(value, allow_nan=False).encode()).decode()


def fail(queue: str, claim_id: str, worker: str, failures: Sequence[Failure], request_id: str) -> Call:
    args: list[Any] = [request_id, queue, claim_id, worker]
    for failure in failures:
        text, stream = _traceback(failure.error)
        args += (
            failure.job_id,
            int(failure.retry),
            f"{jitter():.4f}",
            text,
            stream,
            failure.reason,
            failure.error_type,
            _clean(failure.message)[:MESSAGE_LENGTH],
            _clean(frames.ours(failure.error)),
        )
    return Call("fail", args)


def failed(failures: Sequence[Failure], reply: Sequence[bytes]) -> dict[str, FailOutcome]:
    outcomes: dict[bytes, FailOutcome] = {
        b"retry": "retry",
        b"dead": "dead",
        b"trash": "trash",
        b"canceled": "canceled",
    }
    return {failure.job_id: outcomes.get(outcome, "refused") for failure, outcome in zip(failures, reply, strict=True)}


def release(queue: str, claim_id: str, ids: Sequence[str], request_id: str) -> Call:
    return Call("release", [request_id, queue, claim_id, *ids])


def recover(queue: str, limit: int, older_than: float | None, offset: int, request_id: str) -> Call:
    """`offset`: the first of the live leases to look at, where `older_than` asks for them."""
    text, stream = _traceback(_CRASHED_TEXT)
    _, earlier = _traceback("The worker died, or lost its lease, while it ran this job.\n")
    age = "" if older_than is None else max(older_than, 0)
    return Call(
        "recover",
        [
            *(request_id, queue, limit, age, offset),
            *(text, stream, _CRASHED, _CRASHED_OFTEN),
            *(earlier, "its worker died"),
        ],
    )


def recovered(reply: Sequence[Any]) -> tuple[Recovered, int]:
    """With how many live leases were looked at."""
    requeued, dead, phantom, looked_at, *ids = reply
    buried = (Failure(each.decode(), _CRASHED_TEXT, "poison", False, _CRASHED, _CRASHED_OFTEN) for each in ids)
    return Recovered(requeued, dead, phantom, tuple(buried)), looked_at


def promote(queue: str, limit: int) -> Call:
    return Call("promote", ["", queue, limit])


def requeue(
    queue: str, ids: Sequence[str], to: str, by: str, replay: str, scores: Mapping[str, float], request_id: str
) -> Call:
    return Call("requeue", [request_id, queue, to, _clean(by), replay, *_expected(ids, scores)])


def give_back(
    queue: str, ids: Sequence[str], home: str, by: str, replay: str, scores: Mapping[str, float], request_id: str
) -> Call:
    return Call("give_back", [request_id, queue, home, _clean(by), replay, NEAR, *_expected(ids, scores)])


def run_now(queue: str, ids: Sequence[str], by: str, request_id: str) -> Call:
    return Call("run_now", [request_id, queue, _clean(by), *ids])


def discard(
    queue: str, ids: Sequence[str], by: str, operation: str, scores: Mapping[str, float], request_id: str
) -> Call:
    return Call("discard", [request_id, queue, _clean(by), operation, NEAR, *_expected(ids, scores)])


def restore(queue: str, ids: Sequence[str], by: str, scores: Mapping[str, float], request_id: str) -> Call:
    return Call("restore", [request_id, queue, _clean(by), *_expected(ids, scores)])


def mark(queue: str, ids: Sequence[str], permanent: bool, request_id: str) -> Call:
    return Call("mark", [request_id, queue, "1" if permanent else "", *ids])


def purge(queue: str, ids: Sequence[str], scores: Mapping[str, float], request_id: str) -> Call:
    return Call("purge", [request_id, queue, *_expected(ids, scores)])


def cancel(queue: str, ids: Sequence[str], by: str, request_id: str) -> Call:
    return Call("cancel", [request_id, queue, _clean(by), NEAR, *ids])


def stop(queue: str, ids: Sequence[str], by: str, request_id: str) -> Call:
    return Call("stop", [request_id, queue, _clean(by), *ids])


def move(queue: str, ids: Sequence[str], to: str, by: str, request_id: str) -> Call:
    return Call("move", [request_id, queue, to, _clean(by), NEAR, *ids])


def empty(queue: str, before: float, by: str, operation: str, most: int, request_id: str) -> Call:
    many = max(1, min(most, OPERATORS_CHUNK))
    return Call("empty", [request_id, queue, _clean(by), operation, f"{before:.6f}", many])


def update(job_id: str, data: bytes, body_hash: str, request_id: str) -> Call:
    return Call("update", [request_id, job_id, data, body_hash])


def forget(queue: str, ids: Sequence[str], before: float, request_id: str) -> Call:
    return Call("forget", [request_id, queue, f"{before:.6f}", *ids])


def sweep(queue: str, limit: int) -> Call:
    return Call("sweep", ["", queue, max(1, min(limit, CHUNK)), TRASH_SECONDS, CANCELED_SECONDS])


def pause(queue: str | None, until: float | None) -> Call:
    return Call("pause", ["", queue or keys.ALL_QUEUES, "inf" if until is None else f"{until:.3f}"])


def resume(queue: str | None) -> Call:
    return Call("resume", ["", queue or keys.ALL_QUEUES])


def progress(queue: str, claim_id: str, job_id: str, value: Any, line: str | None) -> Call:
    """Raises TypeError or ValueError for a value that is no JSON."""
    said = "" if value is None else json.dumps(value, allow_nan=False)
    text = "" if line is None else _clean(line)[:LINE_LENGTH]
    return Call("progress", ["", queue, claim_id, job_id, said, text, LOG_LINES])


def heal(queue: str, ids: Sequence[str], request_id: str) -> Call:
    return Call("heal", [request_id, queue, SEARCHED, *ids])


def end_turns(ordering_keys: Sequence[str]) -> Call:
    return Call("end_turns", ["", *ordering_keys])


def where(queue: str, ids: Sequence[str]) -> Call:
    return Call("where", ["", queue, *ids])


def _expected(ids: Iterable[str], scores: Mapping[str, float]) -> Iterator[str | float]:
    """Each id with its score, as it must be or is to be again; a float is sent with all its digits."""
    for job_id in ids:
        yield from (job_id, scores.get(job_id, ""))


def _date(moment: datetime | None) -> str:
    """RQ's one date format."""
    # strftime takes three times as long, and this is done for each job.
    in_utc = (moment or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    return f"{in_utc.isoformat(timespec='microseconds')}Z"


@cache
def _delays(delays: tuple[float, ...]) -> str:
    return json.dumps([int(delay) if delay == int(delay) else delay for delay in delays], separators=(",", ":"))


def _traceback(error: str) -> tuple[bytes, str]:
    """The text as RQ keeps it: plain or zlib in the hash, base64 of zlib in the stream of results."""
    plain = _clean(error)[-TRACEBACK_LENGTH:].encode()
    packed = zlib.compress(plain)
    return (packed if len(plain) >= COMPRESS_FROM else plain), base64.b64encode(packed).decode()


def _clean(text: str) -> str:
    """What an exception says may hold lone surrogates, which cannot be encoded."""
    return text.encode(errors="backslashreplace").decode()
