"""Every write of an operator. Each takes its actor, is audited, and says what it really did."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis
from django.conf import settings

from ingest.accept import Unavailable, accept
from ingest.api.keys import Sender
from ingest.api.schema import Rejected, read_event
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from queueadmin.console.audit import audited

#: Jobs a script call, so that no call holds Redis for more than some milliseconds.
CHUNK: Final = 100
#: Ids written out in an audit entry; more are counted.
_NAMED: Final = 10
#: A job that killed its worker three times. Bulk retries leave these out unless asked.
POISON: Final = "poison"


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """Jobs whose lease had lapsed: `requeued` by queue, at the front; `dead` crashed too often."""

    requeued: Mapping[str, int] = field(default_factory=dict)
    dead: int = 0

    @property
    def total(self) -> int:
        return sum(self.requeued.values()) + self.dead

    @property
    def sentence(self) -> str:
        if not self.total:
            return "No job was stalled; nothing was changed."
        parts = [f"{_jobs(count)} taken back to the front of {name}" for name, count in self.requeued.items()]
        if self.dead:
            parts.append(f"{_jobs(self.dead)} crashed too often and became dead letters")
        return _joined(parts)


@dataclass(frozen=True, slots=True)
class RetryResult:
    """`moved` really went back to their queues; `already` were no dead letters any more, with their state."""

    moved: tuple[str, ...] = ()
    already: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        parts = []
        if self.moved:
            parts.append(f"{_jobs(len(self.moved))} put back into the queue")
        if self.already:
            count = len(self.already)
            states = sorted(set(self.already.values()))
            parts.append(f"{_jobs(count)} had moved already ({', '.join(states)})")
        return _joined(parts) if parts else "No job was named; nothing was changed."


@dataclass(frozen=True, slots=True)
class RetryAllResult:
    """How many dead letters went back to their queues, and how many poison jobs were left."""

    moved: int
    poison: int

    @property
    def sentence(self) -> str:
        parts = [f"{_jobs(self.moved)} put back into the queue"] if self.moved else []
        if self.poison:
            parts.append(f"{_jobs(self.poison)} left, because each crashed its worker three times")
        return _joined(parts) if parts else "There was no dead letter to retry."


@dataclass(frozen=True, slots=True)
class SentEvent:
    """The test event's id, and the queue it waits in."""

    id: str
    queue: str

    @property
    def sentence(self) -> str:
        return f"Test event {self.id} accepted into {self.queue}."


def recover_stalled(*, actor: str, older_than: float | None = None, reason: str = "") -> RecoverResult:
    """Take back started jobs whose lease lapsed, or, with `older_than`, that started so many seconds ago.

    Raises redis.RedisError when Redis is away, AuditUnavailable when the database is.
    """
    target = "all" if older_than is None else f"all started over {older_than:g} s ago"
    with audited(actor=actor, action="recover_stalled", target=target, reason=reason) as outcome:
        transitions = Transitions(connection())
        requeued: dict[str, int] = {}
        dead = 0
        for name in settings.PRIORITIES:
            taken = CHUNK
            while taken >= CHUNK:
                recovered = transitions.recover(name, limit=CHUNK, older_than=older_than)
                taken = recovered.requeued + recovered.dead + recovered.phantom
                if recovered.requeued:
                    requeued[name] = requeued.get(name, 0) + recovered.requeued
                dead += recovered.dead
                result = RecoverResult(requeued, dead)
                outcome.count, outcome.sentence = result.total, result.sentence
    return result


def retry(ids: Sequence[str], *, actor: str, reason: str = "") -> RetryResult:
    """Put these dead letters back into their queues, with all their retries.

    Raises redis.RedisError when Redis is away, AuditUnavailable when the database is.
    """
    wanted = list(dict.fromkeys(ids))
    with audited(actor=actor, action="retry", target=_target(wanted), count=len(wanted), reason=reason) as outcome:
        client = connection()
        transitions = Transitions(client)
        moved: list[str] = []
        for name, members in _by_queue(client, wanted).items():
            for chunk in _chunks(members):
                moved += transitions.requeue(name, chunk)
                outcome.count = len(moved)
        gone = set(wanted).difference(moved)
        already = dict(_states(client, [job_id for job_id in wanted if job_id in gone]))
        result = RetryResult(tuple(moved), already)
        outcome.count, outcome.sentence = len(moved), result.sentence
    return result


