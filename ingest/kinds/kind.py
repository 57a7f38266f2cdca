"""What a kind says about its events: its fields, its handler, and how it is run and retried."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ingest.kinds.context import Context
from ingest.priorities import Priority
from ingest.queue.payload import ITEM_BYTES, Payload

#: How a job is claimed and run: "" batch handlers, many at a time; an effect handler otherwise. `single`: one
#: in the worker itself; `async`: some at a time on an event loop; `process`: one in a forked work horse.
Mode = Literal["", "single", "async", "process"]
#: Gets events that are new, in the transaction that saves them: it touches the database alone. It may return
#: results by event id, anything that JSON can hold; they are kept as long as the kind says.
BatchHandler = Callable[[Sequence[Payload]], Mapping[str, Any] | None]
#: Gets one event, outside any transaction, at least once; sync or `async def`. What it returns is the job's
#: result: anything that JSON can hold.
EffectHandler = Callable[[Payload, Context], Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """By what a kind tells copies of an event."""

    #: The same for every copy.
    parts: tuple[str, ...]
    #: What an event under the same identity must say to be a copy; else it is refused.
    says: str
    #: Seconds for which copies are told, where the client gave no id; 0: they have one.
    window: int = 0


#: Seconds for which an effect handler's result is kept.
RESULT_SECONDS: Final = 86_400
#: `result_ttl` of a kind that says nothing: RESULT_SECONDS for effect handlers, none for batch handlers.
BY_HANDLER: Final = -1

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,15}")
_TYPE: Final = re.compile(r"([a-z][a-z0-9_-]{0,31})?")


def is_async(handler: Any) -> bool:
    """Whether it is an `async def`, or an object whose `__call__` is one."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - it is looked at, not asked for
    )


def priority_by_word(said: Any) -> Priority | None:
    """One of the four words; None for anything else."""
    try:
        return Priority(said.lower()) if isinstance(said, str) else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event. Raises ValueError for a name or a handler that cannot be."""

    #: Up to 16 small letters, digits, - and _.
    name: str
    #: Checks the fields that only this kind has, at acceptance; raises `errors.Invalid`.
    validate: Callable[[Mapping[str, Any]], None]
    #: Raises `errors.PermanentError`, or any exception with `retry = False`, when trying again cannot help.
    handler: BatchHandler | EffectHandler
    #: Whether `handler` is a batch handler; an effect handler otherwise.
    batch: bool = True
    #: `process`: the effect handler runs in a forked process, which may crash, leak and hold the GIL.
    isolation: Literal["", "process"] = ""
    #: How many events of an `async def` handler run at a time, in one worker.
    concurrency: int = 10
    #: Seconds before each further execution; their number is the number of retries.
    retry_delays: tuple[float, ...] = (1.0, 5.0, 25.0)
    #: Seconds that one execution may take.
    timeout: int = 300
    #: False: what fails goes into the trash, and nobody is asked to look at it.
    dead_letters: bool = True
    #: Seconds for which a result is kept; 0: not at all.
    result_ttl: int = BY_HANDLER
    #: False: what is in the event has rows of its own, so that its own row holds `{}`.
    keeps_body: bool = True
    #: While Redis is away its spooled events are run at once, by maintenance; for batch handlers.
    direct: bool = False
    #: Taken from code in this project only; the API does not know the kind.
    internal: bool = False
    #: The priority of an event that says nothing about it.
    default_priority: Priority = Priority.MEDIUM
    #: Seconds for which a second copy under the same id is recognised; None: INGEST_DEDUP_SECONDS.
    dedup_seconds: int | None = None
    #: The field that names whose event it is; the user's latest job is found by it. "": none.
    user_field: str = ""
    #: The field whose value orders: events of one value run one at a time, in their order. "": none.
    ordering_field: str = ""
    #: The field that holds the client's id; `id` is taken as well.
    id_field: str = "id"
    #: Bytes of one event, as sent.
    item_bytes: int = ITEM_BYTES
    #: The priority that an event's `priority` means; None: it is none.
    priority_of: Callable[[Any], Priority | None] = priority_by_word
    #: How an event is run, where events of the kind have types; it raises `errors.Invalid`. None: as the kind says.
    of_event: "Callable[[Mapping[str, Any]], Kind] | None" = None
    #: Of a kind whose events have types: which one this is.
    type: str = ""
    #: Only workers that name the type run it.
    own_workers: bool = False
    #: The field that names the source of an event without `source`. "": none.
    source_field: str = ""
    #: A field beside `callback_url` that may hold the URL to be told. "": none.
    callback_field: str = ""
    #: By what copies are told, given the event and its client's id; None: by source and id.
    identify: Callable[[Mapping[str, Any], str | None], Identity] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a kind's name is up to 16 small letters, digits, - and _, not {self.name!r}")
        if not _TYPE.fullmatch(self.type):
            raise ValueError(f"a task type's name is up to 32 small letters, digits, - and _, not {self.type!r}")
        if self.batch and (self.isolation or self.is_async):
            raise ValueError(f"kind {self.name}: a batch handler is sync and runs in the worker; say batch=False")
        if self.concurrency < 1 or self.timeout < 1:
            raise ValueError(f"kind {self.name}: concurrency and timeout are at least 1")
        if self.result_ttl == BY_HANDLER:
            object.__setattr__(self, "result_ttl", 0 if self.batch else RESULT_SECONDS)

    @property
    def label(self) -> str:
        """`alert`, or with a type `task:review`: what its jobs are counted under."""
        return f"{self.name}:{self.type}" if self.type else self.name

    @property
    def is_async(self) -> bool:
        return is_async(self.handler)

    @property
    def mode(self) -> Mode:
        if self.batch:
            return ""
        if self.isolation == "process":
            return "process"
        return "async" if self.is_async else "single"
