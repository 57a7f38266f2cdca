"""A filter as a question to the index."""

import math
import re
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Field, Payload, Term, Time, Words
from queueadmin.console.filters.words import asked
from queueadmin.console.models import Failure

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: Filter key → field.
_FIELDS: Final = {
    **{name: name for name in ("kind", "source", "tenant", "queue", "reason")},
    "group": "fingerprint",
}
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
#: The migration made these indexes.
_HOLDS: Final = {
    "postgresql": (
        "SELECT failure_id FROM console_failuretext WHERE to_tsvector('simple', words) @@ to_tsquery('simple', %s)"
    ),
    "sqlite": "SELECT rowid FROM console_failuretext_fts WHERE console_failuretext_fts MATCH %s",
}


class NotIndexed(Exception):
    """The index alone cannot tell: the filter asks what stands at a path of the event."""


def selected(chosen: Filter, *, now: datetime) -> "QuerySet[Failure]":
    """The rows that match. Raises NotIndexed."""
    if any(isinstance(term, Payload) for term in chosen.terms):
        raise NotIndexed
    return candidates(chosen, now=now)


def candidates(chosen: Filter, *, now: datetime) -> "QuerySet[Failure]":
    """The rows that match; of a filter that asks for a path all that may, by the words of what should stand there."""
    rows = Failure.objects.all()
    for term in chosen.terms:
        condition = _condition(term, now)
        rows = rows.exclude(condition) if getattr(term, "negated", False) else rows.filter(condition)
    return rows


def _condition(term: Term, now: datetime) -> Q:
    match term:
        case Payload():
            return _nothing() if term.negated else _may_hold(term)
        case Words():
            return reduce(or_, (_holds(asked(text)) for text in term.values))
        case Time():
            moment = term.moment(now)
            return Q(failed_at__gte=moment) if term.key == "since" else Q(failed_at__lt=moment)
        case Field():
            return _field(term)


def _field(term: Field) -> Q:
    values = [value for value in term.values if "\0" not in value]
    match term.key:
        case "state":
            return ~_nothing() if "failed" in values else _nothing()
        case "id":
            return Q(job_id__in=values) | Q(event_id__in=values)
        case "error":
            whole = (Q(error_type__iexact=value) for value in values if "." in value)
            return reduce(or_, whole, Q(error_name__in=[value.casefold() for value in values]))
        case "replay":
            numbers = [int(value) for value in values if _NUMBER.fullmatch(value)]
            return Q(replay__in=numbers) | (Q(replay=None) if "" in values else _nothing())
        case "permanent":
            return Q(permanent__in=[value == "yes" for value in values])
        case key:
            return Q(**{f"{_FIELDS[key]}__in": values})


def _may_hold(term: Payload) -> Q:
    """Rows whose words are those of one of the values. What is missing, null or without words may be anywhere."""
    found = Q(is_cut=True)
    for value in term.values:
        for text in _as_stored(value):
            words = asked(text)
            if not words or value == "null":
                return ~_nothing()
            found |= _holds(words)
    return found


def _as_stored(value: str) -> list[str]:
    """A value as it was indexed, which a number with a fraction may be in another form."""
    try:
        number = float(value)
    except ValueError:
        return [value]
    return [value, str(number)] if math.isfinite(number) else [value]


def _holds(words: list[str]) -> Q:
    if not words:
        return _nothing()
    # Words are letters and digits alone, so nothing in them means anything to the database.
    if connection.vendor == "postgresql":
        question = " <-> ".join([*words[:-1], f"{words[-1]}:*"])
    else:
        question = f'"{" ".join(words)}" *'
    return Q(pk__in=RawSQL(_HOLDS[connection.vendor], [question]))  # noqa: S611 - constant, with a parameter


def _nothing() -> Q:
    return Q(pk__in=[])
