"""A payload as lines of JSON to look at, with what may be a credential masked. Pure.

Numbers stay as they were sent: 18446744073709551615 and 1.10 are shown digit by digit.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.conf import settings

from ingest.credentials import IN_TEXT, cover, is_secret, masked_text

__all__ = ["Number", "Part", "Shown", "is_secret", "masked_text", "masked_traceback", "show"]

Kind = Literal["plain", "key", "string", "number", "mask"]

#: Lines shown; the rest is counted. An event may hold 256 KiB.
MAX_LINES: Final = 400
_LONGEST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Part:
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """`lines` to print, how many values were `masked`, how many lines were `left_out`."""

    lines: tuple[tuple[Part, ...], ...]
    masked: int
    left_out: int


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def show(body: bytes | str, *, revealed: bool = False, most: int = MAX_LINES) -> Shown:
    """The payload as indented JSON in its own order; not JSON: as one masked text. `revealed`: nothing is masked."""
    try:
        value = json.loads(body, parse_int=Number, parse_float=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        value = body.decode(errors="replace") if isinstance(body, bytes) else body
    lines = [tuple(line) for line in _lines(value, 0, secret=None if revealed else False)]
    masked = sum(part.kind == "mask" for line in lines for part in line)
    return Shown(tuple(lines[:most]), masked, max(0, len(lines) - most))


def masked_traceback(text: str) -> str:
    """A traceback for people. Where the programs lie is nobody's business, and makes the lines short."""
    return masked_text(text.replace(f"{settings.BASE_DIR}/", ""))


def _lines(value: Any, depth: int, *, secret: bool | None) -> Iterator[list[Part]]:
    """The lines of one value. A secret object or list masks every value in it; with None nothing is masked."""
    pad = "  " * depth
    if isinstance(value, dict | list) and value:
        pairs = list(value.items()) if isinstance(value, dict) else [(None, item) for item in value]
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        yield [Part("plain", opening)]
        for index, (name, item) in enumerate(pairs):
            hidden = None if secret is None else secret or (name is not None and is_secret(name))
            inner = list(_lines(item, depth + 1, secret=hidden))
            head = [Part("plain", pad + "  ")]
            if name is not None:
                head += [Part("key", _quoted(name)), Part("plain", ": ")]
            inner[0] = head + inner[0]
            if index < len(pairs) - 1:
                inner[-1] = [*inner[-1], Part("plain", ",")]
            yield from inner
        yield [Part("plain", pad + closing)]
    else:
        yield _scalar(value, secret=secret)


def _scalar(value: Any, *, secret: bool | None) -> list[Part]:
    if secret and value not in (None, "", True, False) and not isinstance(value, dict | list):
        length = len(value)
        return [Part("mask", f"masked, {length} character{'' if length == 1 else 's'}")]
    if isinstance(value, Number):
        return [Part("number", str(value))]
    if isinstance(value, str):
        return _text(value) if secret is not None else [Part("string", _quoted(value))]
    return [Part("plain", json.dumps(value))]


def _text(value: str) -> list[Part]:
    if len(value) > _LONGEST_TEXT:
        value = f"{value[:_LONGEST_TEXT]}… {len(value) - _LONGEST_TEXT} more characters"
    parts, start = [], 0
    for found in IN_TEXT.finditer(value):
        parts += [Part("string", _quoted(value[start : found.start()])[1:-1]), Part("mask", cover(found))]
        start = found.end()
    if not parts:
        return [Part("string", _quoted(value))]
    quote = Part("string", '"')
    return [quote, *parts, Part("string", _quoted(value[start:])[1:-1]), quote]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
