"""Where a page of jobs ended: in which segment, and where in it.

It holds ids of jobs that were looked at. Whoever is bound to a tenant gets it sealed, since they may be others' jobs.
"""

import base64
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from ingest.reading.cursors import BadCursor, Place, as_cursor, read_cursor

#: Beside the segment's name, in front of those of its places.
_SEPARATOR: Final = "|"
#: Characters that no cursor of ours reaches: a place for each of four queues, of ids of 255 characters.
_LONGEST: Final = 8_000


def write(segment: str, stood: Mapping[str, Place], *, sealed: bool) -> str:
    places = {f"{segment}{_SEPARATOR}{name}": place for name, place in stood.items()}
    text = as_cursor(places or {f"{segment}{_SEPARATOR}": (0.0, "")})
    return _box(settings.SECRET_KEY).encrypt(text.encode()).decode() if sealed else text


def read(given: str, *, sealed: bool) -> tuple[str, dict[str, Place]]:
    """The segment and the places in it. Raises BadCursor."""
    try:
        if len(given) > _LONGEST:
            raise BadCursor("cursor is not one that this list gave")
        text = _box(settings.SECRET_KEY).decrypt(given.encode()).decode() if sealed else given
    except (InvalidToken, ValueError) as error:
        raise BadCursor("cursor is not one that this list gave") from error
    places = [(*name.partition(_SEPARATOR), place) for name, place in read_cursor(text).items()]
    segments = {segment for segment, *_ in places}
    if len(segments) != 1:
        raise BadCursor("cursor is not one that this list gave")
    return segments.pop(), {name: place for _, _, name, place in places if name}


@cache
def _box(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(sha256(b"cursors of job lists" + secret.encode()).digest()))
