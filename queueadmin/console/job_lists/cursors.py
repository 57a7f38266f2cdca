"""Where a page of jobs ended: in which segment, and where in it; and how many were looked at until there.

It holds ids of jobs that were looked at. Whoever is bound to a tenant gets it sealed, since they may be others' jobs.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from ingest.reading.cursors import BadCursor, Place, as_cursor, read_cursor

#: Beside the segment's name, in front of those of its places.
_SEPARATOR: Final = "|"
#: Stands for a place's name beside the number of those looked at.
_COUNT: Final = "#"
#: Characters that no cursor of ours reaches: a place for each of four queues, of ids of 255 characters.
_LONGEST: Final = 8_000
#: Jobs that nobody has looked at in one list.
_MOST: Final = 1e12


@dataclass(frozen=True, slots=True)
class Reached:
    segment: str
    stood: Mapping[str, Place]
    #: On this page and all before.
    looked_at: int


def write(reached: Reached, *, sealed: bool) -> str:
    counted = {_COUNT: (float(reached.looked_at), ""), **reached.stood}
    text = as_cursor({f"{reached.segment}{_SEPARATOR}{name}": place for name, place in counted.items()})
    return _box(settings.SECRET_KEY).encrypt(text.encode()).decode() if sealed else text


def read(given: str, *, sealed: bool) -> Reached:
    """Raises BadCursor."""
    try:
        if len(given) > _LONGEST:
            raise BadCursor
        text = _box(settings.SECRET_KEY).decrypt(given.encode()).decode() if sealed else given
    except (InvalidToken, ValueError) as error:
        raise BadCursor from error
    places = [(*name.partition(_SEPARATOR), place) for name, place in read_cursor(text).items()]
    segments = {segment for segment, *_ in places}
    stood = {name: place for _, _, name, place in places if name}
    looked_at, _ = stood.pop(_COUNT, (0.0, ""))
    if len(segments) != 1 or not 0 <= looked_at <= _MOST:
        raise BadCursor
    return Reached(segments.pop(), stood, int(looked_at))


@cache
def _box(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(sha256(b"cursors of job lists" + secret.encode()).digest()))
