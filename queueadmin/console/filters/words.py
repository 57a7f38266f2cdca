"""What plain words of a filter mean: whole words one after the other, of the last its beginning will do. Pure.

Reading jobs and asking the index of dead letters must find the same. Databases split texts in ways of their own, so a
text is split here, and what they get are plain words with spaces between.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    parts: dict[str, None] = {}
    length = 0
    for word in _words(texts):
        if length > LONGEST:
            break
        folded = word.casefold()
        words.append(folded)
        # Most words have no capital: taking those apart too took half of the time.
        if folded != word and len(humps := _HUMPS.split(word)) > 1:
            parts.update(dict.fromkeys(hump.casefold() for hump in humps))
        length += len(word) + 1
    return " ".join([*words, *parts])[:LONGEST]


def asked(text: str) -> list[str]:
    """The words of a search."""
    return [word.casefold() for word in _words([text])]


def stand_in(words: Sequence[str], text: str) -> bool:
    """Whether a search for these words finds a job that `searched` says this of."""
    return bool(words) and f" {' '.join(words)}" in f" {text}"


def _words(texts: Iterable[Any]) -> Iterator[str]:
    for text in texts:
        for word in _SPLIT.findall(str(text or "")):
            yield word[:_WORD]


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
