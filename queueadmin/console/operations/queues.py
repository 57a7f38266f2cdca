"""Pausing queues, and letting them go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from ingest.reading.fields import text
from queueadmin.console.audit import audited
from queueadmin.console.operations.naming import known
from queueadmin.console.words import listed

#: A week: whoever wants longer resumes it by hand.
MAX_MINUTES: Final = 7 * 24 * 60

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class PauseResult:
    #: None: all queues.
    queue: str | None
    minutes: float | None
    #: Unix time; None: until it is resumed.
    until: float | None

    @property
    def sentence(self) -> str:
        which = f"{self.queue} is" if self.queue else "All queues are"
        end = "until resumed" if self.minutes is None else f"for {self.minutes:g} min"
        return f"{which} paused {end}; what runs already goes on."


@dataclass(frozen=True, slots=True)
class ResumeResult:
    queue: str | None
    #: Whether there was such a pause.
    was_paused: bool
    #: Queues of those asked for that another pause still holds.
    still_paused: tuple[str, ...]
    #: Whether that is the pause of all queues.
    by_all: bool = False

    @property
    def sentence(self) -> str:
        if self.queue is None:
            if not self.was_paused:
                return "There was no pause of all queues; nothing was changed."
            if self.still_paused:
                verb = "is" if len(self.still_paused) == 1 else "are"
                return f"All queues go on; {listed(self.still_paused)} {verb} still paused."
            return "All queues go on."
        if self.still_paused:
            why = "because all queues are" if self.by_all else "by somebody who pressed at the same moment"
            return f"{self.queue} is still paused, {why}."
        return f"{self.queue} goes on." if self.was_paused else f"{self.queue} was not paused; nothing was changed."


def pause(queue: str | None, *, minutes: float | None = None, actor: str, reason: str = "") -> PauseResult:
    """Let no worker claim from the queue (None: from any), for so many minutes or until somebody resumes it.

    Raises ValueError for an unknown queue or minutes outside 0 to MAX_MINUTES, redis.RedisError when Redis is
    away, AuditUnavailable when it and the database are.
    """
    if minutes is not None and not 0 < minutes <= MAX_MINUTES:
        raise ValueError(f"minutes must be over 0 and at most {MAX_MINUTES:,}, not {minutes}")
    target = ALL if queue is None else known(queue)
    with audited(actor=actor, action="pause", target=target, reason=reason, in_redis=True) as outcome:
        client = connection()
        until = None
        if minutes is not None:
            seconds, micros = client.time()
            until = seconds + micros / 1e6 + minutes * 60
        Transitions(client).pause(queue, until=until)
        result = PauseResult(queue, minutes, until)
        outcome.sentence = result.sentence
    return result


def resume(queue: str | None, *, actor: str, reason: str = "") -> ResumeResult:
    """End the pause of the queue (None: the one of all queues).

    Raises ValueError for an unknown queue, redis.RedisError when Redis is away, AuditUnavailable when it
    and the database are.
    """
    target = ALL if queue is None else known(queue)
    with audited(actor=actor, action="resume", target=target, reason=reason, in_redis=True) as outcome:
        client = connection()
        was_paused = Transitions(client).resume(queue)
        paused = _paused(client)
        asked: Sequence[str] = settings.PRIORITIES if queue is None else [queue]
        still = tuple(name for name in asked if name in paused or keys.ALL_QUEUES in paused)
        result = ResumeResult(queue, was_paused, still, keys.ALL_QUEUES in paused)
        outcome.sentence = result.sentence
    return result


def _paused(client: redis.Redis) -> set[str]:
    """Queues, or ALL_QUEUES, whose pause has not ended."""
    now, _ = client.time()
    return {text(name) for name in client.zrangebyscore(keys.PAUSED, now, "inf")}
