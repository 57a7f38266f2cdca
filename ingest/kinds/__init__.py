"""The kinds of events: for each its fields, its handler and how it is retried."""

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any, Final

import msgspec
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ingest.kinds import alerts, callbacks, points, tasks
from ingest.kinds.context import Context
from ingest.kinds.errors import Invalid
from ingest.kinds.kind import RESULT_SECONDS, Kind, Mode
from ingest.kinds.tasks import Task, task
from ingest.priorities import Priority
from ingest.queue.payload import Payload, Unreadable

__all__ = [
    "ALERT",
    "CALLBACK",
    "KINDS",
    "POINT",
    "STREAM_POINTS",
    "TASK",
    "Context",
    "Kind",
    "Mode",
    "Task",
    "each_kind",
    "kind_of",
    "register",
    "register_named",
    "task",
]

ALERT: Final = Kind(name="alert", validate=alerts.validate, handler=alerts.handle)

#: A chunk of points; what became of each is its job's result.
POINT: Final = Kind(
    name="point",
    validate=points.validate,
    handler=points.handle,
    result_ttl=RESULT_SECONDS,
    keeps_body=False,
    direct=True,
)

#: By stream, the kind of the chunks that come in by its endpoint: their jobs are counted by stream as well.
STREAM_POINTS: Final = {stream: replace(POINT, type=stream) for stream in points.STREAMS}

#: How a task is run, its type says.
TASK: Final = Kind(
    name="task",
    validate=tasks.validate,
    handler=tasks.handle,
    batch=False,
    retry_delays=tasks.delays(tasks.RETRIES),
    dedup_seconds=tasks.DEDUP_SECONDS,
    id_field="task_id",
    item_bytes=tasks.ITEM_BYTES,
    priority_of=tasks.priority_of,
    of_event=tasks.kind_of_event,
)

#: Telling others what became of a job; `ingest.outbox` makes them.
CALLBACK: Final = Kind(
    name="callback",
    validate=callbacks.validate,
    handler=callbacks.handle,
    batch=False,
    retry_delays=callbacks.RETRY_DELAYS,
    timeout=callbacks.TIMEOUT,
    result_ttl=0,
    internal=True,
    default_priority=Priority.LOW,
)

#: Every kind of this process by its name: ours, and what other apps registered.
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (ALERT, POINT, TASK, CALLBACK)}

_EVENT: Final = msgspec.json.Decoder(dict[str, Any])


def register(kind: Kind) -> Kind:
    """Make a kind known; call it in an AppConfig's `ready`, so that every process knows the same kinds.

    Raises ValueError when another kind has the name. Registering the same kind again changes nothing.
    """
    if KINDS.setdefault(kind.name, kind) != kind:
        raise ValueError(f"there is another kind {kind.name!r}")
    return kind


def kind_of(payload: Payload) -> Kind:
    """The kind that runs this event; of a task its type's. Raises Unreadable where this process knows none."""
    kind = KINDS.get(payload.kind)
    if kind is None:
        raise Unreadable(f"the kind {payload.kind!r} is not known")
    if kind.of_event is None:
        return kind
    try:
        return kind.of_event(_EVENT.decode(payload.body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Invalid) as error:
        raise Unreadable(f"no handler can be found for the {kind.name}: {error}") from None


def each_kind() -> Iterator[Kind]:
    """Everything that this process can run: the kinds, and each task type."""
    yield from KINDS.values()
    yield from tasks.TYPES.values()


def register_named(paths: Iterable[str]) -> None:
    """Register what each dotted path names: a Kind, several, or a module that registers itself, as `@task` does.

    Raises ImproperlyConfigured.
    """
    for path in paths:
        try:
            found = _imported(path)
        except (ImportError, ValueError) as error:
            raise ImproperlyConfigured(f"INGEST_HANDLERS names {path!r}, which cannot be imported: {error}") from error
        if isinstance(found, ModuleType):
            if not any(f"{handler.__module__}.".startswith(f"{path}.") for handler in _task_handlers()):
                raise ImproperlyConfigured(f"INGEST_HANDLERS names {path!r}, a module without a task type.")
            continue
        if found in _task_handlers():
            continue
        kinds = [found] if isinstance(found, Kind) else found
        if not isinstance(kinds, list | tuple) or not all(isinstance(kind, Kind) for kind in kinds):
            raise ImproperlyConfigured(f"INGEST_HANDLERS names {path!r}, which is no Kind and no list of them.")
        for kind in kinds:
            try:
                register(kind)
            except ValueError as error:
                raise ImproperlyConfigured(f"INGEST_HANDLERS names {path!r}: {error}.") from error


def _imported(path: str) -> Any:
    """A module, or what stands in one. Raises ImportError, and ValueError as the module does."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}.") or "." not in path:
            raise
    return import_string(path)


def _task_handlers() -> list[Any]:
    return [getattr(kind.handler, "__wrapped__", None) for kind in tasks.TYPES.values()]