def retry_all(
    *, actor: str, queue: str | None = None, include_poison: bool = False, reason: str = ""
) -> RetryAllResult:
    """Retry every dead letter that failed before this call, of one queue or of all.

    Those that fail again meanwhile stay dead. Raises ValueError for an unknown queue,
    redis.RedisError when Redis is away, AuditUnavailable when the database is.
    """
    if queue is not None and queue not in settings.PRIORITIES:
        raise ValueError(f"queue must be one of {', '.join(settings.PRIORITIES)}, not {queue!r}")
    names = [queue] if queue else list(settings.PRIORITIES)
    client = connection()
    asked = sum(client.zcard(keys.failed(name)) for name in names)
    with audited(actor=actor, action="retry_all", target=queue or "all", count=asked, reason=reason) as outcome:
        seconds, micros = client.time()
        pressed = seconds + micros / 1e6
        transitions = Transitions(client)
        moved = poison = 0
        for name in names:
            left: set[str] = set()
            for chunk in _failed_before(client, name, pressed, left):
                chosen = chunk if include_poison else list(_without_poison(client, chunk))
                left.update(set(chunk).difference(chosen))
                moved += len(transitions.requeue(name, chosen)) if chosen else 0
                poison += len(chunk) - len(chosen)
                outcome.count = moved
                outcome.sentence = RetryAllResult(moved, poison).sentence
        result = RetryAllResult(moved, poison)
        outcome.count, outcome.sentence = moved, result.sentence
    return result


def send_test_event(*, actor: str) -> SentEvent:
    """Send one harmless low alert through the one door, as a client would.

    Raises ingest.accept.Unavailable when nothing can be stored, AuditUnavailable when the database is away.
    """
    sent = {
        "source": "queueadmin",
        "title": "Test event from the console",
        "severity": "info",
        "labels": {"sent_by": actor},
    }
    with audited(actor=actor, action="send_test_event", target="low", count=1) as outcome:
        event = read_event(json.dumps(sent).encode(), Sender("console", frozenset({"ingest"}), None))
        if isinstance(event, Rejected):
            raise RuntimeError(f"our own test event was refused: {event}")
        receipt = accept([event])[0]
        if not receipt.stored:
            raise Unavailable("Redis went away while the test event was sent.", unknown=receipt.outcome == "unknown")
        sent_event = SentEvent(receipt.id, str(event.severity.mapped))
        outcome.count, outcome.sentence = 1, sent_event.sentence
    return sent_event


def _failed_before(client: redis.Redis, name: str, pressed: float, left: set[str]) -> Iterator[list[str]]:
    """Chunks of dead letters that failed before `pressed`, oldest first, each once.

    The caller moves what it is given or adds it to `left`; what stays is skipped by its rank.
    """
    highest = f"({pressed + keys.SCORE_OFFSET:.6f}"
    seen: set[str] = set()
    skip = 0
    while ids := [_text(m) for m in client.zrangebyscore(keys.failed(name), "-inf", highest, start=skip, num=CHUNK)]:
        fresh = [job_id for job_id in ids if job_id not in seen]
        seen.update(fresh)
        if fresh:
            yield fresh
        skip += len(ids) - len(fresh) + sum(job_id in left for job_id in fresh)


def _without_poison(client: redis.Redis, ids: Sequence[str]) -> Iterator[str]:
    pipe = client.pipeline(transaction=False)
    for job_id in ids:
        pipe.hget(keys.job(job_id), "reason")
    for job_id, reason in zip(ids, pipe.execute(), strict=True):
        if _text(reason) != POISON:
            yield job_id


def _by_queue(client: redis.Redis, ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids by the queue their job names; unknown ids are left out."""
    pipe = client.pipeline(transaction=False)
    for job_id in ids:
        pipe.hget(keys.job(job_id), "origin")
    found: dict[str, list[str]] = defaultdict(list)
    for job_id, origin in zip(ids, pipe.execute(), strict=True):
        if (name := _text(origin)) in settings.PRIORITIES:
            found[name].append(job_id)
    return found


def _states(client: redis.Redis, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    pipe = client.pipeline(transaction=False)
    for job_id in ids:
        pipe.hget(keys.job(job_id), "status")
    for job_id, status in zip(ids, pipe.execute(), strict=True):
        yield job_id, _text(status) or "gone"


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _target(ids: Sequence[str]) -> str:
    named = " ".join(ids[:_NAMED])
    return named if len(ids) <= _NAMED else f"{named} and {len(ids) - _NAMED} more"


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(parts) + "."


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
