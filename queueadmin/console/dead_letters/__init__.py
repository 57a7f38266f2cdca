"""Dead letters by the filter grammar, straight from the registries: however many there are, a page at a time.

They are read from Redis alone, so this works while the database is away, and sees those of stock workers too.
"""

from queueadmin.console.dead_letters.frozen import Frozen, freeze
from queueadmin.console.dead_letters.groups import Group, grouped
from queueadmin.console.dead_letters.reading import Bound, Record, matching, records

__all__ = ["Bound", "Frozen", "Group", "Record", "freeze", "grouped", "matching", "records"]
