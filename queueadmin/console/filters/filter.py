"""A filter: terms that must all match."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from queueadmin.console.filters.terms import Field, Payload, Seen, Term, Time, Words


@dataclass(frozen=True, slots=True)
class Filter:
    """`str` writes it as it can be parsed again. Without terms it matches everything."""

    terms: tuple[Term, ...] = ()

    def matches(self, record: Mapping[str, Any], *, now: datetime | None = None) -> bool:
        """Whether the record, in the shape that `terms` describes, is one of those. `2h` is two hours before `now`."""
        seen = Seen(record, now or datetime.now(UTC))
        return all(term.matches(seen) for term in self.terms)

    def fixed(self, now: datetime) -> "Filter":
        """The same with moments in the place of `2h`, so that it means the same later on."""
        return Filter(tuple(_fixed(term, now) for term in self.terms))

    @property
    def reads_payload(self) -> bool:
        """Whether the event itself must be looked at."""
        return any(isinstance(term, Words | Payload) for term in self.terms)

    def asks(self, key: str) -> bool:
        """Whether it has a term of this key."""
        return any(isinstance(term, Field | Time) and term.key == key for term in self.terms)

    def allows(self, key: str, value: str) -> bool:
        """False when no record whose field is exactly this can match, so that nothing like it need be read."""
        return all(
            (value in term.values) is not term.negated
            for term in self.terms
            if isinstance(term, Field) and term.key == key
        )

    def wanted(self, key: str) -> frozenset[str] | None:
        """The values of which a record must have one, the fewest that a term of this key says; None: it may be any."""
        named = [term.values for term in self.terms if isinstance(term, Field) and term.key == key and not term.negated]
        return min(map(frozenset, named), key=len, default=None)

    @property
    def without_payload(self) -> "Filter":
        """The terms that can be asked without looking at the event itself."""
        return Filter(tuple(term for term in self.terms if not isinstance(term, Words | Payload)))

    def of_keys(self, *keys: str) -> "Filter":
        """The terms that ask for these fields."""
        return Filter(tuple(term for term in self.terms if isinstance(term, Field) and term.key in keys))

    def bounds(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """What matches is of this moment or later, and before that one; None: no bound."""
        times = [(term.key, term.moment(now)) for term in self.terms if isinstance(term, Time)]
        since = max((moment for key, moment in times if key == "since"), default=None)
        until = min((moment for key, moment in times if key != "since"), default=None)
        return since, until

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))


def within(chosen: Filter, tenant: str) -> Filter:
    """The same of this tenant alone; "" leaves it as it is."""
    return Filter((*chosen.terms, Field("tenant", (tenant,)))) if tenant else chosen


def _fixed(term: Term, now: datetime) -> Term:
    if not isinstance(term, Time):
        return term
    return Time("until" if term.key == "older" else term.key, term.moment(now))
