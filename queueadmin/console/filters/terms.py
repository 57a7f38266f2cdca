"""The terms of a filter: how each is written, and which records it matches.

A record is a job in the contract's shape, as a mapping with aware datetimes, and beside it, where they are known,
`title`, `group` and `payload` (the event as it was sent, without credentials). What is missing is empty.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from queueadmin.console.filters.times import Ago, written
from queueadmin.console.filters.words import asked, searched, stand_in

#: What looks like a key and its colon at the start of a term.
KEY: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(?:\.([^\s:,\"]*))?:")
_QUOTED: Final = re.compile(r"[\s,\"]")
#: Backslashes that would be read as an escape: before a quote, before another one, at the end.
_ESCAPED: Final = re.compile(r"\\(?=[\\\"]|\Z)|\"")


class Seen:
    """One record, and what several terms ask of it."""

    def __init__(self, record: Mapping[str, Any], now: datetime) -> None:
        self.record = record
        self.now = now

    @cached_property
    def error(self) -> Mapping[str, Any]:
        return self.record.get("error") or {}

    @cached_property
    def at(self) -> datetime | None:
        """When it failed; for what did not fail, when it was queued, else received."""
        moments = (self.error.get("at") if self.record.get("state") == "failed" else None,)
        found = (*moments, self.record.get("enqueued_at"), self.record.get("received_at"))
        return next((moment for moment in found if isinstance(moment, datetime)), None)

    @cached_property
    def text(self) -> str:
        """All that plain words are looked for in."""
        return searched(self.record)

    def values(self, key: str) -> Sequence[str]:
        match key:
            case "id":
                return [_text(self.record.get("id")), _text(self.record.get("event_id"))]
            case "reason":
                return [_text(self.error.get("reason"))]
            case "permanent":
                return ["yes" if self.record.get("permanent") else "no"]
            case _:
                return [_text(self.record.get(key))]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of any of these texts stand in the record one after the other: see `words`."""

    values: tuple[str, ...]
    negated: bool = False

    def matches(self, seen: Seen) -> bool:
        return any(stand_in(asked(value), seen.text) for value in self.values) is not self.negated

    def __str__(self) -> str:
        first = self.values[0]
        alone = KEY.match(first) or (first.startswith("-") and not self.negated)
        return _sign(self.negated) + ",".join([_quoted(first, force=bool(alone)), *map(_quoted, self.values[1:])])


@dataclass(frozen=True, slots=True)
class Field:
    """The field is exactly one of these; "" is one that is missing. Of `error`, what follows its last dot will do."""

    key: str
    values: tuple[str, ...]
    negated: bool = False

    def matches(self, seen: Seen) -> bool:
        if self.key == "error":
            whole = _text(seen.error.get("type")).casefold()
            had: Sequence[str] = (whole, whole.rpartition(".")[2])
            wanted: Sequence[str] = [value.casefold() for value in self.values]
        else:
            had, wanted = seen.values(self.key), self.values
        return any(value in wanted for value in had) is not self.negated

    def __str__(self) -> str:
        return f"{_sign(self.negated)}{self.key}:{','.join(map(_quoted, self.values))}"


@dataclass(frozen=True, slots=True)
class Payload:
    """At this path of the event, or of the field `payload` in it, stands one of these; "" is nothing at all."""

    path: str
    values: tuple[str, ...]
    negated: bool = False
    #: As it is written before the path.
    key: str = "payload"

    def matches(self, seen: Seen) -> bool:
        event = seen.record.get("payload")
        parts = self.path.split(".")
        found = [*_at(event, parts), *(_at(event.get("payload"), parts) if isinstance(event, dict) else ())]
        met = any(_is(value, text) for value in found for text in self.values) or (not found and "" in self.values)
        return met is not self.negated

    def __str__(self) -> str:
        return f"{_sign(self.negated)}{self.key}.{self.path}:{','.join(map(_quoted, self.values))}"


@dataclass(frozen=True, slots=True)
class Time:
    """`since` this moment, that included; `until` it, that excluded; `older` than so long."""

    key: str
    when: Ago | datetime

    def moment(self, now: datetime) -> datetime:
        return now - self.when.length if isinstance(self.when, Ago) else self.when

    def matches(self, seen: Seen) -> bool:
        if seen.at is None:
            return False
        moment = self.moment(seen.now)
        return seen.at >= moment if self.key == "since" else seen.at < moment

    def __str__(self) -> str:
        return f"{self.key}:{self.when if isinstance(self.when, Ago) else written(self.when)}"


Term = Words | Field | Payload | Time


def _sign(negated: bool) -> str:
    return "-" if negated else ""


def _quoted(value: str, *, force: bool = False) -> str:
    if value and not force and not _QUOTED.search(value):
        return value
    return '"' + _ESCAPED.sub(lambda found: "\\" + found[0], value) + '"'


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """What stands at the path. A name may hold dots itself; in a list, each of its items is looked at."""
    if not path:
        yield value
    elif isinstance(value, dict):
        for count in range(1, len(path) + 1):
            name = ".".join(path[:count])
            if name in value:
                yield from _at(value[name], path[count:])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _at(item, path[1:] if path[0] == str(index) else path)


def _is(value: Any, text: str) -> bool:
    match value:
        case str():
            return value == text
        case None:
            return text in ("null", "")
        case bool():
            return text == ("true" if value else "false")
        case int():
            return str(value) == text
        case float():
            try:
                return float(text) == value
            except ValueError:
                return False
        case list():
            return any(_is(item, text) for item in value if not isinstance(item, list | dict))
    return False
