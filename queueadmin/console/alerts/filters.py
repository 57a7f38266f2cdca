"""The contract's filter grammar, asked of problems: a Filter as a condition of the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.models import Q

from ingest.models import Alert
from ingest.priorities import PRIORITIES
from queueadmin.console.filters import Filter, Vocabulary, parse
from queueadmin.console.filters.terms import Field, Payload, Term, Time, Words

#: Beside the states themselves: whatever is not resolved.
OPEN: Final = "open"
VOCABULARY: Final = Vocabulary(
    "alert",
    ("state", "severity", "source", "tenant", "id", "since", "until", "older", "label.<name>"),
    {"state": (OPEN, *Alert.State.values), "severity": tuple(map(str, PRIORITIES))},
    ("label", "label.host:db-1"),
)
_COLUMNS: Final = {"id": "identity", "tenant": "tenant", "source": "source", "severity": "priority", "state": "state"}


def chosen(text: str) -> Filter:
    """Raises FilterError."""
    return parse(text, VOCABULARY)


def conditions(asked: Filter, now: datetime, *, tenant: str = "") -> tuple[Q, Q]:
    """What one index finds in the list's order, and what each of those must be looked at for; the second may be empty.

    Times are those of the last change of state, since the list is in their order.
    """
    by_index, looked_at = Q(tenant=tenant) if tenant else Q(), Q()
    key = "" if tenant else _indexed(asked)
    for term in asked.terms:
        if isinstance(term, Time) or (isinstance(term, Field) and term.key == key and _is_one(term)):
            by_index &= _term(term, now)
        else:
            looked_at &= _term(term, now)
    return by_index, looked_at


def _indexed(asked: Filter) -> str:
    """The key whose index parts the list most; ""."""
    keys = {term.key for term in asked.terms if isinstance(term, Field) and _is_one(term)}
    return next((key for key in _COLUMNS if key in keys), "")


def _is_one(term: Field) -> bool:
    """Whether it asks for one value of its column: of several an index does not give the order."""
    return not term.negated and len(term.values) == 1 and term.values[0] != OPEN


def _term(term: Term, now: datetime) -> Q:
    match term:
        case Time():
            return Q(**{f"changed_at__{'gte' if term.key == 'since' else 'lt'}": term.moment(now)})
        case Field(key="state"):
            met = Q(state__in=_states(term.values))
        case Field():
            met = Q(**{f"{_COLUMNS[term.key]}__in": term.values})
        case Payload():
            met = _any([_label(term.path, value) for value in term.values])
        case Words():
            met = _any([_text(value) for value in term.values])
    return ~met if term.negated else met


def _states(values: Sequence[str]) -> list[str]:
    unresolved = [Alert.State.TRIGGERED, Alert.State.ACKNOWLEDGED]
    return [state for value in values for state in (unresolved if value == OPEN else [value])]


def _label(name: str, value: str) -> Q:
    """One label as a whole; "" is one that is missing, as everywhere in the grammar, or empty."""
    whole = Q(labels__contains=f"\n{name}={value}\n")
    return whole if value else whole | ~Q(labels__contains=f"\n{name}=")


def _text(value: str) -> Q:
    return _any([Q(title__icontains=value), Q(labels__icontains=value), Q(identity=value)])


def _any(conditions: Sequence[Q]) -> Q:
    found = conditions[0]
    for each in conditions[1:]:
        found |= each
    return found
