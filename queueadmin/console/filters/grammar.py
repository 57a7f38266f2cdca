"""Text → Filter: terms with spaces between, `key:value` or plain words; comma is or, `-` not, quotes keep together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from ingest.priorities import PRIORITIES
from ingest.queue.shapes import Reason
from queueadmin.console.filters.filter import Filter
from queueadmin.console.filters.terms import KEY, Field, Payload, Term, Time, Words
from queueadmin.console.filters.times import DURATIONS, MAX_DAYS, MOMENTS, ago, moment
from queueadmin.console.filters.words import asked

KEYS: Final = (
    *("kind", "source", "tenant", "queue", "state", "error", "reason", "permanent", "group", "replay", "id"),
    *("since", "until", "older", "payload.<path>"),
)
#: Of dead letters that somebody marked, and of all others.
MARKED: Final = ("yes", "no")
STATES: Final = (*("spooled", "queued", "scheduled", "retrying", "started", "finished", "failed", "trash", "canceled"),)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What can be asked of one sort of things."""

    #: What one of them is called.
    thing: str
    #: One that takes a path ends in `.<name>`.
    keys: tuple[str, ...]
    #: Keys with a fixed set of words.
    allowed: Mapping[str, tuple[str, ...]]
    #: The key that takes a path, and an example of one.
    path: tuple[str, str] | None = None
    #: Whether plain texts are looked for word by word, so that one without any is refused.
    by_words: bool = False


JOBS: Final = Vocabulary(
    "job",
    KEYS,
    {"queue": tuple(map(str, PRIORITIES)), "state": STATES, "reason": get_args(Reason), "permanent": MARKED},
    ("payload", "payload.labels.host:db-1"),
    by_words=True,
)
#: A filter comes from outside, and each of its terms is asked of each of many jobs.
MAX_TERMS: Final = 50
MAX_LENGTH: Final = 2000

