"""A filter as a question to the index."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL

from queueadmin.console.failures.names import name_of
from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Field, Payload, Term, Time, Words
from queueadmin.console.filters.words import asked
from queueadmin.console.models import Failure, FailureGroup

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
    # Of its words PostgreSQL's index knows only that they are there. Where they stand the text tells 50 times as
    # quickly as a vector that is made of it once more: 0.1 s instead of 4.8 for 33,000 that have the words.
    "phrase": " AND ' ' || words LIKE %s",
    "sqlite": "SELECT rowid FROM console_failuretext_fts WHERE console_failuretext_fts MATCH %s",
}


#: What a question may hold in PostgreSQL. Its own 4 MB hold the places of some 60,000 rows; beyond that it remembers
#: pages, and reads all words in them anew: 27 s for a word of 350,000 of a million dead letters, 0.9 s with this.
_MEMORY: Final = "64MB"


class NotIndexed(Exception):
    """The index alone cannot tell: the filter asks what stands at a path of the event."""


@contextmanager
def asking() -> Iterator[None]:
    """Around questions to the index that may be of words. Raises DatabaseError."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL work_mem = '{_MEMORY}'")
        yield


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
            return Q(job_id__in=list(map(name_of, term.values))) | Q(event_id__in=values)
        case "error":
            return reduce(or_, map(_raised, values), _nothing())
        case "replay":
            numbers = [int(value) for value in values if _NUMBER.fullmatch(value)]
            return Q(replay__in=numbers) | (Q(replay=None) if "" in values else _nothing())
        case "permanent":
            return Q(permanent__in=[value == "yes" for value in values])
        case key:
            return Q(**{f"{_FIELDS[key]}__in": values})


def _raised(value: str) -> Q:
    """By the groups of that name, of which there are few: the index that counts causes has no texts of errors."""
    name = value.rpartition(".")[2].casefold()
    found = Q(fingerprint__in=FailureGroup.objects.filter(error_name=name).values("fingerprint"))
    return found & Q(error_type__iexact=value) if "." in value else found


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
    sql, parameters = _HOLDS[connection.vendor], [f'"{" ".join(words)}" *']
    if connection.vendor == "postgresql":
        parameters = [" & ".join([*words[:-1], f"{words[-1]}:*"])]
        if len(words) > 1:
            sql, parameters = sql + _HOLDS["phrase"], [*parameters, f"% {' '.join(words)}%"]
    return Q(pk__in=RawSQL(sql, parameters))  # noqa: S611 - constant, with parameters


def _nothing() -> Q:
    return Q(pk__in=[])
