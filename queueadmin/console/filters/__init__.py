"""The contract's one filter grammar: text ↔ Filter, and what a Filter matches. Pure."""

from queueadmin.console.filters.filter import Filter, within
from queueadmin.console.filters.grammar import KEYS, MAX_LENGTH, MAX_TERMS, FilterError, Vocabulary, parse

__all__ = ["KEYS", "MAX_LENGTH", "MAX_TERMS", "Filter", "FilterError", "Vocabulary", "parse", "within"]
