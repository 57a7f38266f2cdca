"""A payload as lines of JSON to look at, with what may be a credential masked. Pure.

Numbers stay as they were sent: 18446744073709551615 and 1.10 are shown digit by digit.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["plain", "key", "string", "number", "mask"]

#: A field whose name holds one of these holds a credential. Masking too much hides little; the
#: whole payload is an API call with its own right away.
_SECRET_NAME: Final = re.compile(
    r"authori[sz]ation|passw|passphrase|secret|token|credential|cookie|session|signature"
    r"|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|routing[-_ ]?key|service[-_ ]?key|^pwd$|^auth$|^key$",
    re.IGNORECASE,
)
#: Credentials inside other texts: user:password@ of an address, ?token= of a query, "Bearer …".
_SECRET_IN_TEXT: Final = re.compile(
    r"(?P<address>(?<=://)[^/\s:@]+:[^/\s@]+(?=@))"
    r"|(?P<query>(?<=[?&])(?:[\w.-]*(?:token|secret|passw\w*|key|signature|sig|auth)=)(?P<value>[^&\s\"'#]+))"
    r"|(?P<bearer>\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,})",
    re.IGNORECASE,
)
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


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def show(body: bytes | str) -> Shown:
    """The payload as indented JSON in its own order; not JSON: as one masked text."""
    try:
        value = json.loads(body, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except ValueError:
        value = body.decode(errors="replace") if isinstance(body, bytes) else body
    lines = [tuple(line) for line in _lines(value, 0, secret=False)]
    masked = sum(part.kind == "mask" for line in lines for part in line)
    return Shown(tuple(lines[:MAX_LINES]), masked, max(0, len(lines) - MAX_LINES))


def is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def masked_text(text: str) -> str:
    """A text for people, such as an error message, without the credentials inside it."""
    return _SECRET_IN_TEXT.sub(_cover, text)


def _cover(found: re.Match[str]) -> str:
    if found["query"]:
        return found["query"].removesuffix(found["value"]) + "•••"
    return found["bearer"].split()[0] + " •••" if found["bearer"] else "•••"


def _lines(value: Any, depth: int, *, secret: bool) -> Iterator[list[Part]]:
    """The lines of one value. A secret object or list masks every value in it."""
    pad = "  " * depth
    if isinstance(value, dict | list) and value:
        pairs = list(value.items()) if isinstance(value, dict) else [(None, item) for item in value]
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        yield [Part("plain", opening)]
        for index, (name, item) in enumerate(pairs):
            inner = list(_lines(item, depth + 1, secret=secret or (name is not None and is_secret(name))))
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


def _scalar(value: Any, *, secret: bool) -> list[Part]:
    if secret and value not in (None, "", True, False) and not isinstance(value, dict | list):
        length = len(value)
        return [Part("mask", f"masked, {length} character{'' if length == 1 else 's'}")]
    if isinstance(value, _Number):
        return [Part("number", str(value))]
    if isinstance(value, str):
        return _text(value)
    return [Part("plain", json.dumps(value))]


def _text(value: str) -> list[Part]:
    if len(value) > _LONGEST_TEXT:
        value = f"{value[:_LONGEST_TEXT]}… {len(value) - _LONGEST_TEXT} more characters"
    parts, start = [], 0
    for found in _SECRET_IN_TEXT.finditer(value):
        parts += [Part("string", _quoted(value[start : found.start()])[1:-1]), Part("mask", _cover(found))]
        start = found.end()
    if not parts:
        return [Part("string", _quoted(value))]
    quote = Part("string", '"')
    return [quote, *parts, Part("string", _quoted(value[start:])[1:-1]), quote]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
