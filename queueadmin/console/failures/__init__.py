"""The index of dead letters in the database: a row for each, written beside the publisher, for search and groups.

The registries in Redis stay the truth: what the index does not say yet `queueadmin.console.dead_letters` reads there.
"""

from queueadmin.console.failures.finding import matching
from queueadmin.console.failures.groups import refresh
from queueadmin.console.failures.indexing import Indexer
from queueadmin.console.failures.selecting import NotIndexed, asking, selected
from queueadmin.console.failures.state import State, state

__all__ = ["Indexer", "NotIndexed", "State", "asking", "matching", "refresh", "selected", "state"]
