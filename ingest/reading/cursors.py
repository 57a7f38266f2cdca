"""Keyset cursors: where a page ended in each of the sets that a list is merged from."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import redis

from ingest.reading.fields import text

#: An entry of a sorted set: its score and its member.
Place = tuple[float, str]
#: A cursor's content: for each set the place it stood on. It comes back from the client, so it
#: is read strictly: NaN and half a surrogate pair are refused, which Redis would stumble over.
_STOOD: Final = msgspec.json.Decoder(dict[str, Place])


class BadCursor(ValueError):
    """The cursor is not one that a page of this list gave."""

    def __init__(self, sentence: str = "cursor is not one that this list gave") -> None:
        super().__init__(sentence)


def read_cursor(given: str | None) -> dict[str, Place]:
    """By set, where the page before ended. Raises BadCursor."""
    if not given:
        return {}
    try:
        return _STOOD.decode(base64.urlsafe_b64decode(given.encode() + b"=="))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadCursor from error


def as_cursor(stood: Mapping[str, tuple[float, str]]) -> str:
    return base64.urlsafe_b64encode(json.dumps(stood, separators=(",", ":")).encode()).decode().rstrip("=")


def moment_of(place: Place) -> datetime:
    """Where a list from the database ended: Unix time and an id. Raises BadCursor when no row can have these."""
    try:
        at = datetime.fromtimestamp(place[0], UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadCursor from error
    if "\0" in place[1]:  # PostgreSQL refuses the question
        raise BadCursor
    return at


def newest(client: redis.Redis, key: str, stood: Place | None, count: int) -> list[tuple[str, float]]:
    """The next `count` entries of a sorted set, highest score first, after the one the cursor stood on."""
    if stood is None:
        return _entries(client.zrange(key, 0, count - 1, desc=True, withscores=True))
    end = _lower(client, key, stood, itself=False)
    below = client.zrange(key, max(0, end - count), end - 1, withscores=True) if end else []
    return _entries(below)[::-1]


def oldest(client: redis.Redis, key: str, stood: Place | None, count: int) -> list[tuple[str, float]]:
    """The same, lowest score first."""
    start = 0 if stood is None else _lower(client, key, stood, itself=True)
    return _entries(client.zrange(key, start, start + count - 1, withscores=True))


def _lower(client: redis.Redis, key: str, place: Place, *, itself: bool) -> int:
    """How many entries come before a place, which may have gone meanwhile; with `itself` those up to it.

    Redis puts those of one score in the order of their bytes, so they are searched by halves: a stock worker's dead
    letters all have the score -1.
    """
    score, member = place
    pipe = client.pipeline(transaction=True)
    pipe.zcount(key, "-inf", f"({score!r}")
    pipe.zcount(key, repr(score), repr(score))
    first, ties = pipe.execute()
    last, sought = first + ties, member.encode()
    while first < last:
        middle = (first + last) // 2
        found: Any = client.zrange(key, middle, middle)
        if found and (found[0] < sought or (itself and found[0] == sought)):
            first = middle + 1
        else:
            last = middle
    return int(first)


def _entries(found: Any) -> list[tuple[str, float]]:
    return [(text(member), float(score)) for member, score in found]
