"""Who a request comes from, and what it may do."""

from dataclasses import dataclass
from typing import Final

from ingest.api.problems import Problem, ProblemError
from ingest.priorities import Priority


@dataclass(frozen=True, slots=True)
class Sender:
    name: str
    scopes: frozenset[str]
    #: None for a sender without a key.
    key_id: int | None
    #: When not empty, these win over what the event says.
    tenant: str = ""
    source: str = ""
    #: Its events are at most as urgent; None: as urgent as they say.
    max_priority: Priority | None = None
    #: Events that it may send a second, and at once; 0: as many as it likes.
    rate: float = 0
    burst: int = 0


#: Taking in and reading are open to it; operating never is.
KEYLESS: Final = Sender("local", frozenset({"ingest", "read"}), None)


def require(sender: Sender, scope: str) -> None:
    """Raises ProblemError 403 when the sender may not do this."""
    if scope not in sender.scopes:
        raise ProblemError(
            Problem(
                403,
                "forbidden_scope",
                "Not allowed",
                f"This needs a key with the scope {scope}; {sender.name} has {', '.join(sorted(sender.scopes))}.",
                scope=scope,
            )
        )
