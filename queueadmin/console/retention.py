"""What maintenance removes because of its age, in the audit log: an intent before it begins, then how many went."""

from contextlib import ExitStack
from datetime import datetime
from typing import Any, Final

from queueadmin.console.audit import Outcome, audited

ACTOR: Final = "maintenance"
#: What was begun by this process: (kind, what) → its entry.
_begun: Final[dict[tuple[str, str], tuple[ExitStack, Outcome]]] = {}


def note_removal(*, sender: str, what: str, before: datetime, count: int | None, **_: Any) -> None:
    """A receiver of `ingest.signals.removal`. Raises AuditUnavailable: then nothing is removed."""
    key = (sender, what)
    if count is None:
        stack = ExitStack()
        target = f"{what} of kind {sender} of before {before:%Y-%m-%d %H:%M:%S} UTC"
        _begun[key] = stack, stack.enter_context(audited(actor=ACTOR, action="retention", target=target))
    elif key in _begun:
        stack, outcome = _begun.pop(key)
        outcome.count, outcome.sentence = count, f"{count:,} {what} are gone."
        stack.close()
