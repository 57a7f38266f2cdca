"""What a sender prefers, by the header `Prefer` (RFC 7240). What is not known is ignored, as it asks."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preferences:
    #: `handling=strict`: all events of the request are stored, or none.
    strict: bool = False
    #: `return=representation`: every item is shown on 202, too.
    items: bool = False

    @property
    def applied(self) -> str:
        """For `Preference-Applied`; empty: nothing was asked for."""
        asked = (("return=representation", self.items), ("handling=strict", self.strict))
        return ", ".join(name for name, wanted in asked if wanted)


def read(headers: Mapping[str, str]) -> Preferences:
    """`headers` by lower-case name."""
    given = headers.get("prefer")
    if not given:
        return Preferences()
    found: dict[str, str] = {}
    for part in given.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        # The first of a name counts.
        found.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return Preferences(strict=found.get("handling") == "strict", items=found.get("return") == "representation")
