"""How long dead letters are kept: policies that somebody set, what leaves by them and when; maintenance applies them.

Without a policy dead letters stay until a person removes them. What leaves goes to the trash, and Undo brings it back.
"""

from queueadmin.console.policies.outlook import Expected, Outlook, expected, of_group, shown
from queueadmin.console.policies.reading import (
    MOST_COUNT,
    MOST_DAYS,
    NOTICE,
    Soon,
    beyond_since,
    kept,
    kept_until,
    leaving,
    name_of,
    of_cause,
    own,
    removed,
    soon,
)

__all__ = [
    "MOST_COUNT",
    "MOST_DAYS",
    "NOTICE",
    "Expected",
    "Outlook",
    "Soon",
    "beyond_since",
    "expected",
    "kept",
    "kept_until",
    "leaving",
    "name_of",
    "of_cause",
    "of_group",
    "own",
    "removed",
    "shown",
    "soon",
]
