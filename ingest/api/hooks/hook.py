"""What a vendor's hook is, and what its adapter says about one alert."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import msgspec

from ingest.priorities import Priority

Action = Literal["trigger", "acknowledge", "resolve"]

#: Characters of a fingerprint that stands for itself; a longer one is digested.
KEY_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class Report:
    """What one alert of a vendor says, in our words."""

    title: str
    action: Action
    #: The vendor's own word or number; None: there was none.
    severity: Any = None
    #: The vendor's fingerprint: what all alerts about one problem have in common. "": it says none.
    key: str = ""
    #: Which occurrence it is: when the problem began, or the vendor's own id of it. "": the vendor does not say, and so
    #: nobody can tell a repeat from a new occurrence.
    start: str = ""
    #: All that is news when it changes within one occurrence: the vendor's state, and its severity where that may rise.
    status: str = ""
    #: When it happened, as the vendor wrote it: RFC 3339, or Unix seconds or milliseconds.
    at: Any = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    #: Whose words the severity is in, by a name of `priorities.SOURCES`; "": the hook's vendor's.
    scale: str = ""
    #: Without a severity; None: medium.
    default: Priority | None = None
    #: Who sends it; "": the vendor.
    source: str = ""
    #: Kept as the event's payload; None: the alert as it came.
    payload: Mapping[str, msgspec.Raw] | None = None


#: One alert, and what the body says about all of its alerts → what it says, or None: nothing happened (a test of the
#: connection, a comment). Pure. Raises `kinds.errors.Invalid`, and `decode.Refused` for JSON inside of JSON.
Read: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], Report | None]


@dataclass(frozen=True, slots=True)
class Hook:
    """How one vendor's webhook is read."""

    #: As in `/api/v1/hooks/{vendor}`; the source of its events, and the table of its severities.
    vendor: str
    read: Read
    #: The member whose array holds the alerts, and those beside it that are kept with each. "": the body is one alert.
    each: str = ""
    beside: tuple[str, ...] = ()
    #: The body may be an array of alerts.
    arrays: bool = False
    #: An alert and a field mapping → the alert with its fields where `read` looks for them; None: there is no mapping.
    mapped: Callable[[Mapping[str, Any], Mapping[str, str]], Mapping[str, Any]] | None = None
    #: Members that are credentials: they are kept nowhere.
    secrets: frozenset[str] = frozenset()
    #: Asked before anything is read, with the body: whether the vendor sent it. It may ask the network, and raises
    #: ProblemError.
    check: Callable[[bytes], None] | None = None
    #: The member that holds the API key, where the vendor's clients can put it nowhere else.
    key_member: str = ""
