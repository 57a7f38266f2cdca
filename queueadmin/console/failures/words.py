"""The words by which a failure is found, and those that a search asks for. Pure.

Both databases split texts in ways of their own. So that a search finds the same in both, a text is split here, and
what they get are plain words with spaces between.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

#: Characters of one failure that are searched; what stands behind is found by reading the job.
LONGEST: Final = 20_000
#: Characters of a word. PostgreSQL takes 2,046 bytes of one.
_WORD: Final = 100

_SPLIT: Final = re.compile(r"[^\W_]+")
_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAMES: Final = ("id", "event_id", "kind", "source", "tenant", "title")


def searched(shown: Mapping[str, Any]) -> str:
    """All words of a dead letter, as `dead_letters.Record` shows it, in their order; then the parts of CamelWords."""
    error = shown["error"]
    texts = [*(shown[name] for name in _NAMES), error["type"], error["message"], *_texts(shown["payload"])]
    words: list[str] = []
    parts: dict[str, None] = {}
    length = 0
    for word in _words(texts):
        if length > LONGEST:
            break
        words.append(word.casefold())
        humps = _HUMPS.split(word)
        if len(humps) > 1:
            parts.update(dict.fromkeys(hump.casefold() for hump in humps))
        length += len(word) + 1
    return " ".join([*words, *parts])[:LONGEST]


def asked(text: str) -> list[str]:
    """The words of a search, to be found one after the other; of the last its beginning will do."""
    return [word.casefold() for word in _words([text])]


def _words(texts: Iterable[Any]) -> Iterator[str]:
    for text in texts:
        for found in _SPLIT.finditer(str(text or "")):
            yield found[0][:_WORD]


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
