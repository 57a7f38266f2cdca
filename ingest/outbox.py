"""From the outbox to jobs: the scripts leave a line there for each change of a job that has a callback.

A line is in Redis in the same step as the change, so none is forgotten. Here it becomes a job whose id comes from the
line, and only then is it taken out: after a crash in between, or with two leaders at once, the second job is refused as
a duplicate.
"""

import hashlib
import logging
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import redis

from ingest.callbacks import CallbackRefused, notice, targets
from ingest.callbacks.notice import Line
from ingest.kinds import CALLBACK
from ingest.kinds.callbacks import Task
from ingest.queue import keys
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import NewJob, Transitions

logger = logging.getLogger(__name__)

#: Lines in one step, and steps in one call: a round of maintenance has other things to do.
STEP: Final = 100
STEPS: Final = 50
#: Seconds for which the second job of one line is recognised, also when the first has ended. A line stays in the outbox
#: after its job was enqueued only by a crash between the two, and until the next round.
REMEMBERED: Final = 3600
#: After everything else: telling others must not keep critical events waiting, and a receiver that hangs costs 10 s.
QUEUE: Final = CALLBACK.default_priority.value


def dispatch(connection: redis.Redis, transitions: Transitions) -> int:
    """Make jobs of what the outbox holds, the oldest first, up to 5,000 lines. Return how many lines were taken out.

    Raises redis.RedisError; what was not taken out is there next time.
    """
    taken = 0
    for _ in range(STEPS):
        lines: list[Any] = connection.lrange(keys.OUTBOX, 0, STEP - 1)
        jobs = [job for line in lines if (job := job_of(line)) is not None]
        if jobs:
            transitions.enqueue(jobs)
        # By what they say and not by their number: another leader may have taken the same ones out by now.
        pipe = connection.pipeline(transaction=False)
        for line in lines:
            pipe.lrem(keys.OUTBOX, 1, line)
        taken += sum(pipe.execute())
        if len(lines) < STEP:
            break
    return taken


def job_of(raw: bytes) -> NewJob | None:
    """The job that tells of a line. None: it is none of ours, and is dropped so that those behind it are told."""
    try:
        line = notice.read(raw)
    except notice.Unreadable as error:
        logger.error("a line of the outbox cannot be read and was dropped: %s", error)
        return None
    told = msgspec.json.encode(notice.notice(line))
    task = Task(f"{line.event}: {line.kind} {line.id}, told to {_receiver(line)}", line.callback, msgspec.Raw(told))
    job_id = callback_id(line)
    now = datetime.now(UTC)
    payload = Payload(job_id, CALLBACK.name, now, QUEUE, "", line.tenant, None, msgspec.json.encode(task))
    return NewJob(
        id=job_id,
        queue=QUEUE,
        data=encode(payload),
        kind=CALLBACK.name,
        # No source: a rate limit on the sender's events is not one on what the sender is told.
        tenant=line.tenant,
        received_at=now,
        timeout=CALLBACK.timeout,
        retry_delays=CALLBACK.retry_delays,
        result_ttl=CALLBACK.result_ttl,
        mode=CALLBACK.mode,
        dead_letters=CALLBACK.dead_letters,
        body_hash=hashlib.sha256(raw).hexdigest(),
        marker_seconds=REMEMBERED,
    )


def callback_id(line: Line) -> str:
    """The same for every copy of a line, another one for every change: a job may be in the trash twice."""
    parts = (CALLBACK.name, line.id, line.event, str(line.attempts), line.at)
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def _receiver(line: Line) -> str:
    """For people: paths and queries hold secrets."""
    if targets.is_function(line.callback):
        return line.callback
    try:
        return targets.read_url(line.callback).shown
    except CallbackRefused:
        return "an address that is not allowed"
