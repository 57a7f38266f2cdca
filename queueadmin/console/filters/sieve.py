"""What a filter cannot match, told from an event's bytes as they are, before they are decoded and masked. Pure.

Decoding and masking an event of 1 KB takes 155 µs, this 3. It only ever rules out: what it lets through is decoded,
masked and asked again, so that no filter finds a credential.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ingest.credentials import COVER
from queueadmin.console.filters.terms import Payload, Term, Words
from queueadmin.console.filters.words import asked

#: What JSON may write in another way than it reads: it parts a text into pieces that stand in JSON as they are.
_PARTING: Final = re.compile(r'[\s"\\/\x00-\x1f]+')
#: May be a part of a number. Of one with a fraction or an exponent, JSON and Python have different texts.
_NUMBER: Final = re.compile(r"[0-9.e+-]+")
_FRACTION: Final = re.compile(r'(?:"\s*:|[\[,])\s*(-?[0-9]+(?:\.[0-9]+(?:e[+-]?[0-9]+)?|e[+-]?[0-9]+))')
#: Any character may be written so.
_ESCAPE: Final = "\\u"


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    #: It may stand in a number.
    is_number: bool
    #: It is one, and looked for as one.
    number: float | None = None


class Sieve:
    """Of a filter, the terms that plain texts can rule out."""

    def __init__(self, terms: Iterable[Term]) -> None:
        asked = (_alternatives(term) for term in terms if isinstance(term, Words | Payload) and not term.negated)
        #: Each must be met, by one of its alternatives, all of whose pieces must stand in the text.
        self._asked = tuple(each for each in asked if all(each))

    def __bool__(self) -> bool:
        """Whether it can rule out anything."""
        return bool(self._asked)

    def passes(self, text: str) -> bool:
        """False: no record can match whose event, and whatever else is looked in, are this JSON and these texts."""
        if not self._asked or _ESCAPE in text:
            return True
        folded = text.casefold()
        return all(any(_stands(pieces, folded) for pieces in alternatives) for alternatives in self._asked)


def _stands(pieces: tuple[_Piece, ...], folded: str) -> bool:
    return all(piece.text in folded or (piece.is_number and _is_in_a_fraction(piece, folded)) for piece in pieces)


def _is_in_a_fraction(piece: _Piece, folded: str) -> bool:
    for found in _FRACTION.finditer(folded):
        value = float(found[1])
        if value == piece.number or piece.text in str(value):
            return True
    return False


def _alternatives(term: Words | Payload) -> tuple[tuple[_Piece, ...], ...]:
    """An empty one cannot be ruled out."""
    return tuple(_pieces(value, is_exact=isinstance(term, Payload)) for value in term.values)


def _pieces(value: str, *, is_exact: bool) -> tuple[_Piece, ...]:
    if COVER[0] in value or (is_exact and value == "null"):
        return ()
    if is_exact and (number := _as_number(value)) is not None:
        return (_Piece(value.casefold(), is_number=True, number=number),)
    found = filter(None, map(str.casefold, _PARTING.split(value))) if is_exact else asked(value)
    return tuple(_Piece(text, _NUMBER.fullmatch(text) is not None) for text in found)


def _as_number(value: str) -> float | None:
    """As Python reads it: `1_0` and ` 1e1` are ten too."""
    try:
        return float(value)
    except ValueError:
        return None
