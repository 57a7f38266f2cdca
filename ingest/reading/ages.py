"""How old an id is that tells its time: the difference between a job that never was and one that is gone."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

#: The longest that rows of events are kept.
RETENTION: Final = timedelta(days=30)
#: Ids of ours are younger: one that looks older is no time, but a digest that looks like one.
_BEGINNING: Final = datetime(2025, 1, 1, tzinfo=UTC)
#: In milliseconds; a calendar ends.
_END: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000


def made_at(given: str) -> datetime | None:
    """When a time-ordered id (UUIDv7) was made; None: it does not say."""
    try:
        known = uuid.UUID(given)
    except ValueError:
        return None
    if known.version != 7 or known.hex != given:
        return None
    milliseconds = known.int >> 80
    if milliseconds >= _END:
        return None
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at if at >= _BEGINNING else None


def is_past(given: str, kept: timedelta = RETENTION) -> bool:
    """Whether what had this id is gone by its age alone."""
    at = made_at(given)
    return at is not None and at < datetime.now(UTC) - kept
