"""Tasks: work of many types, each with a handler and options of its own.

    @task("review", retries=2, timeout=600)
    async def review(given: Task, context: Context) -> dict[str, int]: ...

A task type's options travel with each job from its acceptance on, as a kind's do; the handler that runs it is the one
that its name has in the worker. An event says `task_type`, and may give hints in its payload: `max_retries` and
`timeout`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeVar, cast

import msgspec

from ingest.kinds.context import Context
from ingest.kinds.errors import Invalid, PermanentError
from ingest.kinds.kind import RESULT_SECONDS, EffectHandler, Kind, is_async, priority_by_word
from ingest.priorities import Priority
from ingest.queue.payload import Payload

#: Seconds for which a second copy under the same task_id is recognised: a week.
DEDUP_SECONDS: Final = 604_800
ITEM_BYTES: Final = 1024 * 1024
#: Retries after 0, 2, 4 s, as the source has it; further ones double on, up to an hour.
RETRIES: Final = 3
LONGEST_DELAY: Final = 3_600.0
#: The largest hints that a sender may give.
MOST_RETRIES: Final = 20
LONGEST_TIMEOUT: Final = 86_400

#: Tasks have words and numbers of their own, beside the four.
_WORDS: Final = {"normal": Priority.MEDIUM}
_NUMBERS: Final = {3: Priority.CRITICAL, 2: Priority.HIGH, 1: Priority.MEDIUM, 0: Priority.LOW}


@dataclass(frozen=True, slots=True)
class Task:
    """What a task's handler gets."""

    #: The sender's id; ours where it gave none.
    task_id: str
    task_type: str
    payload: dict[str, Any]
    priority: Priority
    received_at: datetime


#: Gets one task, at least once; what it returns is the task's result: anything that JSON can hold.
TaskHandler = Callable[[Task, Context], Any]
_Handler = TypeVar("_Handler", bound=TaskHandler)

#: Every task type of this process by its name, as the kind that its tasks are run by.
TYPES: Final[dict[str, Kind]] = {}


class _Body(msgspec.Struct):
    task_type: str
    payload: dict[str, Any] = {}


_BODY: Final = msgspec.json.Decoder(_Body)


def task(
    name: str,
    *,
    retries: int | Sequence[float] = RETRIES,
    timeout: int = 300,
    isolation: Literal["", "process"] = "",
    concurrency: int = 10,
    dead_letters: bool = True,
    ttl: int = RESULT_SECONDS,
    own_workers: bool = False,
) -> Callable[[_Handler], _Handler]:
    """Make the decorated function the handler of a task type; up to 32 small letters, digits, - and _.

    `retries`: how many, after 0, 2, 4 … seconds, or the seconds before each. `ttl`: seconds for which the result is
    kept after the end. `own_workers`: only workers that name the type run its tasks (`rqworker --types`). The others
    are a kind's (see `Kind`). Raises ValueError for options that cannot be, and when another handler has the name.
    """

    def register(handler: _Handler) -> _Handler:
        kind = Kind(
            name="task",
            type=name,
            validate=validate,
            handler=_effect(handler),
            batch=False,
            isolation=isolation,
            concurrency=concurrency,
            retry_delays=delays(retries) if isinstance(retries, int) else tuple(map(float, retries)),
            timeout=timeout,
            dead_letters=dead_letters,
            result_ttl=ttl,
            own_workers=own_workers,
            dedup_seconds=DEDUP_SECONDS,
            id_field="task_id",
            item_bytes=ITEM_BYTES,
            priority_of=priority_of,
        )
        before = TYPES.get(name)
        if before is not None and _where(before.handler) != _where(kind.handler):
            raise ValueError(f"there is another handler of the task type {name!r}")
        TYPES[name] = kind
        return handler

    return register


def delays(retries: int) -> tuple[float, ...]:
    """Before so many retries: 0, 2, 4, 8 … seconds, an hour at most. Raises ValueError."""
    if not 0 <= retries <= MOST_RETRIES:
        raise ValueError(f"retries are 0 to {MOST_RETRIES}, not {retries}")
    return tuple(min(2.0**number, LONGEST_DELAY) if number else 0.0 for number in range(retries))


def priority_of(said: Any) -> Priority | None:
    """`critical`, `high`, `normal` (or `medium`), `low`, and 3 to 0."""
    if isinstance(said, int) and not isinstance(said, bool):
        return _NUMBERS.get(said)
    word = _WORDS.get(said.lower()) if isinstance(said, str) else None
    return word or priority_by_word(said)


def validate(event: Mapping[str, Any]) -> None:
    """Check the fields that only tasks have. Raises Invalid."""
    kind_of_event(event)


def kind_of_event(event: Mapping[str, Any]) -> Kind:
    """The kind that runs this task: its type's, with the hints of its payload. Raises Invalid."""
    name = event.get("task_type")
    if not isinstance(name, str):
        raise Invalid("task_type", "missing_field" if name is None else "wrong_type", f"task_type must be {_known()}.")
    kind = TYPES.get(name)
    if kind is None:
        raise Invalid("task_type", "unknown_task_type", f"task_type must be {_known()}.")
    payload = event.get("payload")
    if payload is None:
        return kind
    if not isinstance(payload, Mapping):
        raise Invalid("payload", "wrong_type", "payload must be an object.")
    retries = _hint(payload, "max_retries", 0, MOST_RETRIES)
    if retries is not None:
        kind = replace(kind, retry_delays=_as_many(kind.retry_delays, retries))
    timeout = _hint(payload, "timeout", 1, LONGEST_TIMEOUT)
    return kind if timeout is None else replace(kind, timeout=timeout)


def handle(payload: Payload, context: Context) -> None:
    """Nobody's: what runs a task is its type's handler."""
    raise PermanentError("the task's type has no handler")


def _hint(payload: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = payload.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        detail = f"payload.{name} must be a whole number from {least} to {most:,}."
        raise Invalid(f"payload.{name}", "invalid_value", detail, limit=most)
    return value


def _as_many(given: tuple[float, ...], retries: int) -> tuple[float, ...]:
    """So many delays of the type's own, and where they end, each twice the one before."""
    found = list(given[:retries])
    while len(found) < retries:
        found.append(min(max(2 * found[-1], 2.0), LONGEST_DELAY) if found else 0.0)
    return tuple(found)


def _known() -> str:
    return f"one of {', '.join(sorted(TYPES))}" if TYPES else "the name of a task type; none is registered here"


def _effect(handler: TaskHandler) -> EffectHandler:
    """As kinds' handlers are called."""
    if is_async(handler):

        async def run_async(payload: Payload, context: Context) -> Any:
            return await handler(_read(payload), context)

        run_async.__wrapped__ = handler  # type: ignore[attr-defined]
        return run_async

    def run(payload: Payload, context: Context) -> Any:
        return handler(_read(payload), context)

    run.__wrapped__ = handler  # type: ignore[attr-defined]
    return run


def _where(handler: Any) -> str:
    """A module that is loaded twice registers the same handlers."""
    inner = cast(Any, handler).__wrapped__
    return f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', repr(inner))}"


def _read(payload: Payload) -> Task:
    """Raises PermanentError for a body that is no task."""
    try:
        body = _BODY.decode(payload.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermanentError(f"the task's body cannot be read: {error}") from None
    return Task(
        task_id=payload.event_id or payload.id,
        task_type=body.task_type,
        payload=body.payload,
        priority=Priority(payload.priority),
        received_at=payload.received_at,
    )
