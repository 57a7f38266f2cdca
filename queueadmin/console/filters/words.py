"""What plain words of a filter mean: whole words one after the other, of the last its beginning will do. Pure.

Reading jobs and asking the index of dead letters must find the same. Databases split texts in ways of their own, so a
text is split here, and what they get are plain words with spaces between.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

#: Characters of one job that are searched.
LONGEST: Final = 20_000
#: Characters of a word. PostgreSQL takes 2,046 bytes of one.
_WORD: Final = 100

_SPLIT: Final = re.compile(r"[^\W_]+")
_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAMES: Final = ("id", "event_id", "kind", "source", "tenant", "title")


def searched(shown: Mapping[str, Any]) -> str:
    """All words of a job, in the shape that `terms` describes, in their order; then the parts of CamelWords.

    One that reaches LONGEST may have more that are not searched.
    """
    error = shown.get("error") or {}
    named = (shown.get(name) for name in _NAMES)
    texts = [*named, error.get("type"), error.get("message"), *_texts(shown.get("payload"))]
    words: list[str] = []
    length = 0
    for text in texts:
        if length > LONGEST:
            break
        found = _words(text)
        words += found
        length += sum(map(len, found)) + len(found)
    # All at once: a step in Python for each of 160 words took a quarter of what indexing takes.
    folded = " ".join(words).casefold().split(" ") if words else []
    parts = {
        hump.casefold(): None
        for word, plain in zip(words, folded, strict=True)
        if word != plain and len(humps := _HUMPS.split(word)) > 1  # most words have no capital
        for hump in humps
    }
    return " ".join([*folded, *parts])[:LONGEST]


def asked(text: str) -> list[str]:
    """The words of a search."""
    return [word.casefold() for word in _words(text)]


def stand_in(words: Sequence[str], text: str) -> bool:
    """Whether a search for these words finds a job that `searched` says this of."""
    return bool(words) and f" {' '.join(words)}" in f" {text}"


def _words(text: Any) -> list[str]:
    found: list[str] = _SPLIT.findall(str(text or ""))
    return [word[:_WORD] for word in found]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
