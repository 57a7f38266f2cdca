"""What running handlers say of their progress, sent to Redis by a thread of its own."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Literal

import redis

from ingest.kinds import Context
from ingest.queue.calls import LOG_LINES
from ingest.queue.connections import single_try
from ingest.queue.transitions import Transitions
from ingest.worker.entries import Entry

logger = logging.getLogger(__name__)

#: Seconds between two rounds: of what a job says in between, the last progress and the last lines are kept.
INTERVAL: Final = 0.5
#: Seconds until the next round after one that Redis did not answer.
AGAIN: Final = 5.0


@dataclass(slots=True)
class _Said:
    """What one job said since the last round."""

    entry: Entry
    progress: Any = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))


class Reports:
    """Handlers speak from any thread and never wait; while Redis is away, what they say is kept and then sent."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = single_try(connection)
        self._transitions = Transitions(self._connection)
        self._said: dict[tuple[str, str], _Said] = {}
        self._lock = threading.Lock()  # of _said
        self._sending = threading.Lock()  # keeps the order of what one job said
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def __enter__(self) -> "Reports":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._news.set()
        self._thread.join()
        self._connection.close()

    def context(self, entry: Entry, canceled: Callable[[], bool]) -> Context:
        """The context of this execution."""
        return Context(
            entry.job.id,
            attempt=entry.job.attempts + 1,
            report=lambda what, value: self.say(entry, what, value),
            canceled=canceled,
        )

    def say(self, entry: Entry, what: Literal["progress", "log"], value: Any) -> None:
        with self._lock:
            said = self._said.setdefault(entry.key, _Said(entry))
            if what == "progress":
                said.progress = value
            else:
                said.lines.append(value)
        self._news.set()

    def flush(self, entries: Iterable[Entry]) -> None:
        """Send what these jobs have said: call it before their end is told. Without Redis it is lost."""
        for entry in entries:
            with self._sending:  # also waits for what the thread is sending of it
                with self._lock:
                    said = self._said.pop(entry.key, None)
                if said is None:
                    continue
                try:
                    self._send(said)
                except redis.RedisError as error:
                    logger.warning("job %s: its last reports were lost: %s", entry.job.id, error)

    def _run(self) -> None:
        while self._news.wait() and not self._stopped.is_set():
            self._news.clear()
            pause = INTERVAL
            try:
                self._round()
            except redis.RedisError as error:
                logger.warning("Redis was not told of progress: %s", error)
                self._news.set()
                pause = AGAIN
            except Exception:
                logger.exception("progress could not be told")
            self._stopped.wait(pause)

    def _round(self) -> None:
        for key in list(self._said):
            with self._sending:
                with self._lock:
                    said = self._said.pop(key, None)
                if said is None:
                    continue
                try:
                    self._send(said)
                except redis.RedisError:
                    self._keep(said)
                    raise

    def _send(self, said: _Said) -> None:
        """Raises RedisError; what was sent is no longer in `said` then."""
        entry = said.entry
        while said.progress is not None or said.lines:
            line = said.lines[0] if said.lines else None
            if not self._transitions.progress(
                entry.claim.queue, entry.claim.id, entry.job.id, value=said.progress, line=line
            ):
                return  # the job is not ours any more
            said.progress = None
            if said.lines:
                said.lines.popleft()

    def _keep(self, said: _Said) -> None:
        """Put back what could not be sent, before what came since."""
        with self._lock:
            newer = self._said.get(said.entry.key)
            if newer is None:
                self._said[said.entry.key] = said
                return
            if newer.progress is None:
                newer.progress = said.progress
            newer.lines = deque([*said.lines, *newer.lines], maxlen=LOG_LINES)
