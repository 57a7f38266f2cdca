"""From a body's bytes to its events' bytes, strictly.

An event is kept byte for byte, so what every later reader would stumble over must be refused here:
duplicate keys (each parser takes another one), NUL and lone surrogates (PostgreSQL refuses them),
NaN, numbers without a value, text that is not UTF-8. Each event is judged alone.

msgspec parses in 2 µs an alert and refuses most of that, but lets NUL and duplicate keys through.
Both are looked for with counts that differ whenever there may be one; only then, the slow exact way decides.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import msgspec

from ingest.api import limits
from ingest.api.problems import Problem, ProblemError

#: A string, closed or running to the end, or one mark of structure. No way back into a string, so
#: the time is linear whatever the input.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},:]', re.DOTALL)
_KEY_END: Final = re.compile(rb'"[ \t\r\n]*:')
_ARRAY: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*\[")
_SPACE: Final = b" \t\r\n"
#: Bytes that a key takes at least, with its value and the comma: `"":1,`.
_SMALLEST_KEY: Final = 5
#: Above this many commas an array is split by counting, which stops at the limit of items, rather
#: than by msgspec, which would first make an object of each.
_MANY_COMMAS: Final = 200_000

_ANY: Final = msgspec.json.Decoder()
_SLICES: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Bound:
    """How many items a body may hold."""

    most: int
    exceeded: Callable[[], ProblemError]


_EVENTS: Final = Bound(limits.ITEMS, limits.too_many_items)
POINTS: Final = Bound(limits.POINTS, limits.too_many_points)


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event of a body, not yet parsed."""

    raw: bytes
    #: Its line in NDJSON, from 1; None elsewhere.
    line: int | None = None


class Refused(Exception):
    """This one event cannot be taken; its neighbours can."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def split_json(body: bytes, bound: Bound = _EVENTS) -> tuple[list[Item], bool]:
    """The events of one object or of an array of them, and whether it was an array.

    Raises ProblemError: 400 when the array itself is broken, 413 for too many.
    """
    body = body.strip(_SPACE)
    if body[:1] != b"[":
        return [Item(body)], False
    if body.count(b",") <= _MANY_COMMAS:
        try:
            slices = [bytes(raw) for raw in _SLICES.decode(body)]
        except (msgspec.DecodeError, RecursionError):
            slices = _split_array(body, bound)
    else:
        slices = _split_array(body, bound)
    return _bounded([Item(part) for part in slices], bound), True


def array_of(body: bytes, name: str) -> bytes | None:
    """The array that an object's member holds, found by brackets alone: something in it may be no JSON. None: none."""
    depth = 0
    start = None
    wanted = b'"' + name.encode() + b'"'
    for token in _TOKEN.finditer(body):
        mark = body[token.start()]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
            if start is not None and depth == 1:
                return body[start : token.end()]
        elif start is None and depth == 1 and token[0] == wanted:
            opened = _ARRAY.match(body, token.end())
            start = opened.end() - 1 if opened else None
    return None


def split_lines(body: bytes, bound: Bound = _EVENTS) -> list[Item]:
    """The events of NDJSON; blank lines are skipped. Raises ProblemError 413 for too many."""
    if body.count(b"\n") > 2 * bound.most:
        raise bound.exceeded()
    stripped = (line.strip(_SPACE) for line in body.split(b"\n"))
    return _bounded([Item(line, number) for number, line in enumerate(stripped, 1) if line], bound)


def parse(raw: bytes, *, most: int = limits.ITEM_BYTES) -> dict[str, Any]:
    """The fields of one event. Raises Refused, with 413 for a broken limit, else 400 or 422."""
    if len(raw) > most:
        raise Refused(limits.item_too_large(most))
    many_keys = len(raw) > limits.KEYS * _SMALLEST_KEY and raw.count(b":") > limits.KEYS
    if many_keys or raw.count(b"{") + raw.count(b"[") > limits.DEPTH:
        _measure(raw)
    try:
        event = _ANY.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _explain(raw, error)
    if not isinstance(event, dict):
        raise _refused(422, "wrong_type", "Not an event", "An event must be a JSON object.")
    keys, texts = _count(event)
    escapes = b"\\" in raw
    # Without escapes no text holds a quote, so there are two for each key and each text. Else a pattern tells: it takes
    # 3 µs instead of 0.5, and also finds what only looks like a key, inside a text.
    if len(_KEY_END.findall(raw)) != keys if escapes else raw.count(b'"') != 2 * (keys + texts):
        _refuse_duplicate_keys(raw)
    if escapes and b"\\u0000" in raw and _has_character(event, _NUL):
        raise _refused(422, "nul_character", "NUL in a text", "A text holds the character U+0000.")
    return event


