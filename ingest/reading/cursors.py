"""Keyset cursors: where a page ended in each of the sets that a list is merged from."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import redis

from ingest.reading.fields import text

#: Ties of one score that a cursor steps over, when the very entry it stood on has gone.
_MAX_TIES: Final = 1000

#: An entry of a sorted set: its score and its member.
Place = tuple[float, str]
#: A cursor's content: for each set the place it stood on. It comes back from the client, so it
#: is read strictly: NaN and half a surrogate pair are refused, which Redis would stumble over.
_STOOD: Final = msgspec.json.Decoder(dict[str, Place])


class BadCursor(ValueError):
    """The cursor is not one that a page of this list gave."""


def read_cursor(given: str | None) -> dict[str, Place]:
    """By set, where the page before ended. Raises BadCursor."""
    if not given:
        return {}
    try:
        return _STOOD.decode(base64.urlsafe_b64decode(given.encode() + b"=="))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadCursor("cursor is not one that this list gave") from error


def as_cursor(stood: Mapping[str, tuple[float, str]]) -> str:
    return base64.urlsafe_b64encode(json.dumps(stood, separators=(",", ":")).encode()).decode().rstrip("=")


def newest(client: redis.Redis, key: str, stood: Place | None, count: int) -> list[tuple[str, float]]:
    """The next `count` entries of a sorted set, highest score first, after the one the cursor stood on."""
    if stood is None:
        return _entries(client.zrange(key, 0, count - 1, desc=True, withscores=True))
    score, member = stood
    if client.zscore(key, member) == score:
        rank = client.zrevrank(key, member)
        if isinstance(rank, int):
            return _entries(client.zrange(key, rank + 1, rank + count, desc=True, withscores=True))
    # It was moved meanwhile: step over what ties with it, by Redis' own order within a score.
    ties = _entries(client.zrevrangebyscore(key, repr(score), repr(score), start=0, num=_MAX_TIES, withscores=True))
    rest = [entry for entry in ties if entry[0] < member]
    below = client.zrevrangebyscore(key, f"({score!r}", "-inf", start=0, num=count, withscores=True)
    return (rest + _entries(below))[:count]


def oldest(client: redis.Redis, key: str, stood: Place | None, count: int) -> list[tuple[str, float]]:
    """The same, lowest score first."""
    if stood is None:
        return _entries(client.zrange(key, 0, count - 1, withscores=True))
    score, member = stood
    if client.zscore(key, member) == score:
        rank = client.zrank(key, member)
        if isinstance(rank, int):
            return _entries(client.zrange(key, rank + 1, rank + count, withscores=True))
    ties = _entries(client.zrangebyscore(key, repr(score), repr(score), start=0, num=_MAX_TIES, withscores=True))
    rest = [entry for entry in ties if entry[0] > member]
    above = client.zrangebyscore(key, f"({score!r}", "+inf", start=0, num=count, withscores=True)
    return (rest + _entries(above))[:count]


def _entries(found: Any) -> list[tuple[str, float]]:
    return [(text(member), float(score)) for member, score in found]
