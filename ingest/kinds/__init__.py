"""The kinds of events: for each its fields, its handler and how it is retried."""

from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ingest.kinds import alerts, callbacks, points
from ingest.kinds.context import Context
from ingest.kinds.kind import RESULT_SECONDS, Kind, Mode
from ingest.priorities import Priority

__all__ = ["ALERT", "CALLBACK", "KINDS", "POINT", "Context", "Kind", "Mode", "register", "register_named"]

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
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (ALERT, POINT, CALLBACK)}


def register(kind: Kind) -> Kind:
    """Make a kind known; call it in an AppConfig's `ready`, so that every process knows the same kinds.

    Raises ValueError when another kind has the name. Registering the same kind again changes nothing.
    """
    if KINDS.setdefault(kind.name, kind) != kind:
        raise ValueError(f"there is another kind {kind.name!r}")
    return kind


def register_named(paths: Iterable[str]) -> None:
    """Register the Kind, or the several, that each dotted path names. Raises ImproperlyConfigured."""
    for path in paths:
        try:
            found = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(f"INGEST_HANDLERS names {path!r}, which cannot be imported: {error}") from error
        kinds = [found] if isinstance(found, Kind) else found
        if not isinstance(kinds, list | tuple) or not all(isinstance(kind, Kind) for kind in kinds):
            raise ImproperlyConfigured(f"INGEST_HANDLERS names {path!r}, which is no Kind and no list of them.")
        for kind in kinds:
            try:
                register(kind)
            except ValueError as error:
                raise ImproperlyConfigured(f"INGEST_HANDLERS names {path!r}: {error}.") from error