def _bounded(items: list[Item], bound: Bound) -> list[Item]:
    if len(items) > bound.most:
        raise bound.exceeded()
    return items


def _split_array(body: bytes, bound: Bound) -> list[bytes]:
    """The items of an array, by its brackets alone: an item may be anything between two commas.

    Raises ProblemError: 400 when brackets do not match or an item is empty, 413 for too many.
    """
    opened = bytearray()
    slices: list[bytes] = []
    start = end = 0
    for token in _TOKEN.finditer(body):
        mark = body[token.start()]
        if mark in b"[{":
            if not opened:
                start = token.end()
            opened.append(mark)
        elif mark in b"]}":
            if not opened or opened.pop() + 2 != mark:  # in ASCII each bracket closes two further on
                raise _broken(token.start())
            if not opened:
                end = token.end()
                break
        elif mark == ord(",") and len(opened) == 1:
            slices.append(body[start : token.start()].strip(_SPACE))
            start = token.end()
            if len(slices) > bound.most:
                raise bound.exceeded()
    if end != len(body):
        raise _broken(end or len(body))
    last = body[start : end - 1].strip(_SPACE)
    if slices or last:
        slices.append(last)
    if not all(slices):
        raise _broken(body.find(b","))
    return slices


def _measure(raw: bytes) -> None:
    """Count levels and keys exactly, leaving out what stands inside strings. Raises Refused."""
    depth = keys = 0
    for token in _TOKEN.finditer(raw):
        mark = raw[token.start()]
        if mark in b"[{":
            depth += 1
            if depth > limits.DEPTH:
                raise Refused(limits.too_deep())
        elif mark in b"]}":
            depth -= 1
        elif mark == ord(":"):
            keys += 1
            if keys > limits.KEYS:
                raise Refused(limits.too_many_keys())


def _count(event: dict[str, Any]) -> tuple[int, int]:
    """Keys in all objects of an event, and values that are texts; a key given twice was parsed to one."""
    keys = texts = 0
    holders: list[Any] = [event]
    for holder in holders:  # it grows meanwhile
        if type(holder) is dict:
            keys += len(holder)
            holder = holder.values()
        for value in holder:
            kind = type(value)
            if kind is str:
                texts += 1
            elif kind is dict or kind is list:
                holders.append(value)
    return keys, texts


def _refuse_duplicate_keys(raw: bytes) -> None:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            names = [name for name, _ in found]
            twice = next(name for name in names if names.count(name) > 1)
            shown = twice[:100]
            raise _refused(422, "duplicate_key", "A key twice", f"The key {shown!r} stands twice.", field=shown)
        return made

    json.loads(raw, object_pairs_hook=pairs)


_NUL: Final = re.compile("\x00")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _has_character(value: Any, pattern: re.Pattern[str]) -> bool:
    """Whether a key or a text anywhere in the value matches."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if pattern.search(value):
                return True
        elif isinstance(value, dict):
            left.extend(value.keys())
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
    return False


def _explain(raw: bytes, error: Exception) -> NoReturn:
    """The reason why msgspec refused it, found the slow way. Raises Refused."""

    def not_a_number(name: str) -> NoReturn:
        raise _refused(400, "not_a_number", "Not a number", f"{name} is not JSON.")

    if isinstance(error, UnicodeDecodeError):
        raise _refused(400, "invalid_utf8", "Not UTF-8", "The event is not valid UTF-8.") from None
    if isinstance(error, msgspec.ValidationError):
        detail = "A number is too large, or has more than 4,299 digits."
        raise _refused(422, "number_out_of_range", "Number out of range", detail) from None
    try:
        loose = json.loads(raw, parse_constant=not_a_number)
    except UnicodeDecodeError:
        raise _refused(400, "invalid_utf8", "Not UTF-8", "The event is not valid UTF-8.") from None
    except (ValueError, RecursionError):
        pass
    else:
        if _has_character(loose, _SURROGATE):
            detail = "A text holds half of a surrogate pair."
            raise _refused(422, "lone_surrogate", "Half a character", detail) from None
    raise _refused(400, "malformed_json", "Not JSON", f"The event is not JSON: {_sentence(error)}") from None


def _sentence(error: Exception) -> str:
    text = str(error).removeprefix("JSON is malformed: ")
    return "it ends too early." if text == "Input data was truncated" else f"{text}."


def _broken(position: int) -> ProblemError:
    return ProblemError(
        Problem(400, "malformed_json", "Not JSON", f"The array is not JSON near byte {position}; nothing was stored.")
    )


def _refused(status: int, code: str, title: str, detail: str, **extra: Any) -> Refused:
    return Refused(Problem(status, code, title, detail, **extra))
