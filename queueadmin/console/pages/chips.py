"""A filter's terms one by one, each with the filter that is left without it. Pure."""

from dataclasses import dataclass

from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Field


@dataclass(frozen=True, slots=True)
class Chip:
    text: str
    #: The filter without this term.
    rest: Filter


def chips(chosen: Filter) -> list[Chip]:
    """In their order."""
    terms = chosen.terms
    return [Chip(str(term), Filter(terms[:place] + terms[place + 1 :])) for place, term in enumerate(terms)]


def with_states(chosen: Filter, states: tuple[str, ...]) -> Filter:
    """The filter with these in the place of what it says of states; none: of any."""
    others = tuple(term for term in chosen.terms if not _is_of(term, "state"))
    return Filter((Field("state", states), *others) if states else others)


def states_of(chosen: Filter) -> tuple[str, ...] | None:
    """The states that the filter names in one term; (): it says nothing of them; None: more than a tab can say."""
    said = [term for term in chosen.terms if isinstance(term, Field) and term.key == "state"]
    if not said:
        return ()
    return said[0].values if len(said) == 1 and not said[0].negated else None


def only_of(chosen: Filter, *names: str) -> bool:
    """Whether it has terms of these keys alone."""
    return all(any(_is_of(term, name) for name in names) for term in chosen.terms)


def _is_of(term: object, name: str) -> bool:
    return isinstance(term, Field) and term.key == name
