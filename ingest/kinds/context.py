"""What an effect handler is told about its execution, and how it tells how far it is."""

import json
from collections.abc import Callable
from typing import Any, Final, Literal

from ingest.credentials import concealed
from ingest.kinds.errors import Canceled

#: Characters of one line of a job's log.
LINE_LENGTH: Final = 1000
#: Bytes of one progress value as JSON: it is written to Redis and to every open page, up to twice a second.
PROGRESS_BYTES: Final = 16 * 1024

#: Takes what a handler reports: ("progress", a JSON value) or ("log", a line). Never waits, never raises.
Report = Callable[[Literal["progress", "log"], Any], None]


def _never() -> bool:
    """Nobody cancels."""
    return False


def _silent(what: Literal["progress", "log"], value: Any) -> None:
    """Nobody listens."""


class Context:
    """The second argument of every effect handler. Its methods never wait and may be called from any thread."""

    def __init__(
        self, job_id: str, *, attempt: int = 1, report: Report = _silent, canceled: Callable[[], bool] = _never
    ) -> None:
        #: The job's id, which is the event's id of ours.
        self.job_id: Final = job_id
        #: The number of this execution in the job's whole life, from 1.
        self.attempt: Final = attempt
        self._report = report
        self._canceled = canceled
        self._secret = ""

    def conceal(self, secret: str) -> None:
        """Leave this credential out of all that is logged or told of the progress from now on."""
        self._secret = secret

    @property
    def idempotency_key(self) -> str:
        """The same in every execution of this event: hand it to whatever must not happen twice."""
        return self.job_id

    @property
    def canceled(self) -> bool:
        """Whether somebody asked for its end: a handler that goes on is ended a few seconds later."""
        return self._canceled()

    def stop_if_canceled(self) -> None:
        """Call it now and then, where stopping leaves nothing half done. Raises `errors.Canceled`."""
        if self.canceled:
            raise Canceled("it was canceled while it ran")

    def progress(self, value: Any) -> None:
        """How far it is: a number, a text or any small JSON value, shown on the job's page.

        Of several within half a second the last is kept. Raises TypeError or ValueError for what is no
        JSON, or is more than 16 KiB of it.
        """
        text = json.dumps(concealed(value, self._secret), allow_nan=False)
        if len(text) > PROGRESS_BYTES:
            raise ValueError(f"progress is {len(text):,} bytes of JSON; {PROGRESS_BYTES:,} is the most")
        # A copy: the handler may go on changing its value.
        self._report("progress", json.loads(text))

    def log(self, line: str) -> None:
        """Add to the job's log, of which the last 100 lines are kept; a long line is cut at 1,000 characters."""
        for each in str(concealed(str(line), self._secret)).splitlines() or [""]:
            self._report("log", each[:LINE_LENGTH])
