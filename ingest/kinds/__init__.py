"""The kinds of events: for each its fields, its handler and how it is retried."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingest.kinds import alerts
from ingest.priorities import Priority
from ingest.queue.payload import Payload


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event. The handler is a batch handler unless `batch` is false."""

    name: str
    #: Checks the fields that only this kind has, at acceptance; raises `errors.Invalid`.
    validate: Callable[[Mapping[str, Any]], None]
    #: Gets only events that are new, in the transaction that saves them; raises
    #: `errors.PermanentError` when trying again cannot help.
    handler: Callable[[Sequence[Payload]], None]
    batch: bool = True
    #: Seconds before each further execution; their number is the number of retries.
    retry_delays: tuple[float, ...] = (1.0, 5.0, 25.0)
    #: Seconds that one execution may take.
    timeout: int = 300
    #: The priority of an event that says nothing about it.
    default_priority: Priority = Priority.MEDIUM
    #: Seconds for which a second copy under the same id is recognised; None: INGEST_DEDUP_SECONDS.
    dedup_seconds: int | None = None


ALERT: Final = Kind(name="alert", validate=alerts.validate, handler=alerts.handle)

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (ALERT,)}
