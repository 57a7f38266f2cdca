"""The contract's filter grammar, asked of operations: a Filter as a condition on their intents."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Exists, OuterRef, Q

from queueadmin.console.audit.chain import BEGUN
from queueadmin.console.filters import Filter, Vocabulary, parse
from queueadmin.console.filters.terms import Field, Term, Time, Words
from queueadmin.console.models import AuditEntry

#: What became of an operation: `died` has had no outcome for longer than BEGUN, `running` not yet.
STATES: Final = ("done", "failed", "running", "died")
VOCABULARY: Final = Vocabulary(
    "entry", ("by", "action", "target", "outcome", "id", "since", "until", "older"), {"outcome": STATES}
)


def chosen(text: str) -> Filter:
    """Raises FilterError."""
    return parse(text, VOCABULARY)


def condition(asked: Filter, now: datetime) -> Q:
    """Which intents are of operations that match."""
    found = Q(step=AuditEntry.Step.INTENT)
    for term in asked.terms:
        found &= _term(term, now)
    return found


def has_failed(outcome: AuditEntry) -> bool:
    """Whether it raised: `recording` writes what it raised behind what it had done."""
    return outcome.outcome.startswith(AuditEntry.FAILED) or f" Then it {AuditEntry.FAILED}" in outcome.outcome


def _term(term: Term, now: datetime) -> Q:
    match term:
        case Time():
            return Q(**{f"at__{'gte' if term.key == 'since' else 'lt'}": term.moment(now)})
        case Field(key="by"):
            met = Q(actor__in=term.values)
        case Field(key="action"):
            met = Q(action__in=term.values)
        case Field(key="id"):
            met = Q(operation__in=term.values)
        case Field(key="target"):
            met = _any(lambda value: Q(target__icontains=value) if value else Q(target=""), term.values)
        case Field(key="outcome"):
            met = _any(lambda value: _state(value, now), term.values)
        case Words():
            met = _any(_text, term.values)
        case _:
            raise AssertionError(f"the grammar has no such term here: {term}")
    return ~met if term.negated else met


def _state(state: str, now: datetime) -> Q:
    ended = Q(_outcome(Q()))
    failed = _outcome(Q(outcome__startswith=AuditEntry.FAILED) | Q(outcome__contains=f" Then it {AuditEntry.FAILED}"))
    match state:
        case "done":
            return ended & ~Q(failed)
        case "failed":
            return Q(failed)
        case "running":
            return ~ended & Q(at__gte=now - BEGUN)
        case _:
            return ~ended & Q(at__lt=now - BEGUN)


def _text(value: str) -> Q:
    own = [Q(**{f"{name}__icontains": value}) for name in ("actor", "action", "target", "reason")]
    return reduce(or_, own) | Q(_outcome(Q(outcome__icontains=value)))


def _outcome(said: Q) -> Exists:
    return Exists(AuditEntry.objects.filter(said, operation=OuterRef("operation"), step=AuditEntry.Step.OUTCOME))


def _any(condition: Callable[[str], Q], values: Sequence[str]) -> Q:
    return reduce(or_, map(condition, values))