_TIMES: Final = ("since", "until", "older")
_BARE: Final = re.compile(r"[^\s,\"]*")
_QUOTED: Final = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\([\\\"])")
#: What no JSON, no database and no job id can hold.
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
#: Characters of a term that an error repeats.
_SHOWN: Final = 60


class FilterError(ValueError):
    """The text is no filter; the message names the `term` and what is allowed."""

    def __init__(self, term: str, sentence: str) -> None:
        shown = term if len(term) <= _SHOWN else f"{term[:_SHOWN]}…"
        super().__init__(f"{shown}: {sentence}" if term else sentence)
        self.term = term


def parse(text: str, vocabulary: Vocabulary = JOBS) -> Filter:
    """The filter that the text says; "" matches everything. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError("", f"a filter has at most {MAX_LENGTH:,} characters, not {len(text):,}.")
    if _NO_TEXT.search(text):
        raise FilterError("", "a filter must be text; this has a character that no text has.")
    terms: list[Term] = []
    place = _after_space(text, 0)
    while place < len(text):
        if len(terms) == MAX_TERMS:
            raise FilterError(_term(text, place), f"a filter has at most {MAX_TERMS} terms.")
        term, place = _read(text, place, vocabulary)
        terms.append(term)
        place = _after_space(text, place)
    return Filter(tuple(terms))


def _read(text: str, start: int, vocabulary: Vocabulary) -> tuple[Term, int]:
    """The term that begins here, and where it ends."""
    place = start
    negated = text[place] == "-"
    place += negated
    found = KEY.match(text, place)
    if found is None:
        values, place = _values(text, start, place, "a text")
        if "" in values:
            raise FilterError(text[start:place], f"an empty text stands in every {vocabulary.thing}; leave it out.")
        if vocabulary.by_words and not all(map(asked, values)):
            raise FilterError(text[start:place], "a text is looked for word by word; it needs a letter or a digit.")
        return Words(values, negated), place
    key, path = found[1], found[2]
    _known(text, start, key, path, vocabulary)
    values, place = _values(text, start, found.end(), f"a value, as in {_EXAMPLES.get(key, key + ':alert')}")
    term = text[start:place]
    if path is not None:
        return Payload(path, values, negated, key), place
    if key in _TIMES:
        return _time(term, key, values, negated=negated), place
    allowed = vocabulary.allowed.get(key)
    for value in values:
        if allowed and value not in allowed:
            raise FilterError(term, f"{key} is one of {', '.join(allowed)}, not {_named(value)}.")
    return Field(key, values, negated), place


_EXAMPLES: Final = {
    "source": "source:prometheus",
    "tenant": "tenant:acme",
    "queue": "queue:high",
    "state": "state:failed",
    "error": "error:ValueError",
    "reason": "reason:timeout",
    "permanent": "permanent:yes",
    "group": "group:4f1c09ab7e52",
    "replay": "replay:17",
    "id": "id:disk-db-1",
    "since": "since:2h",
    "until": "until:15m",
    "older": "older:7d",
    "payload": "payload.labels.host:db-1",
    "label": "label.host:db-1",
    "severity": "severity:critical",
    "by": "by:ada",
    "action": "action:pause",
    "target": "target:low",
    "outcome": "outcome:failed",
}


def _known(text: str, start: int, key: str, path: str | None, vocabulary: Vocabulary) -> None:
    term = _term(text, start)
    with_path, shown = vocabulary.path or ("", "")
    if key == with_path:
        if not path or "" in path.split("."):
            raise FilterError(term, f"{key} takes a path of names with dots between, as in {shown}.")
    elif path is not None or key not in vocabulary.keys:
        name = key if path is None else f"{key}.{path}"
        raise FilterError(
            term,
            f"there is no key {name}; keys are {', '.join(vocabulary.keys)}."
            " To look for it as text, put it in double quotes.",
        )


def _values(text: str, start: int, place: int, needed: str) -> tuple[tuple[str, ...], int]:
    """One value, or several with commas between, up to the next space or the end."""
    values: list[str] = []
    while True:
        if text.startswith('"', place):
            found = _QUOTED.match(text, place)
            if found is None:
                raise FilterError(text[start:], "the double quote is not closed.")
            values.append(_ESCAPE.sub(r"\1", found[1]))
            place = found.end()
            if place < len(text) and text[place] != "," and not text[place].isspace():
                raise FilterError(_term(text, start), "after a closing quote comes a space or a comma.")
        else:
            found = _BARE.match(text, place)
            assert found is not None  # noqa: S101 - it matches the empty text too
            if not found[0]:
                raise FilterError(_term(text, start), f"{needed} is missing; an empty one is written with quotes.")
            values.append(found[0])
            place = found.end()
            if text.startswith('"', place):
                raise FilterError(
                    _term(text, start),
                    'a double quote stands inside a value; put the whole value in quotes, with \\" in it.',
                )
        if not text.startswith(",", place):
            return tuple(values), place
        place += 1


def _time(term: str, key: str, values: tuple[str, ...], *, negated: bool) -> Time:
    if negated:
        other = {"since": "until", "until": "since", "older": "since"}[key]
        raise FilterError(term, f"a time cannot be negated; use {other}:.")
    if len(values) > 1:
        raise FilterError(term, f"{key} takes one value.")
    when = ago(values[0]) or (moment(values[0]) if key != "older" else None)
    if when is None:
        wanted = DURATIONS if key == "older" else MOMENTS
        raise FilterError(term, f"{key} takes {wanted}, of at most {MAX_DAYS:,} days, not {_named(values[0])}.")
    return Time(key, when)


def _term(text: str, start: int) -> str:
    """What stands from here to the next space."""
    found = re.compile(r"\S*").match(text, start)
    return found[0] if found else ""


def _named(value: str) -> str:
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    return f'"{shown}"'


def _after_space(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place
