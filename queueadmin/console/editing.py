"""An event as text to edit, with its credentials covered; and from the edited text the event, with them again. Pure.

Numbers stay as they were written. What is still covered after the edit keeps the value that it had.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from ingest.credentials import COVER, is_secret, masked_text
from queueadmin.console.masking import Number, Part, show
from queueadmin.console.visible import visible

#: Unchanged lines shown beside a changed one.
_AROUND: Final = 2
#: Lines of an event that are compared: one of 256 KiB may have as many.
_COMPARED: Final = 20_000
_MISSING: Final = object()

Sign = Literal[" ", "-", "+", "…"]


class EditError(ValueError):
    """The text is no event, or it is not clear what a covered value in it was. The message says where."""


@dataclass(frozen=True, slots=True)
class Line:
    """Of a difference: taken away, added, the same, or some that are the same and left out."""

    sign: Sign
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    lines: tuple[Line, ...]
    #: Lines that were taken away or added; a line that was changed is one.
    changed: int
    #: Those of them that look the same, since a credential in them changed.
    covered: int

    @property
    def summary(self) -> str:
        """One line, for the audit log: what was there, and what is there now, without credentials."""
        signed = [line for line in self.lines if line.sign in "+-"]
        return " ".join(f"{line.sign}{''.join(part.text for part in line.parts).strip()}" for line in signed)


def editable(body: bytes) -> str:
    """The event, indented, without its credentials. Raises EditError when it is no JSON."""
    return visible(_written(_covered(_read(body))))


def edited(text: str, body: bytes) -> bytes:
    """The event that the edited text says: one JSON object. Raises EditError."""
    event = _read(text.encode(errors="surrogatepass"))
    if not isinstance(event, dict):
        raise EditError("An event is one JSON object, in braces.")
    try:
        return _packed(_uncovered(event, _read(body), "", secret=False)).encode()
    except UnicodeEncodeError:
        raise EditError("A text holds half of a surrogate pair.") from None


def difference(before: bytes, after: bytes) -> Difference:
    """What the edit changes, line by line, without credentials."""
    lines, whole = (
        list(_compared(*(show(body, revealed=revealed, most=_COMPARED).lines for body in (before, after))))
        for revealed in (False, True)
    )
    shown, changed = _changed(lines), _changed(whole)
    return Difference(tuple(lines), changed, max(0, changed - shown))


def _changed(lines: Sequence[Line]) -> int:
    return max(sum(line.sign == sign for line in lines) for sign in "-+")


def _compared(old: Sequence[tuple[Part, ...]], new: Sequence[tuple[Part, ...]]) -> Iterator[Line]:
    texts = [["".join(part.text for part in line) for line in each] for each in (old, new)]
    # Lines that stand everywhere are no anchors: without that, a long list of one number would take minutes.
    matcher = difflib.SequenceMatcher(a=texts[0], b=texts[1], autojunk=True)
    reached = 0
    for group in matcher.get_grouped_opcodes(_AROUND):
        if group[0][1] > reached:
            yield Line("…", ())
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (Line(" ", line) for line in old[i1:i2])
            else:
                yield from (Line("-", line) for line in old[i1:i2])
                yield from (Line("+", line) for line in new[j1:j2])
            reached = i2
    if 0 < reached < len(old):
        yield Line("…", ())


def _covered(value: Any, *, secret: bool = False) -> Any:
    if isinstance(value, dict):
        return {name: _covered(item, secret=secret or is_secret(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_covered(item, secret=secret) for item in value]
    if isinstance(value, Number):
        return COVER if secret else value
    if isinstance(value, str):
        return COVER if secret and value else masked_text(value)
    return value


def _uncovered(new: Any, old: Any, path: str, *, secret: bool) -> Any:
    """`secret` is what the old value at this path was held for."""
    if isinstance(new, dict):
        was = old if isinstance(old, dict) else {}
        return {
            name: _uncovered(
                item, was.get(name, _MISSING), f"{path}.{name}" if path else name, secret=secret or is_secret(name)
            )
            for name, item in new.items()
        }
    if isinstance(new, list):
        return _uncovered_list(new, old if isinstance(old, list) else [], path, secret=secret)
    if not isinstance(new, str) or COVER not in new:
        return new
    if old is not _MISSING and _covered(old, secret=secret) == new:
        return old
    raise EditError(
        f"{path} holds {COVER}, which covers a credential, and is not what stood there before. "
        "Leave it as it was, or write the value whole."
    )


def _uncovered_list(new: list[Any], old: list[Any], path: str, *, secret: bool) -> list[Any]:
    """Item by item; where items came or went, by what each looks like covered, if that is only one's."""
    if len(new) == len(old):
        pairs = zip(new, old, strict=True)
        return [_uncovered(item, was, f"{path}.{place}", secret=secret) for place, (item, was) in enumerate(pairs)]
    looks = [_packed(_covered(was, secret=secret)) for was in old]
    found = []
    for place, item in enumerate(new):
        packed = _packed(item)
        alike = {_packed(was): was for was, look in zip(old, looks, strict=True) if look == packed}
        if COVER in packed and len(alike) > 1:
            raise EditError(
                f"In the list {path} items came or went, so it is not clear which value {path}.{place} had. "
                f"Write it in the place of {COVER}, or change the list's length in another edit."
            )
        found.append(_uncovered(item, next(iter(alike.values()), _MISSING), f"{path}.{place}", secret=secret))
    return found


def _read(body: bytes) -> Any:
    try:
        return json.loads(body, parse_int=Number, parse_float=Number, parse_constant=_refuse, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise EditError(f"It is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except UnicodeDecodeError:
        raise EditError("It is not text in UTF-8.") from None
    except RecursionError:
        raise EditError("It is nested too deeply.") from None


def _refuse(word: str) -> NoReturn:
    raise EditError(f"{word} is no number that JSON has.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise EditError(f"{next(name for name in names if names.count(name) > 1)} stands twice in one object.")
    return made


def _written(value: Any, pad: str = "") -> str:
    """Indented JSON with the numbers as they were written."""
    inner = f"{pad}  "
    if isinstance(value, dict) and value:
        items = [f"{inner}{_quoted(name)}: {_written(item, inner)}" for name, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{pad}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + _written(item, inner) for item in value) + f"\n{pad}]"
    return _packed(value)


def _packed(value: Any) -> str:
    """The same in the fewest characters."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{_packed(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_packed, value))}]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
