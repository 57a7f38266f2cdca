"""The kinds of events: for each its fields, its handler and how it is retried."""

from typing import Final

from ingest.kinds import alerts
from ingest.kinds.context import Context
from ingest.kinds.kind import Kind, Mode

__all__ = ["ALERT", "KINDS", "Context", "Kind", "Mode", "register"]

ALERT: Final = Kind(name="alert", validate=alerts.validate, handler=alerts.handle)

#: Every kind of this process by its name: ours, and what other apps registered.
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (ALERT,)}


def register(kind: Kind) -> Kind:
    """Make a kind known; call it in an AppConfig's `ready`, so that every process knows the same kinds.

    Raises ValueError when another kind has the name. Registering the same kind again changes nothing.
    """
    if KINDS.setdefault(kind.name, kind) != kind:
        raise ValueError(f"there is another kind {kind.name!r}")
    return kind
